"""Verbs of knowledge: search, index, watch, bench."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from levers.errors import LeversError, Problem, UserError
from levers.knowledge import Chunking, Index, Update
from levers.knowledge import purge as purge_indexes
from levers.knowledge.access import Access
from levers.knowledge.beir import Corpus, Judged, read_beir
from levers.knowledge.chunkings import ALL, Reached, Sought, compare_chunkings
from levers.knowledge.index import build_from
from levers.knowledge.measure import MODES, WHOLE, Measured, Way, measure
from levers.knowledge.watch import changes
from levers.ledger import digest
from levers.loop import Project
from levers.model import Embedder, open_embedder, open_reranker, open_sharpened
from levers.stack import Passage, Retrieve
from levers.stack.workshop import EMBEDDERS, INDEXES, IndexFinder, passage
from levers.task.text import refuse_halves
from levers.trial.bench import Progress, silent
from levers.tuning import Pair, SharpenRecipe
from levers.tuning import sharpen as tune
from levers.tuning import split as split_pairs
from levers.verbs.results import Indexed

PAUSE = 60.0  # seconds until a server that failed is asked again
AGAIN = "it is tried again in a minute, until then the index stays as it was"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def search(project: Project, query: str, user: str | None = None, k: int = 4) -> tuple[Passage, ...]:
    """Return what retrieval would bring this user for a query, best first; as the stack in use searches, if it does."""
    refuse_halves(query, "levers search", "QUERY")
    project.follow()
    index, part = _index(project), project.stack().part("retrieve")
    if isinstance(part, Retrieve):
        return IndexFinder(index).find([query], user, part.model_copy(update={"k": k}))[0]
    return tuple(passage(each) for each in index.search([query], users=[user], k=k)[0])


def index(project: Project, purge: bool = False) -> Indexed:
    """Bring the index up to date with the documents. `purge` removes all other versions, and deleted text with them."""
    found = project.refresh() or _index(project)
    took = found.updated or Update()
    if purge:
        purge_indexes(project.task.state / INDEXES, found.digest)
        found = project.refresh() or found
    return _indexed(project, found, took, purge)


def watch(project: Project, stop: Event | None = None) -> Iterator[Indexed]:
    """Bring the index up to date now and after every saved change, and yield each time; ends when `stop` is set.

    While the access rules cannot be understood (an editor may be in the middle of them), the index stays as it was and
    their problems are yielded with it; so is what a server says that cannot embed now, which is asked again after
    a minute.
    """
    material = project.task.config.knowledge
    beside = [project.task.root / material.access] if material.access else []
    seen = project.stamps()
    latest = index(project)
    yield latest
    for _ in changes(project.task.documents or project.task.root, beside, stop, seen):
        while True:
            try:
                latest = index(project)
                yield latest
                break
            except LeversError as error:
                mend = error.problems if isinstance(error, UserError) else _told(error)
                yield latest.model_copy(update={"update": Update(), "problems": mend, "lag": None})
                if isinstance(error, UserError) or (stop or Event()).wait(PAUSE):
                    break


def _told(error: LeversError) -> tuple[Problem, ...]:
    found, hint = str(error.args[0]), error.hint or AGAIN
    return (Problem(file="levers index", found=found, expected="passages embedded", hint=hint),)


def bench(
    folder: Path,
    split: str = "test",
    embed: str = "minilm",
    words: Sequence[int] = (),
    progress: Progress = silent,
    rerank: str | None = None,
    sharpen: str | None = None,
) -> list[Measured]:
    """Measure search on a data set in BEIR's form: BM25, dense and hybrid, for every chunk size in `words`.

    With `rerank`, a reranking model, hybrid search is measured reranked too. With `sharpen`, another split, a copy of
    minilm is tuned on its queries, and dense and hybrid search are measured with that as well. Without sizes each
    document is one chunk. Indexes are kept under `.levers/bench`, so a second run embeds nothing.
    Raises UserError with every problem of the folder's files.
    """
    judged = read_beir(folder, split)
    taught = _taught(folder, split, embed, sharpen)
    embedder = open_embedder(embed)
    state, show = _bench_folder(folder), partial(progress, "embed passages")
    sizes: list[Chunking | None] = [Chunking(words=each) for each in words]
    ways: list[Way] = [(mode, None) for mode in MODES]
    if rerank is not None:
        ways.append(("hybrid", open_reranker(rerank)))
    found: list[Measured] = []
    for size in sizes or [None]:
        found += measure(judged, embedder, state, size, ways, show)
        if taught is not None:
            index = build_from(Corpus(judged.corpus), "", Access(), embedder, state, size or WHOLE, show)
            tuned = _sharpened(taught, index, state, partial(progress, "sharpen"))
            found += measure(judged, embedder, state, size, [("dense", None), ("hybrid", None)], show, tuned)
    return found


def _taught(folder: Path, split: str, embed: str, sharpen: str | None) -> Judged | None:
    if sharpen is None:
        return None
    if embed != "minilm" or sharpen == split:
        found, expected = f"--sharpen {sharpen} --embed {embed}", f"minilm, and another split than {split}"
        raise UserError(Problem(file="levers bench", found=found, expected=expected))
    return read_beir(folder, sharpen)


def _sharpened(taught: Judged, index: Index, state: Path, on_step: Callable[[int, int], None]) -> Embedder:
    """Tune minilm on a split's queries, every tenth held out to choose the epoch."""
    places: dict[str, list[int]] = {}
    for place, chunk in enumerate(index.chunks()):
        places.setdefault(chunk.document, []).append(place)
    pairs = [
        Pair(question=taught.queries[name], passages=tuple(place for each in graded for place in places.get(each, ())))
        for name, graded in taught.grades.items()
        if any(each in places for each in graded)
    ]
    done = tune("minilm", split_pairs(pairs), index.vectors(), SharpenRecipe(), state / EMBEDDERS, on_step)
    return open_sharpened(done.embedder) if done.best_epoch else open_embedder("minilm")


def bench_chunkings(
    folder: Path,
    split: str = "test",
    embed: str = "minilm",
    progress: Progress = silent,
    rerank: str | None = None,
    k: int = 5,
) -> list[Reached]:
    """Measure every way of cutting documents on a data set whose qrels name answering characters, best first.

    Hybrid search, reranked with `rerank`; `k` passages count. Raises UserError when the set names no characters.
    """
    judged = read_beir(folder, split)
    asked = [Sought(query=judged.queries[name], spans=spans) for name, spans in judged.spans.items()]
    if not asked:
        expected = "document ids that end in #<start>-<end>, the characters that answer"
        raise UserError(Problem(file=f"qrels/{split}.tsv", found="whole documents", expected=expected))
    embedder, corpus = open_embedder(embed), Corpus(judged.corpus)
    reranker = open_reranker(rerank) if rerank is not None else None
    state, show = _bench_folder(folder), partial(progress, "embed passages")

    def build_with(chunking: Chunking) -> Index:
        return build_from(corpus, "", Access(), embedder, state, chunking, show).reranked(reranker)

    return compare_chunkings(asked, build_with, ALL, k)


def _bench_folder(folder: Path) -> Path:
    return Path(".levers") / "bench" / digest([str(folder.resolve())], 12)


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
    index = project.index_for(project.stack())
    if index is None:
        raise UserError(Problem(file="levers.yaml", field="knowledge.documents", expected="documents to search"))
    return index
