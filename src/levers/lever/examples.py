"""examples: show reviewed answers in the prompt (few-shot), chosen so that every label is seen."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from levers.diagnosis import ProbeName
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, gate_check, quote, tokens
from levers.lever.situation import Pulled, Situation
from levers.lever.variants import climb, parse
from levers.plan import Quote
from levers.stack import Shots
from levers.task.records import Example

TRIED = (3, 6)  # the field shows 3 to 10 examples; a small window holds few beside passages


class Settings(Record):
    """How many examples are shown; None tries 3 on dev, and 6 if 3 helps."""

    k: int | None = Field(default=None, ge=1, le=32)


class ExamplesLever:
    """Shows the house's answers instead of describing them."""

    name = "examples"
    probes: tuple[ProbeName, ...] = ("format", "instruction", "tone")

    def quote(self, situation: Situation) -> Quote:
        """Quote from the probe that imposes form and label and shows the answers to the most similar cases."""
        examples = showable(situation)
        shown = pick(examples, max(TRIED))
        added = sum(tokens(each.question) + tokens(each.answer) for each in shown)
        terms = Terms(
            answers="instruction, format, tone",
            settings={},
            added_tokens=added,
            gates=(gate_check("few-shot", len(examples)),),
            blocked="examples are shown already" if situation.stack.part("examples") else "",
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Show k examples as earlier turns."""
        chosen = parse(Settings, self.name, settings)
        examples = showable(situation)
        if not examples:
            raise UserError(Problem(file="levers.yaml", field="examples", expected="reviewed examples to show"))
        counts = TRIED if chosen.k is None else (chosen.k,)
        variants = [(f"k={k}", situation.stack.with_part(_shots(pick(examples, k)))) for k in counts]
        stack, notes = climb(situation, self.name, variants)
        part = stack.part("examples")
        shown = len(part.pairs) if isinstance(part, Shots) else 0
        lines = ", ".join(str(each.line) for each in pick(examples, shown))
        material = f"{situation.bench.task.config.examples} lines {lines}"
        return Pulled(stack=stack, changed=f"{shown} reviewed examples are shown", material=material, notes=notes)


def showable(situation: Situation) -> list[Example]:
    """Return the examples whose evidence everybody may read: what is shown in a prompt is shown to all users."""
    index = situation.index()
    return [
        example
        for example in situation.bench.task.examples
        if all(index is None or index.may_read(reference.partition("#")[0]) for reference in example.evidence)
    ]


def _shots(examples: Sequence[Example]) -> Shots:
    return Shots(pairs=tuple((each.question, each.answer) for each in examples))


def pick(examples: Sequence[Example], k: int) -> list[Example]:
    """Choose k examples: one of each label in turn, the most frequent label first, the shortest example of it first."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(_label(example.answer), []).append(example)
    ordered = sorted(groups.values(), key=lambda group: -len(group))
    for group in ordered:
        group.sort(key=lambda each: (len(each.question) + len(each.answer), each.line))
    chosen: list[Example] = []
    for turn in range(max(map(len, ordered), default=0)):
        chosen.extend(group[turn] for group in ordered if turn < len(group))
    return chosen[:k]


def _label(answer: str) -> str:
    """Group JSON answers by their last text value, where house formats keep the label; plain answers all together."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        return ""
    values = [value for value in parsed.values() if isinstance(value, str)] if isinstance(parsed, dict) else []
    return values[-1] if values else ""
