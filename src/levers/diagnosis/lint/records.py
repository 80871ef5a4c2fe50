"""What is linted, and what a finding says."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import Field

from levers.ledger import Record

Weight = Literal["breaks", "lacks"]


class Shown(Record):
    """A reviewed pair, with the line it stands on."""

    question: str
    answer: str
    line: int = 0


class Prompt(Record):
    """A prompt and all that must agree with it.

    `examples` are those that are shown; with `nearest`, so many at once, and each of them to some question. `golden`
    are (id, question, accepted answers) of the cases. `choices` maps a field of the answer (or "") to its labels.
    `imposed`: the schema is enforced while decoding. `window` and `cache_minimum` are in tokens, None where they are
    not known or do not matter.
    """

    text: str
    file: str
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    schema_file: str = ""
    imposed: bool = False
    examples: tuple[Shown, ...] = ()
    nearest: int | None = None
    examples_file: str = "examples.jsonl"
    golden: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    choices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    patterns: tuple[str, ...] = ()
    window: int | None = None
    cache_minimum: int | None = None

    @property
    def lines(self) -> list[str]:
        """The text line by line, as editors count lines: other breaks, such as a form feed, do not end one."""
        return [line.removesuffix("\r") for line in self.text.removesuffix("\n").split("\n")]

    def line_at(self, offset: int) -> int:
        """Return the line (from 1) of a character."""
        return self.text.count("\n", 0, offset) + 1


class Finding(Record):
    """One thing to mend: the rule, where it is, what stands there, why that matters, and what to do.

    `weight`: `breaks` is wrong whatever else is true, `lacks` is what a serious prompt has and this one does not.
    """

    rule: str
    weight: Weight
    file: str
    line: int | None
    found: str
    reason: str
    fix: str


Rule = Callable[[Prompt], Iterator[Finding]]
