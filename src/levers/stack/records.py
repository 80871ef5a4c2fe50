"""A stack is data: a model reference and an ordered list of parts. Its digest is its name."""

from typing import Annotated, Any, Literal

from pydantic import Field

from levers.economics.lifetimes import Lifetime
from levers.economics.usage import Usage
from levers.ledger import Message, Record, digest
from levers.model.contract import Finish, Turn


class Passage(Record):
    """A piece of a document as a model sees it; `start` and `end` are character offsets in the document's text.

    `page` counts from 1; None where documents of the kind have no pages.
    """

    document: str
    section: str
    heading: str
    text: str
    start: int
    end: int
    page: int | None = None
    score: float = 0.0


class Instruct(Record):
    """Instructions in the system message."""

    kind: Literal["instruct"] = "instruct"
    text: str


class Shots(Record):
    """Shown examples: pairs of input and output, each an earlier turn of the conversation."""

    kind: Literal["examples"] = "examples"
    pairs: tuple[tuple[str, str], ...]


class Structure(Record):
    """The reply must be JSON of this schema; enforced while decoding (local) or asked of the server (hosted)."""

    kind: Literal["structure"] = "structure"
    json_schema: dict[str, Any]


class Inline(Record):
    """Whole documents in the system message: name and text."""

    kind: Literal["inline"] = "inline"
    documents: tuple[tuple[str, str], ...]


class Retrieve(Record):
    """`k` passages found for each question in the index of that digest; the user's access rules apply first.

    `rerank` is the id of the reranker that puts the first ones in order, None for none.
    """

    kind: Literal["retrieve"] = "retrieve"
    index: str
    k: int = 4
    mode: Literal["hybrid", "bm25", "dense"] = "hybrid"
    rerank: str | None = Field(default=None, exclude_if=lambda value: value is None)


class Given(Record):
    """What a probe hands over by case id, never shipped: passages, shown pairs, a schema, a word of instruction."""

    kind: Literal["given"] = "given"
    passages: dict[str, tuple[Passage, ...]] = Field(default_factory=dict)
    pairs: dict[str, tuple[tuple[str, str], ...]] = Field(default_factory=dict)
    schemas: dict[str, dict[str, Any]] = Field(default_factory=dict)
    told: dict[str, str] = Field(default_factory=dict)


Part = Annotated[Instruct | Shots | Structure | Inline | Retrieve | Given, Field(discriminator="kind")]


class ModelRef(Record):
    """Which model answers: a provider/model id, and the name of its adapter under `.levers/adapters`.

    `cache` marks the part of the prompt that all questions share, to be kept by the provider for that long.
    """

    id: str
    adapter: str | None = None
    temperature: float = 0.0
    max_tokens: int = 64
    seed: int = 0
    cache: Lifetime | None = Field(default=None, exclude_if=lambda value: value is None)


class Stack(Record):
    """A model and its parts, in order."""

    model: ModelRef
    parts: tuple[Part, ...] = ()

    @property
    def digest(self) -> str:
        """The stack's name: a digest over model and parts."""
        return digest(self)

    def part(self, kind: str) -> Part | None:
        """Return the part of that kind, or None."""
        return next((part for part in self.parts if part.kind == kind), None)

    def with_part(self, part: Part) -> "Stack":
        """Return the stack with this part, in place of one of the same kind if there is one, at the end if not."""
        kinds = [each.kind for each in self.parts]
        if part.kind in kinds:
            parts = tuple(part if each.kind == part.kind else each for each in self.parts)
        else:
            parts = (*self.parts, part)
        return self.model_copy(update={"parts": parts})

    def without(self, kind: str) -> "Stack":
        """Return the stack without parts of that kind."""
        return self.model_copy(update={"parts": tuple(part for part in self.parts if part.kind != kind)})


class Question(Record):
    """What a stack is asked: an input (text or turns) by a user; `id` ties it to a case."""

    id: str
    input: str | tuple[Message, ...]
    user: str | None = None


class Citation(Record):
    """Where an answer's support stands: document, section, character span; `number` is the passage's in the prompt.

    `page` is where the passage starts, for documents with pages.
    """

    number: int
    document: str
    section: str
    start: int
    end: int
    quote: str
    page: int | None = None


class StepTrace(Record):
    """What one part did for one answer, and how long it took (wall seconds, its share of a batch)."""

    name: str
    seconds: float
    detail: str = ""


class Answer(Record):
    """What a stack answered, with the whole trail: passages shown, prompt sent, usage, steps."""

    id: str
    text: str
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    prompt: tuple[Message | Turn, ...] = ()
    usage: Usage = Usage()
    steps: tuple[StepTrace, ...] = ()
    finish: Finish = "stop"
    confidence: float | None = None
    error: str | None = None

    @property
    def seconds(self) -> float:
        """Wall seconds over all steps."""
        return sum(step.seconds for step in self.steps)
