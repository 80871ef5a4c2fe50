"""Verbs of knowledge: search, index, watch, bench."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from levers.errors import Problem, UserError
from levers.knowledge import Chunking, Index, Update
from levers.knowledge import purge as purge_indexes
from levers.knowledge.beir import read_beir
from levers.knowledge.measure import MODES, Measured, Way, measure
from levers.knowledge.watch import changes
from levers.ledger import digest
from levers.loop import Project
from levers.model import open_embedder, open_reranker
from levers.stack import Passage
from levers.stack.workshop import INDEXES, passage
from levers.trial.bench import Progress, silent
from levers.verbs.results import Indexed

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def search(project: Project, query: str, user: str | None = None, k: int = 4) -> tuple[Passage, ...]:
    """Return what retrieval would bring this user for a query, best first."""
    index = _index(project)
    found = index.search([query], users=[user], k=k)[0]
    return tuple(passage(each) for each in found)


def index(project: Project, purge: bool = False) -> Indexed:
    """Bring the index up to date with the documents. `purge` removes all other versions, and deleted text with them."""
    found = project.refresh() or _index(project)
    took = found.updated or Update()
    if purge:
        purge_indexes(project.task.state / INDEXES, found.digest)
        found = project.refresh() or found
    return _indexed(project, found, took, purge)


def watch(project: Project, stop: Event | None = None) -> Iterator[Indexed]:
    """Bring the index up to date now and after every saved change, and yield each time; ends when `stop` is set."""
    yield index(project)
    material = project.task.config.knowledge
    beside = [project.task.root / material.access] if material.access else []
    for _ in changes(project.task.documents or project.task.root, beside, stop):
        yield index(project)


def bench(
    folder: Path,
    split: str = "test",
    embed: str = "minilm",
    words: Sequence[int] = (),
    progress: Progress = silent,
    rerank: str | None = None,
) -> list[Measured]:
    """Measure search on a data set in BEIR's form: BM25, dense and hybrid, for every chunk size in `words`.

    With `rerank`, a reranking model, hybrid search is measured reranked too. Without sizes each document is one chunk.
    Indexes are kept under `.levers/bench`, so a second run embeds nothing.
    Raises UserError with every problem of the folder's files.
    """
    judged = read_beir(folder, split)
    embedder = open_embedder(embed)
    state = Path(".levers") / "bench" / digest([str(folder.resolve())], 12)
    sizes: list[Chunking | None] = [Chunking(words=each) for each in words]
    show = partial(progress, "embed passages")
    ways: list[Way] = [(mode, None) for mode in MODES]
    if rerank is not None:
        ways.append(("hybrid", open_reranker(rerank)))
    return [row for size in sizes or [None] for row in measure(judged, embedder, state, size, ways, show)]


def _indexed(project: Project, found: Index, took: Update, purged: bool) -> Indexed:
    wanted = project.task.config.targets.freshness
    return Indexed(
        digest=found.digest,
        documents=len(found.documents),
        passages=found.size,
        update=took,
        problems=found.problems,
        notes=found.notes,
        lag=took.lag,
        wanted=float(wanted[:-1]) * _SECONDS[wanted[-1]] if wanted else None,
        purged=purged,
    )


def _index(project: Project) -> Index:
    if project.index is None:
        raise UserError(Problem(file="levers.yaml", field="knowledge.documents", expected="documents to search"))
    return project.index
