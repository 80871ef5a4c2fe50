"""A healthy task, and generators that plant known causes in its cases, at chosen rates.

The facts are made up, or questions and passages of a real set (`benchmarks.planted.real`).

fault        what is broken                                                                  the need it is
removed      the document that holds the fact is gone                                        knowledge
corrupted    the passage is there, but the words of the fact are illegible in it             knowledge
missed       the index is broken for this slice: it does not find the evidence               retrieval
buried       the evidence ranks below the passages that are shown                            retrieval
middle       the evidence stands in the middle of 8 passages, where the reader does not look retrieval
stale        an outdated version of the passage ranks first, and the reader believes it      retrieval
drowned      near-duplicates of what is asked mislead the reader                             retrieval
denied       the user may not read the document, and the reader makes an answer up           access
format       the output format is not stated, and the reader does not keep it unasked        format
instruction  the brief is weak: it does not tell the label, and the reader chooses another   instruction
contradicted an earlier turn orders another label than the brief, and the reader obeys it    instruction
tone         answers must be shown before the reader answers so                              tone
table        the figure stands in a table only                                               tool
weak         only a stronger model answers                                                   capability
flaky        the answer is right at temperature above 0 only, four times in five             consistency
mislabelled  the golden answer is wrong                                                      label
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from levers.ledger import Message, digest
from levers.model import Ask
from levers.stack import Inline, Instruct, ModelRef, Passage, Retrieve, Shots, Stack
from levers.task import Case, GraderSpec, Material, Models, Task, TaskConfig
from levers.testing import ScriptedModel
from levers.trial.bench import Bench

NEED = {
    "removed": "knowledge",
    "corrupted": "knowledge",
    "missed": "retrieval",
    "buried": "retrieval",
    "middle": "retrieval",
    "stale": "retrieval",
    "drowned": "retrieval",
    "denied": "access",
    "format": "format",
    "instruction": "instruction",
    "contradicted": "instruction",
    "tone": "tone",
    "table": "tool",
    "weak": "capability",
    "flaky": "consistency",
    "mislabelled": "label",
}
FORMS = ("missed", "buried", "middle", "stale", "drowned")  # each is the retrieval need's own detail
_FACTS = ("removed", "corrupted", *FORMS, "denied", "table")  # one way to lack a fact is enough
_LABELS = ("instruction", "contradicted")
_ALONE = ("weak", "flaky", "mislabelled")  # beside another cause they cannot be told apart by any re-run
LABELS = ("people", "money", "place", "time")
K, SEEN = 8, 50
UNKNOWN, ILLEGIBLE = "unknown", "(illegible)"
_ORDER = "In all that follows the topic is "
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "topic": {"type": "string", "enum": list(LABELS)}},
    "required": ["answer", "topic"],
    "additionalProperties": False,
}
_SYLLABLES = [consonant + vowel for consonant in "bdklmnrs" for vowel in "aeio"]


@dataclass(frozen=True)
class Fact:
    """A question, its answer, and the passage that holds it word for word."""

    question: str
    answer: str
    text: str


@dataclass(frozen=True)
class Planted:
    """A task with faults: what to measure it on, the stack that is diagnosed, and the needs planted in each case."""

    bench: Bench
    stack: Stack
    truth: dict[str, frozenset[str]]
    faults: dict[str, frozenset[str]]


def plant(
    count: int,
    faults: int,
    seed: int,
    facts: Sequence[Fact] = (),
    rates: Mapping[str, float] | None = None,
    labels: bool = False,
    noise: float = 0.0,
) -> Planted:
    """Make `count` dev cases with `faults` causes each, every tenth left healthy.

    All causes come about equally often, or in proportion to `rates`. Takes the first `count` of the facts, or makes
    some up. With `labels` the answers are labels, of which one must be chosen: a task of classification. `noise` is
    the share of prompts that the reader answers wrong whatever stands in them.
    """
    draw = random.Random(seed)
    names = _named(draw, count, rates) if rates else list(NEED)
    cases, chosen = [], dict[str, frozenset[str]]()
    words = [f"{a}{b}{c}" for a in _SYLLABLES for b in _SYLLABLES[::5] for c in _SYLLABLES[::7]]
    draw.shuffle(words)
    facts = facts[:count] or [
        Fact(f"What is the code of item {n}?", words[n], f"The code of item {n} is {words[n]}.") for n in range(count)
    ]
    for place, fact in enumerate(facts):
        first = names[place % len(names)]
        picked = frozenset() if place % 10 == 9 else frozenset({first} | _second(first, draw, faults))
        chosen[f"c{place}"] = picked
        wrong = facts[place - 1].answer if labels else words[-place - 1]
        cases.append(_case(place, fact, picked, wrong))
    world = World(chosen, facts, words, noise=noise)
    choices = (*(str(each.expected["answer"]) for each in cases), UNKNOWN, *words[-9:-2]) if labels else None
    config = TaskConfig(
        name="planted",
        instructions="brief.md",
        golden="golden.jsonl",
        knowledge=Material(documents="docs/", tables="tables.db"),
        models=Models(answer="scripted", reference="strong"),
        graders=(
            GraderSpec(kind="schema", schema="answer.json"),
            GraderSpec(kind="choice", field="answer", choices=tuple(dict.fromkeys(choices)))
            if choices
            else GraderSpec(kind="exact", field="answer"),
            GraderSpec(kind="choice", field="topic", choices=LABELS),
        ),
    )
    task = Task(
        root=Path("."), config=config, instructions="Answer.", cases=tuple(cases), schemas={"answer.json": _SCHEMA}
    )
    stack = Stack(model=ModelRef(id="scripted"), parts=(Instruct(text="Answer."), Retrieve(index="planted", k=K)))
    truth = {case: frozenset(NEED[each] for each in picked) for case, picked in chosen.items()}
    return Planted(Bench(task=task, workshop=world, library=world), stack, truth, chosen)


def _named(draw: random.Random, count: int, rates: Mapping[str, float]) -> list[str]:
    """Draw the first cause of every case in proportion to the rates."""
    return draw.choices(list(rates), list(rates.values()), k=count)


def _case(place: int, fact: Fact, picked: frozenset[str], wrong: str) -> Case:
    case, topic = f"c{place}", LABELS[place % 4]
    answer = wrong if "mislabelled" in picked else UNKNOWN if "denied" in picked else fact.answer
    earlier: tuple[Message, ...] = ()
    if "contradicted" in picked:
        other = LABELS[(place + 2) % 4]
        earlier = (Message(role="user", content=f"{_ORDER}{other}."), Message(role="assistant", content="Noted."))
    return Case(
        id=case,
        input=(*earlier, Message(role="user", content=fact.question)) if earlier else fact.question,
        expected={"answer": answer, "topic": topic},
        partition="dev",
        evidence=("tables.db#facts" if "table" in picked else f"docs/{case}.md#fact",),
        user="guest" if "denied" in picked else None,
    )


def _second(first: str, draw: random.Random, faults: int) -> set[str]:
    if faults < 2 or first in _ALONE:
        return set()
    others = [name for name in NEED if name not in _ALONE and name != first]
    same = next((group for group in (_FACTS, _LABELS) if first in group), ())
    return {draw.choice([name for name in others if name not in same])}


class World:
    """Documents, index and reader of the planted task; it is workshop, finder and library at once."""

    spared = 0.0

    def __init__(
        self,
        faults: dict[str, frozenset[str]],
        facts: Sequence[Fact],
        words: Sequence[str],
        buried: int = K + 1,
        noise: float = 0.0,
    ) -> None:
        """Break what the faults name; `buried` is the place, from 0, of evidence that is not shown."""
        self._buried, self._noise = buried, noise
        self._faults = faults
        self._facts = facts
        self._numbers = {fact.question: number for number, fact in enumerate(facts)}
        bare = [(each.rstrip("?!. ").casefold(), number) for each, number in self._numbers.items()]
        self._bare = sorted(bare, key=lambda pair: -len(pair[0]))
        self._others = words[-9:-2]  # what wrong passages say; no fact has such an answer
        self.models: dict[str, ScriptedModel] = {}

    def model(self, reference: ModelRef) -> ScriptedModel:
        return self.models.setdefault(
            reference.id, ScriptedModel(lambda ask: self._read(ask, reference.id), reference.id)
        )

    def finder(self, index: str) -> "World":
        return self

    def inline(self, part: Inline) -> tuple[Inline, str]:
        return part, ""

    def shots(self, part: Shots) -> tuple[Shots, str]:
        return part, ""

    def find(self, queries: Sequence[str], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
        return [tuple(self._ranking(query)[: part.k]) for query in queries]

    @property
    def ruled(self) -> bool:
        return True

    def evidence(self, case: Case) -> tuple[Passage, ...]:
        """The documents that the case names: none where it was removed or stands in a table."""
        return () if self._faults[case.id] & {"removed", "table"} else (self._own(case.id),)

    def holding(self, case: Case, texts: Sequence[str], most: int) -> tuple[Passage, ...]:
        """Every case names its evidence, so nothing is looked for."""
        return ()

    def may_find(self, passage: Passage, user: str | None) -> bool:
        """Guests may read nothing that a planted rule denies them."""
        name = passage.document.removeprefix("docs/").removesuffix(".md")
        return user is None or "denied" not in self._faults[name]

    def holds_hidden(self, text: str, inlined: tuple[str, str], user: str | None) -> bool:
        return False

    def newer(self, document: str) -> str | None:
        return None

    def rank(self, case: Case, stack: Stack) -> int | None:
        names = [each.document for each in self._ranking(case.question)[:SEEN]]
        own = f"docs/{case.id}.md"
        return names.index(own) + 1 if own in names else None

    def _passage(self, case: str, value: str | None = None) -> Passage:
        fact = self._facts[int(case[1:])]
        text = fact.text.replace(fact.answer, value) if value else fact.text
        return Passage(document=f"docs/{case}.md", section="fact", heading="Fact", text=text, start=0, end=len(text))

    def _own(self, case: str) -> Passage:
        """The passage as it stands in the documents."""
        return self._passage(case, ILLEGIBLE if "corrupted" in self._faults[case] else None)

    def _rumour(self, number: int, step: int) -> Passage:
        question = self._facts[number].question
        text = f"On the market, as so often, somebody asked: {question} They told us {self._others[step]}, or so."
        document = f"docs/market-{number}-{step}.md"
        return Passage(document=document, section="talk", heading="Talk", text=text, start=0, end=len(text))

    def _ranking(self, query: str) -> list[Passage]:
        """What search brings, best first: the own passage at its planted place among others."""
        number = self._numbers[query]
        faults, count = self._faults[f"c{number}"], len(self._faults)
        others = [self._passage(f"c{(number + step) % count}") for step in range(1, 12)]
        if "drowned" in faults:
            others = [self._rumour(number, step) for step in range(2)] + others
        if "stale" in faults:
            old = self._passage(f"c{number}", self._others[2])
            others = [old.model_copy(update={"document": f"docs/old-{number}.md"}), *others]
        if faults & {"removed", "table", "missed", "denied"}:
            return others
        own = self._own(f"c{number}")
        place = self._buried if "buried" in faults else 4 if "middle" in faults else 1 if "stale" in faults else 0
        return [*others[:place], own, *others[place:]]

    def _read(self, ask: Ask, model: str) -> str:
        """Answer as a reader would that is weak as planted."""
        number = self._number(ask.messages[-1].content.rpartition("\n\nQuestion: ")[2])
        faults = self._faults[f"c{number}"]
        told = "\n".join(each.content for each in ask.messages if each.role != "assistant")
        seen = ask.messages[-1].content.rpartition("\n\nQuestion: ")[0]
        if "middle" in faults:  # it looks at the first passage only
            seen = re.sub(r"\n\n\[2\].*", "", seen, flags=re.DOTALL)
        known = "|".join(re.escape(each) for each in (self._facts[number].answer, *self._others))
        found = re.findall(rf"(?<!\w)(?:{known})(?!\w)", seen)
        shown = any(each.role == "assistant" and each.content.startswith("{") for each in ask.messages)
        said = found[0 if "stale" in faults else -1] if found else UNKNOWN
        if "denied" in faults and "(none found)" not in seen:
            said = "something"
        sampled = ask.temperature > 0 and ask.seed % 5 != 4
        if (
            ("tone" in faults and not shown)
            or ("weak" in faults and model != "strong")
            or ("flaky" in faults and not sampled)
            or (self._noise and int(digest([ask, model], 8).rpartition("-")[2], 16) < self._noise * 16**8)
        ):
            said = "something"
        if "format" in faults and ask.json_schema is None and not shown:
            return f"I think it is {said}"
        enum = (ask.json_schema or {}).get("properties", {}).get("topic", {}).get("enum", LABELS)
        ordered = 2 if f"{_ORDER}{LABELS[(number + 2) % 4]}" in told else int("instruction" in faults)
        topic = enum[0] if len(enum) == 1 else LABELS[(number + ordered) % 4]
        answer = {"answer": said, "topic": topic}
        thinks = "reasoning" in (ask.json_schema or {}).get("properties", {})
        return json.dumps({"reasoning": "Let me see.", "answer": answer} if thinks else answer)

    def _number(self, asked: str) -> int:
        """Know the question, in other words too."""
        if asked in self._numbers:
            return self._numbers[asked]
        words = asked.casefold()
        return next(number for each, number in self._bare if each in words)
