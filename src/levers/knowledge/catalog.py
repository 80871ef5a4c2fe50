"""What an index version holds, beside its table: every file as it was read, who may read it, which segments count."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from levers.errors import LeversError, Problem
from levers.knowledge.access import Access, Outline, Rule
from levers.knowledge.records import Chunking, Head, Superseded
from levers.ledger import Record, digest, write_atomic

FORMAT = 9  # part of every digest: raise it when readers, chunks, the table or the search text change
NOBODY, EVERYBODY = 0, 1  # audiences that every index has
_RULES = 3  # raise it when rules come to cover others: they are applied anew to indexes of before
HEAD, LOCK = "head.json", "lock"
TABLE, WORDS = "table", "words"


class Kept(Record):
    """A file as the index holds it; without `head` it is one that could not be read.

    `size`, `modified` and `changed` (ns: of the content, of the file's entry) tell whether to look again; `changed` is
    None where the source has no such time, and in a state from before it was kept. Not `settled`, the file was written
    so shortly before it was read that the clock may not show a second change. `groups` are those that decide, rules
    applied; `under` as in `chunk`.
    `outline` is None in an index from before there were rules for sections; `narrowed` holds such sections' groups.
    """

    name: str
    size: int
    modified: int
    changed: int | None = None
    settled: bool
    sha: str
    head: Head | None = None
    groups: tuple[str, ...] = ()
    current: bool = True
    chunks: int = 0
    under: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    outline: Outline | None = None
    narrowed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    note: str = ""


class State(Record):
    """An index version. `table` is the table's version, 0 without any chunk; `segments` are files of postings.

    `audiences` lists the groups behind each number in the table: 0 is nobody, 1 everybody. `narrow` lists beside them
    the groups of which a reader must be in one as well, where a section is narrowed. `rows` is above the highest
    row number ever given. `digest` names the version by its content; empty while it is being written.
    """

    digest: str = ""
    embedder: str
    chunking: Chunking
    prefix: str
    rules: str = ""
    table: int = 0
    rows: int = 0
    segments: tuple[str, ...] = ()
    audiences: tuple[tuple[str, ...], ...] = ((), ())
    narrow: tuple[tuple[str, ...], ...] = ()
    files: tuple[Kept, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    problems: tuple[Problem, ...] = ()

    def readable(self, groups: frozenset[str]) -> frozenset[int]:
        """Return the audiences that members of these groups belong to."""
        narrow = (*self.narrow, *((),) * (len(self.audiences) - len(self.narrow)))
        theirs = (
            at
            for at, (audience, narrower) in enumerate(zip(self.audiences, narrow, strict=True))
            if at > EVERYBODY and belongs(groups, audience) and belongs(groups, narrower)
        )
        return frozenset((EVERYBODY, *theirs))

    def named(self) -> "State":
        """Return the state with its digest: what it holds and who may read it, not how it came to be."""
        held = [
            (each.name, each.sha, each.groups, each.current, *([each.narrowed] if each.narrowed else []))
            for each in self.files
            if each.head
        ]
        return self.model_copy(update={"digest": digest([FORMAT, self.embedder, self.chunking, self.prefix, held])})


def belongs(groups: frozenset[str], audience: Collection[str]) -> bool:
    """Tell whether a member of these groups belongs to an audience; an empty one is everybody."""
    return not audience or not groups.isdisjoint(audience)


class Audiences:
    """Numbers for sets of groups; once given, a number keeps its meaning."""

    def __init__(self, state: State) -> None:
        """Start from the numbers given so far."""
        self.known = list(state.audiences)
        self.narrow = [*state.narrow, *([()] * (len(state.audiences) - len(state.narrow)))]

    def number(self, groups: tuple[str, ...], current: bool = True, narrower: tuple[str, ...] = ()) -> int:
        """Return the number of those who may find a passage: in one of `groups`, and in one of `narrower`."""
        if not current:
            return NOBODY
        if not groups and not narrower:
            return EVERYBODY
        pairs = list(zip(self.known, self.narrow, strict=True))
        if (groups, narrower) not in pairs[EVERYBODY + 1 :]:
            self.known.append(groups)
            self.narrow.append(narrower)
            return len(self.known) - 1
        return pairs.index((groups, narrower), EVERYBODY + 1)


def family(folder: Path, embedder: str, chunking: Chunking, prefix: str) -> Path:
    """Return the folder of all versions that share an embedder and a chunking: an edit costs what it changes."""
    return folder / digest([FORMAT, embedder, chunking, prefix], 12).removeprefix("sha256-")


def rules_digest(access: Access) -> str:
    """Name what decides about documents' groups: the rules and the groups' names, not who belongs to them."""
    meaning = [_RULES] if access.rules else []
    return digest([[_named(rule) for rule in access.rules], sorted(access.groups), *meaning])


def _named(rule: Rule) -> tuple[object, ...]:
    """Return a rule as a digest names it; one whose `#` belongs to a folder once meant a section."""
    once = tuple(rule.path.split("#", 1))
    now = (rule.document,) if rule.section is None else (rule.document, rule.section)
    return (rule.path, rule.groups) if now == once else (rule.path, rule.groups, now)


def read_state(path: Path) -> State | None:
    """Read a state; None when there is none that this version of levers can use."""
    try:
        return State.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def latest_state(home: Path) -> State | None:
    """Return the newest published version of a family, to go on from where its head is damaged or lost."""
    states = (read_state(path) for path in home.glob("sha256-*.json"))
    return max((each for each in states if each), key=lambda each: (each.table, each.rows), default=None)


def write_state(path: Path, state: State) -> None:
    """Write a state whole or not at all."""
    write_atomic(path, state.model_dump_json())


def find_state(folder: Path, name: str) -> tuple[Path, State]:
    """Return the family and state of the version of that digest. Raises LeversError when it is not there."""
    if re.fullmatch(r"[\w-]+", name):
        for path in sorted(folder.glob(f"*/{name}.json")):
            state = read_state(path)
            if state is not None:
                return path.parent, state
    raise LeversError(f"there is no index {name}", "build it again: the documents changed or it was deleted")


class Revoked(NamedTuple):
    """What is for other groups under the rules of now than in the index, with those of now.

    Documents by id; sections by document and slug. A document that is for nobody any more has no reader at all.
    """

    documents: Mapping[str, tuple[str, ...]]
    sections: Mapping[tuple[str, str], tuple[str, ...]]
    hidden: frozenset[str] = frozenset()

    def closed(self, groups: frozenset[str]) -> frozenset[str]:
        """Return the documents that members of these groups may not find any more."""
        return frozenset(name for name, now in self.documents.items() if not belongs(groups, now)) | self.hidden

    def closed_sections(self, groups: frozenset[str]) -> frozenset[tuple[str, str]]:
        """Return the sections that members of these groups may not find any more."""
        return frozenset(place for place, now in self.sections.items() if not belongs(groups, now))


def revoked(state: State, access: Access) -> Revoked:
    """Compare the rules of now with those of the index.

    Where sections are narrowed and an index does not know a document's outline, the document is hidden until it is
    read again.
    """
    if state.rules == rules_digest(access):
        return Revoked({}, {})
    documents: dict[str, tuple[str, ...]] = {}
    places: dict[tuple[str, str], tuple[str, ...]] = {}
    hidden = set()
    for each in state.files:
        if each.head is None:
            continue
        now = access.groups_for(each.name, state.prefix, each.head.groups)
        if now != each.groups:
            documents[each.name] = now
        if access.narrows and (each.outline is None or state.chunking.kind == "document"):
            hidden.add(each.name)
            continue
        narrowed = access.sections_for(each.name, state.prefix, each.outline or ())
        places |= {(each.name, slug): groups for slug, groups in narrowed.items() if each.narrowed.get(slug) != groups}
    return Revoked(documents, places, frozenset(hidden))
