"""A stack is data: a model reference and an ordered list of parts. Its digest is its name."""

from typing import Annotated, Literal

from pydantic import Field

from levers.economics.lifetimes import Lifetime
from levers.economics.usage import Usage
from levers.ledger import Message, Record, Schema, Text, digest
from levers.model.contract import Finish, Turn

PassageOrder = Literal["best first", "best last", "ends"]


class Passage(Record):
    """A piece of a document as a model sees it; `start` and `end` are character offsets in the document's text.

    `page` counts from 1; None where documents of the kind have no pages. `version` is that of the document.
    """

    document: str
    section: str
    heading: str
    text: str
    start: int
    end: int
    page: int | None = None
    version: str = ""
    score: float = 0.0

    @property
    def reference(self) -> str:
        """Where it stands, as evidence is named: `document#section`, or the document."""
        return f"{self.document}#{self.section}" if self.section else self.document


class Instruct(Record):
    """Instructions in the system message."""

    kind: Literal["instruct"] = "instruct"
    text: str


class Shots(Record):
    """Shown examples: pairs of input and output, each an earlier turn of the conversation.

    With `nearest`, so many of the pairs are shown: those whose inputs are most like the question, the likest last.
    """

    kind: Literal["examples"] = "examples"
    pairs: tuple[tuple[str, str], ...]
    nearest: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)


class Structure(Record):
    """The reply must be JSON of this schema; enforced while decoding (local) or asked of the server (hosted).

    A reply that is not valid all the same is sent back `repairs` times at most, with what is wrong with it. With
    `unwrap` the schema is an object around one value, "answer", and the answer is that value as text: so a choice or a
    pattern is imposed by the same means.
    """

    kind: Literal["structure"] = "structure"
    json_schema: Schema
    unwrap: bool = Field(default=False, exclude_if=lambda value: not value)
    repairs: int = Field(default=0, ge=0, le=3, exclude_if=lambda value: value == 0)


class Reason(Record):
    """Reasoning before the answer, hidden from it.

    `think`: the model thinks step by step first, in at most `budget` tokens (Wei et al. 2022). `samples` above 1: so
    many replies are drawn at `temperature`, and the answer that most of them give is kept (self-consistency, Wang et
    al. 2023). `verify`: the answer goes back once, to be checked and mended.
    """

    kind: Literal["reason"] = "reason"
    think: bool = False
    samples: int = Field(default=1, ge=1, le=40)
    verify: bool = False
    budget: int = Field(default=256, ge=16)
    temperature: float = Field(default=0.7, gt=0)


class Inline(Record):
    """Whole documents in the system message: name and text."""

    kind: Literal["inline"] = "inline"
    documents: tuple[tuple[str, str], ...]


class Retrieve(Record):
    """`k` passages found for each question in the index of that digest; the user's access rules apply first.

    `rerank` is the id of the reranker that puts the first ones in order, None for none.
    `order` is that of the passages in the prompt; "ends" puts the best at both ends and the rest between. `around` asks
    the question before the passages too. `sentences` keeps of each passage so many that follow each other.
    With two `hops` the first passages ask again, for questions that need two. The model puts the question in so many
    other words first as `rewrites` says, and all of them are searched. What goes beyond `words` in all is left out, the
    last passages first; the best one always stays.
    """

    kind: Literal["retrieve"] = "retrieve"
    index: str
    k: int = 4
    mode: Literal["hybrid", "bm25", "dense"] = "hybrid"
    rerank: str | None = Field(default=None, exclude_if=lambda value: value is None)
    order: PassageOrder = Field(default="best first", exclude_if=lambda value: value == "best first")
    around: bool = Field(default=False, exclude_if=lambda value: not value)
    sentences: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    hops: int = Field(default=1, ge=1, le=2, exclude_if=lambda value: value == 1)
    rewrites: int = Field(default=0, ge=0, le=4, exclude_if=lambda value: value == 0)
    words: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)


class Given(Record):
    """What a probe hands over by case id, never shipped: passages, shown pairs, a schema, a word of instruction."""

    kind: Literal["given"] = "given"
    passages: dict[str, tuple[Passage, ...]] = Field(default_factory=dict)
    pairs: dict[str, tuple[tuple[str, str], ...]] = Field(default_factory=dict)
    schemas: dict[str, Schema] = Field(default_factory=dict)
    told: dict[str, str] = Field(default_factory=dict)


Part = Annotated[Instruct | Shots | Structure | Reason | Inline | Retrieve | Given, Field(discriminator="kind")]


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

    `page` is where the passage starts, for documents with pages; `version` is the start of the file's hash then.
    """

    number: int
    document: str
    section: str
    start: int
    end: int
    quote: str
    page: int | None = None
    version: str = ""

    @property
    def reference(self) -> str:
        """Where it stands, as evidence is named: `document#section`, or the document."""
        return f"{self.document}#{self.section}" if self.section else self.document


class StepTrace(Record):
    """What one part did for one answer, and how long it took (wall seconds, its share of a batch)."""

    name: str
    seconds: float
    detail: str = ""


class Answer(Record):
    """What a stack answered, with the whole trail: passages shown, prompt sent, usage, steps.

    `thought` is the reasoning that led to the answer; it is no part of it, and readers are not shown it. `outage`: a
    reply it needed was lost to an outage of the server, so it says nothing about the stack.
    """

    id: str
    text: Text
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    prompt: tuple[Message | Turn, ...] = ()
    usage: Usage = Usage()
    steps: tuple[StepTrace, ...] = ()
    finish: Finish = "stop"
    confidence: float | None = None
    error: str | None = None
    thought: Text = Field(default="", exclude_if=lambda value: not value)
    outage: bool = Field(default=False, exclude_if=lambda value: not value)

    @property
    def seconds(self) -> float:
        """Wall seconds over all steps."""
        return sum(step.seconds for step in self.steps)
