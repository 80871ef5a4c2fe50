"""The task: cases, graders, material, targets and traffic, as typed records."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, get_args, overload

from pydantic import AfterValidator, ConfigDict, Field

from levers.ledger import Message, Record, digest, in_order
from levers.task.files import file_digests, lies_below
from levers.task.references import plain_reference, split_reference

Partition = Literal["dev", "test", "edge"]
GraderKind = Literal[
    "exact",
    "contains",
    "f1",
    "regex",
    "numeric",
    "schema",
    "choice",
    "citation",
    "tone",
    "sql",
    "code",
    "semantic",
    "judge",
]
GRADER_KINDS: tuple[GraderKind, ...] = get_args(GraderKind)
PARTITIONS: tuple[Partition, ...] = ("dev", "test", "edge")
SOURCE = "source:"  # how a tag begins that names what a case was written from
AUTO = "auto"  # a reranker chosen by the embedding model

# Paths may be written in several ways, but everything after the reading compares them with documents' ids as texts.
_Reference = Annotated[str, AfterValidator(plain_reference)]


class Case(Record):
    """One golden item. `expected` is a text, accepted texts, or JSON whose fields may list accepted values."""

    id: str
    input: str | tuple[Message, ...]
    expected: str | tuple[str, ...] | dict[str, Any]
    partition: Partition
    evidence: tuple[_Reference, ...] = ()
    user: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The input as one text: the last user turn."""
        return self.input if isinstance(self.input, str) else self.input[-1].content

    @property
    def slices(self) -> tuple[str, ...]:
        """The tags that name a kind of case, each once; the one that names its source is none."""
        return tuple(dict.fromkeys(tag for tag in self.tags if not tag.startswith(SOURCE)))

    @property
    def source(self) -> str:
        """What the case was written from: its tag `source:…`, else its first evidence's document, else itself."""
        tagged = next((tag.removeprefix(SOURCE) for tag in self.tags if tag.startswith(SOURCE)), "")
        return tagged or (split_reference(self.evidence[0])[0] if self.evidence else self.id)


DevCase = NewType("DevCase", Case)
"""A case that levers and diagnosis may look at. Only `Task.partition("dev")` gives them: types keep the others out."""


class Example(Record):
    """A reviewed pair to tune on or to show: the turns before the answer, and the answer."""

    messages: tuple[Message, ...]
    answer: str
    evidence: tuple[_Reference, ...] = ()
    line: int = 0

    @property
    def question(self) -> str:
        """The last user turn."""
        return self.messages[-1].content


class ToneRules(Record):
    """How an answer must sound, as rules. Patterns are regular expressions, searched without regard to case."""

    min_words: int | None = Field(default=None, ge=1)
    max_words: int | None = Field(default=None, ge=1)
    max_sentences: int | None = Field(default=None, ge=1)
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()


class GraderSpec(Record):
    """A grader as the task names it. `field` grades one field of a JSON answer and of a JSON expectation."""

    kind: GraderKind
    field: str | None = None
    named: str | None = Field(default=None, min_length=1)
    only: tuple[str, ...] | None = Field(default=None, min_length=1)
    schema_file: str | None = Field(default=None, alias="schema")
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    tolerance: float | None = Field(default=None, ge=0)
    relative: float | None = Field(default=None, ge=0)
    unit: str | None = None
    support: Literal["evidence", "answer"] | None = None
    rules: ToneRules | None = None
    labels: str | None = None
    database: str | None = None
    command: tuple[str, ...] | None = Field(default=None, min_length=1)
    model: str | None = None
    rubric: str | None = None
    pairwise: bool | None = None

    model_config = ConfigDict(populate_by_name=True)

    @property
    def name(self) -> str:
        """How reports call it: its own name if it has one, else `contains:answer`."""
        return self.named or (f"{self.kind}:{self.field}" if self.field else self.kind)

    def grades(self, case: Case) -> bool:
        """Say whether the grader is for this case: for all of them, or for those with one of its tags."""
        return self.only is None or not set(self.only).isdisjoint(case.tags)

    def files(self, root: Path, tables: str | None = None) -> dict[str, str]:
        """Return the sha256 by name of every file that it reads, its command's words below the folder among them.

        `tables` is the task's database, which a sql grader reads unless it names its own. Files that are not there are
        left out.
        """
        database = self.database or (tables if self.kind == "sql" else None)
        words = [word for word in self.command or () if lies_below(root, word)]
        return file_digests(root, [name for name in (self.schema_file, self.labels, database, *words) if name])


class Material(Record):
    """Where the knowledge lies, relative to the project's folder."""

    documents: str | None = None
    tables: str | None = None
    access: str | None = None


class Models(Record):
    """Which models do which job: provider/model ids. `rerank: auto` is minilm's reranker where minilm embeds."""

    answer: str = "pocket"
    reference: str | None = None
    embed: str = "minilm"
    rerank: str | None = AUTO
    base_url: str | None = None
    cache: Literal["5m", "1h"] | None = Field(default=None, exclude_if=lambda value: value is None)
    # Excluded: what may be spent changes no outcome, so a raised cap is the same task and the same run.
    cap: float | None = Field(default=None, ge=0, exclude=True)


class Targets(Record):
    """What the team needs. Quality is the share of passing test cases; cost in USD; latency in milliseconds."""

    quality: float = Field(default=0.9, ge=0, le=1)
    cost_per_answer: float | None = Field(default=None, ge=0)
    p95_ms: float | None = Field(default=None, gt=0)
    freshness: str | None = Field(default=None, pattern=r"^\d+(s|m|h|d)$")


class Traffic(Record):
    """How much is asked."""

    answers_per_day: float = Field(default=1000, ge=0)


class TaskConfig(Record):
    """`levers.yaml`, as written."""

    name: str = Field(min_length=1)
    instructions: str
    golden: str
    knowledge: Material = Material()
    examples: str | None = None
    models: Models = Models()
    graders: tuple[GraderSpec, ...] = Field(min_length=1)
    targets: Targets = Targets()
    traffic: Traffic = Traffic()
    prices: str | None = None


class Task(Record):
    """A loaded task: everything the loop reads, and the folder it came from.

    `schemas` maps a schema file's name to its JSON Schema;
    """

    root: Path
    config: TaskConfig
    instructions: str
    cases: tuple[Case, ...]
    examples: tuple[Example, ...] = ()
    schemas: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @overload
    def partition(self, name: Literal["dev"]) -> tuple[DevCase, ...]: ...

    @overload
    def partition(self, name: Partition) -> tuple[Case, ...]: ...

    def partition(self, name: Partition) -> tuple[Case, ...]:
        """Return the cases of one partition, in file order."""
        return tuple(case for case in self.cases if case.partition == name)

    @property
    def digest(self) -> str:
        """Name of the task's content: config, instructions, cases, examples, graders' files, not the folder."""
        files = [self.files] if self.files else []  # a task without any keeps the name that it always had
        return digest([self.config, self.instructions, self.cases, self.examples, in_order(self.schemas), *files])

    @cached_property
    def files(self) -> dict[str, str]:
        """The sha256 by name of every file that graders read, schemas apart; read once, so that a task stays one."""
        tables = self.config.knowledge.tables
        found = [spec.files(self.root, tables) for spec in self.config.graders]
        return {name: sha256 for each in found for name, sha256 in each.items() if name not in self.schemas}

    @property
    def answer_schema(self) -> dict[str, Any] | None:
        """The JSON Schema that a whole answer must follow, if a schema grader without a field names one."""
        for spec in self.config.graders:
            if spec.kind == "schema" and spec.field is None and spec.schema_file:
                return self.schemas[spec.schema_file]
        return None

    @property
    def documents(self) -> Path | None:
        """The documents' folder, if the task has one."""
        return self.root / self.config.knowledge.documents if self.config.knowledge.documents else None

    @property
    def state(self) -> Path:
        """Where levers keeps what it makes: the `.levers` folder."""
        return self.root / ".levers"
