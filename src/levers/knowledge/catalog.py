"""What an index version holds, beside its table: every file as it was read, who may read it, which segments count."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field

from levers.errors import LeversError, Problem
from levers.knowledge.access import Access
from levers.knowledge.records import Chunking, Head, Superseded
from levers.ledger import Record, digest, write_atomic

FORMAT = 2  # part of every digest: raise it when readers, chunks, the table or the search text change
NOBODY, EVERYBODY = 0, 1  # audiences that every index has
HEAD, LOCK = "head.json", "lock"
TABLE, WORDS = "table", "words"


class Kept(Record):
    """A file as the index holds it; without `head` it is one that could not be read.

    `size` and `modified` (ns) tell whether to look again; not `settled`, it was written so shortly before it was read
    that the clock may not show a second change. `groups` are those that decide, rules applied; `under` as in `chunk`.
    """

    name: str
    size: int
    modified: int
    settled: bool
    sha: str
    head: Head | None = None
    groups: tuple[str, ...] = ()
    current: bool = True
    chunks: int = 0
    under: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    note: str = ""


class State(Record):
    """An index version. `table` is the table's version, 0 without any chunk; `segments` are files of postings.

    `audiences` lists the groups behind each number in the table: 0 is nobody, 1 everybody. `rows` is above the highest
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
    files: tuple[Kept, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    problems: tuple[Problem, ...] = ()

    def readable(self, groups: frozenset[str]) -> frozenset[int]:
        """Return the audiences that members of these groups belong to."""
        theirs = (at for at, audience in enumerate(self.audiences) if at > EVERYBODY and groups & set(audience))
        return frozenset((EVERYBODY, *theirs))

    def named(self) -> "State":
        """Return the state with its digest: what it holds and who may read it, not how it came to be."""
        held = [(each.name, each.sha, each.groups, each.current) for each in self.files if each.head]
        return self.model_copy(update={"digest": digest([FORMAT, self.embedder, self.chunking, self.prefix, held])})


class Audiences:
    """Numbers for sets of groups; once given, a number keeps its meaning."""

    def __init__(self, known: Iterable[tuple[str, ...]]) -> None:
        """Start from the numbers given so far."""
        self.known = list(known)

    def number(self, groups: tuple[str, ...], current: bool = True) -> int:
        """Return the number of those who may find a document."""
        if not current:
            return NOBODY
        if not groups:
            return EVERYBODY
        if groups not in self.known[EVERYBODY + 1 :]:
            self.known.append(groups)
        return self.known.index(groups, EVERYBODY + 1)


def family(folder: Path, embedder: str, chunking: Chunking, prefix: str) -> Path:
    """Return the folder of all versions that share an embedder and a chunking: an edit costs what it changes."""
    return folder / digest([FORMAT, embedder, chunking, prefix], 12).removeprefix("sha256-")


def rules_digest(access: Access) -> str:
    """Name what decides about documents' groups: the rules and the groups' names, not who belongs to them."""
    return digest([[(rule.path, rule.groups) for rule in access.rules], sorted(access.groups)])


def read_state(path: Path) -> State | None:
    """Read a state; None when there is none that this version of levers can use."""
    try:
        return State.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


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


def revoked(state: State, access: Access) -> Mapping[str, tuple[str, ...]]:
    """Return the documents whose groups are others under the rules of now than in the index, with those of now."""
    if state.rules == rules_digest(access):
        return {}
    now = {each.name: access.groups_for(each.name, state.prefix, each.head.groups) for each in state.files if each.head}
    return {each.name: now[each.name] for each in state.files if each.head and now[each.name] != each.groups}
