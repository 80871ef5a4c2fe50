"""A small project whose answer model is scripted: weak in ways that a test plants case by case, and never by chance.

Twelve huts have ten facts each. The reader behind the fake server knows a fact only if it stands in what it was given,
unless a case is planted otherwise; `LACKS` of a case name what must be mended before it answers right:

knowledge    the fact must stand in the passages or the system text
format       it writes JSON only if a schema, the written rules or shown answers ask for it
instruction  it names the topic only if the schema leaves one, the rules list the topics, or an answer shows it
tone         it answers only if answers are shown
drowned      anything beside the one passage misleads it
seed         it answers at temperature above 0 only, four times in five
capability   only the model `strong` answers
wrong        it never answers
label        it answers, but the golden answer is another
wording      it answers only when the question is asked in other words than its own
thought      it answers only when it may reason first
shots        it answers only while no answers are shown
brief        it answers in prose as long as the brief asks for plain text
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from levers.testing import FakeServer, Scripted

HUTS = (
    *("Alder", "Birch", "Cedar", "Dovecot", "Elder", "Fernside"),
    *("Gorse", "Heron", "Ivy", "Juniper", "Kestrel", "Linnet"),
)
ATTRIBUTES = {
    "warden": "people",
    "cook": "people",
    "price": "money",
    "deposit": "money",
    "altitude": "place",
    "path": "place",
    "spring": "place",
    "opening": "time",
    "curfew": "time",
    "supper": "time",
}
TOPICS = ("people", "money", "place", "time", "none")
STAFF_HUT = "Linnet"
NOT_THERE = "not in our documents"
DISTRACTED = "the weather board"
ELSE = "some other thing"
_FIRST = ["amber", "basalt", "copper", "dusky", "ember", "flint", "golden", "hazel", "indigo", "jade", "khaki", "lilac"]
_SECOND = ["anvil", "bridge", "candle", "drum", "engine", "fiddle", "garnet", "hammer", "inkwell", "jug"]

Lacks = frozenset[str]


@dataclass(frozen=True)
class Item:
    """One golden case to be."""

    hut: str
    attribute: str
    lacks: Lacks
    partition: str = "dev"
    question: str = ""
    evidence: tuple[str, ...] | None = None
    user: str | None = None

    @property
    def asked(self) -> str:
        """The question, unless one was given."""
        return self.question or f"What is the {self.attribute} of {self.hut}?"

    @property
    def id(self) -> str:
        """The case's id."""
        return f"{self.partition}-{self.hut}-{self.attribute}".lower()


def fact(hut: str, attribute: str) -> str:
    """The value that the documents give, one of its own for every fact."""
    return f"{_FIRST[HUTS.index(hut)]} {_SECOND[list(ATTRIBUTES).index(attribute)]}"


def sentence(hut: str, attribute: str, value: str | None = None) -> str:
    """How the documents say it."""
    return f"The {attribute} of {hut} is {value or fact(hut, attribute)}."


def reference(hut: str, attribute: str) -> str:
    """Where it stands."""
    return f"docs/{hut.lower()}.md#{attribute}"


def golden(item: Item) -> dict[str, Any]:
    """The line of golden.jsonl."""
    known = item.hut in HUTS
    answer = fact(item.hut, item.attribute) if known and item.partition != "edge" else NOT_THERE
    topic = ATTRIBUTES[item.attribute] if known and item.partition != "edge" else "none"
    evidence = item.evidence if item.evidence is not None else (reference(item.hut, item.attribute),) if known else ()
    return {
        "id": item.id,
        "input": item.asked,
        "expected": {"answer": ELSE if "label" in item.lacks else answer, "topic": topic},
        "partition": item.partition,
        "evidence": list(evidence) if item.partition != "edge" else [],
        "user": item.user,
    }


EVERYTHING: Lacks = frozenset({"knowledge", "format", "instruction"})


def few_items(documents: bool = True) -> list[Item]:
    """The smallest set of cases on which two levers can prove themselves: 9 dev, 6 test, 2 edge."""
    other, evidence = ("knowledge", None) if documents else ("instruction", ())
    pairs = [(hut, attribute) for attribute in ("warden", "price", "path") for hut in HUTS[:5]]
    items = [
        Item(hut, attribute, frozenset({"format", other}), "dev" if place % 5 < 3 else "test", evidence=evidence)
        for place, (hut, attribute) in enumerate(pairs)
    ]
    return items + [Item(f"Nowhere{number}", "warden", frozenset({"format"}), "edge") for number in range(2)]


def story_items() -> list[Item]:
    """30 dev, 20 test and 8 edge cases: most lack facts, form and label; some are drowned, some hopeless."""
    pairs = [(hut, attribute) for attribute in ATTRIBUTES for hut in HUTS if hut != STAFF_HUT][:50]
    items = []
    for place, (hut, attribute) in enumerate(pairs):
        lacks = EVERYTHING
        if place % 20 in {2, 3}:
            lacks = EVERYTHING | {"wrong"}
        elif place % 20 == 7:
            lacks = EVERYTHING | {"drowned"}
        elif place % 10 == 5:
            lacks = EVERYTHING | {"label"}
        items.append(Item(hut, attribute, lacks, "dev" if place % 5 < 3 else "test"))
    items += [Item(f"Nowhere{number}", "warden", frozenset({"format"}), "edge") for number in range(6)]
    return items + [Item(STAFF_HUT, name, frozenset({"format"}), "edge", user="ana") for name in ("cook", "path")]


class Reader:
    """The scripted model. It reads what it was given, and is as weak as the items say."""

    def __init__(self, items: Iterable[Item], delay: float = 0.0) -> None:
        """Know the items by their question; wait `delay` seconds with each answer."""
        self.items = {item.asked: item for item in items}
        self._bare = {_bare(asked): item for asked, item in self.items.items()}
        self.delay = delay

    def __call__(self, request: dict[str, Any]) -> Scripted:
        """Answer one request."""
        turns = request["messages"]
        system = "\n".join(turn["content"] for turn in turns if turn["role"] == "system")
        shots = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        given, _, question = turns[-1]["content"].rpartition("Question: ")
        item = self._item(question)
        lacks = item.lacks if item else frozenset({"format"})
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
        thinks = "reasoning" in (schema or {}).get("properties", {})
        schema = schema["properties"]["answer"] if thinks else schema
        said = self._said(request, question, lacks, f"{system}\n{given}", bool(shots))
        if "brief" in lacks and "plain text" in system:
            return Scripted(f"It is {said}", delay=self.delay)
        in_json = "format" not in lacks or schema or "JSON object" in system or any(s.startswith("{") for s in shots)
        if not in_json:
            return Scripted(f"I believe it is {said}, dear guest", delay=self.delay)
        topic = self._topic(question, lacks, schema, system, shots) if said != NOT_THERE else "none"
        answer = {"answer": said, "topic": topic}
        return Scripted(json.dumps({"reasoning": "So.", "answer": answer} if thinks else answer), delay=self.delay)

    def _item(self, question: str) -> Item | None:
        """Know a question in other words too."""
        if question in self.items:
            return self.items[question]
        return next((item for bare, item in self._bare.items() if bare in _bare(question)), None)

    def _said(self, request: dict[str, Any], question: str, lacks: Lacks, seen: str, shown: bool) -> str:
        item = self._item(question)
        question = item.asked if item else question
        asked = request["messages"][-1]["content"].rpartition("Question: ")[2]
        thinks = "reasoning" in str(request.get("response_format", {}))
        if ("wording" in lacks and asked == question) or ("thought" in lacks and not thinks):
            return DISTRACTED
        if "shots" in lacks and shown:
            return DISTRACTED
        found = _lookup(question, item, seen)
        if "drowned" in lacks and (seen.count("\n[") > 1 or seen.count("The warden of") > 1):
            return DISTRACTED
        if "wrong" in lacks or ("tone" in lacks and not shown):
            return DISTRACTED
        if "capability" in lacks and request["model"] != "strong":
            return DISTRACTED
        if "seed" in lacks and (request["temperature"] == 0 or request["seed"] % 5 == 4):
            return DISTRACTED
        if found is None and item and item.hut in HUTS and item.partition != "edge" and "knowledge" not in lacks:
            return fact(item.hut, item.attribute)
        return found or NOT_THERE

    def _topic(self, question: str, lacks: Lacks, schema: Any, system: str, shots: Sequence[str]) -> str:
        item = self._item(question)
        right = ATTRIBUTES.get(item.attribute, "none") if item else "none"
        single = schema and len(schema["properties"]["topic"]["enum"]) == 1
        told = f"is one of: {', '.join(TOPICS)}" in system or any(f'"{right}"' in shot for shot in shots)
        return right if "instruction" not in lacks or single or told else "none"


def _bare(question: str) -> str:
    return question.casefold().rstrip("?.! ")


def _lookup(question: str, item: Item | None, seen: str) -> str | None:
    """Find the value in the text: as the documents say it, or stated as `question: value.`."""
    stated = re.search(re.escape(question.rstrip("?. ")) + r": ([^.\n]+)\.", seen)
    written = re.search(rf"The {item.attribute} of {item.hut} is ([^.\n]+)\.", seen) if item else None
    found = stated or written
    return found[1] if found else None


SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "topic": {"type": "string", "enum": list(TOPICS)}},
    "required": ["answer", "topic"],
    "additionalProperties": False,
}

CONFIG = """\
name: huts
instructions: brief.md
golden: golden.jsonl
{examples}{knowledge}
models: {{answer: openai/scripted, reference: {reference}, embed: openai/hash, base_url: "{base_url}"}}
graders:
  - {{kind: schema, schema: answer.schema.json}}
  - {{kind: exact, field: answer}}
  - {{kind: choice, field: topic, choices: [{topics}]}}
targets: {{quality: 0.95}}
traffic: {{answers_per_day: 500}}
prices: prices.yaml
"""
FILLER = "On clear days hikers rest on the benches, look across the valley and speak about the long way down. "


def write_story(
    folder: Path,
    base_url: str,
    items: Sequence[Item] | None = None,
    *,
    long: bool = False,
    examples: bool = True,
    tables: bool = False,
    documents: bool = True,
    reference_model: str | None = None,
) -> Path:
    """Write the project. `long` documents are too long to be put into a prompt whole."""
    (folder / "docs").mkdir(parents=True)
    for hut in HUTS if documents else ():
        filler = FILLER * 5 if long else ""
        parts = [f"## {name.capitalize()}\n\n{sentence(hut, name)} {filler}\n" for name in ATTRIBUTES]
        (folder / "docs" / f"{hut.lower()}.md").write_text(f"# {hut}\n\n" + "\n".join(parts))
    config = CONFIG.format(
        base_url=base_url,
        reference=reference_model or "null",
        topics=", ".join(TOPICS),
        knowledge=f"knowledge: {{documents: docs/, access: access.yaml{', tables: ./tables.db' if tables else ''}}}"
        if documents
        else "",
        examples="examples: examples.jsonl\n" if examples else "",
    )
    (folder / "levers.yaml").write_text(config)
    (folder / "brief.md").write_text(f"Answer guests of our huts from our documents, else say `{NOT_THERE}`.\n")
    (folder / "prices.yaml").write_text("openai/scripted: {input: 0.1, output: 0.4}\n")
    (folder / "answer.schema.json").write_text(json.dumps(SCHEMA))
    groups = "groups:\n  staff: [mira]\n  guests: [ana]\n"
    (folder / "access.yaml").write_text(groups + f'rules:\n  - {{path: "{STAFF_HUT.lower()}.md", groups: [staff]}}\n')
    lines = [json.dumps(golden(item)) for item in (story_items() if items is None else items)]
    (folder / "golden.jsonl").write_text("\n".join(lines) + "\n")
    if examples:
        (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, _examples(documents))) + "\n")
    if tables:
        (folder / "tables.db").write_bytes(b"SQLite format 3\0")
    return folder


def _examples(documents: bool) -> list[dict[str, Any]]:
    """66 reviewed answers about facts that no golden case of the story asks for."""
    pairs = [(hut, attribute) for attribute in ATTRIBUTES for hut in HUTS if hut != STAFF_HUT]
    return [
        {
            "messages": [
                {"role": "user", "content": f"Please tell me the {attribute} of {hut}"},
                {
                    "role": "assistant",
                    "content": json.dumps({"answer": fact(hut, attribute), "topic": ATTRIBUTES[attribute]}),
                },
            ],
            "evidence": [reference(hut, attribute)] if documents else [],
        }
        for hut, attribute in pairs[44:]
    ]


class Story:
    """A project on disk and the server it asks. Use as a context manager; `asked` counts chat requests."""

    def __init__(self, folder: Path, items: Sequence[Item] | None = None, delay: float = 0.0, **options: Any) -> None:
        """Write the project into `folder`."""
        self.items = list(story_items() if items is None else items)
        if all(item.partition != "test" for item in self.items):
            self.items.append(Item("Juniper", "altitude", frozenset(), "test"))
        self.reader = Reader(self.items, delay)
        self.server = FakeServer(self.reader)
        self.folder = write_story(folder, self.server.base_url, self.items, **options)

    def __enter__(self) -> "Story":
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)

    @property
    def asked(self) -> int:
        """How many requests the server has had, embeddings included."""
        return len(self.server.requests)

    def rewrite(self, hut: str, attribute: str, value: str) -> None:
        """Change a fact in its document and in the golden answers that ask for it."""
        old = fact(hut, attribute)
        for path in (self.folder / "docs" / f"{hut.lower()}.md", self.folder / "golden.jsonl"):
            path.write_text(path.read_text().replace(old, value))
