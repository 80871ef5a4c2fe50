"""Choose how documents are cut: every way is measured on dev, at the same length of prompt."""

from typing import Literal, NamedTuple

from levers.knowledge import Chunking, Found, Index
from levers.knowledge.chunk import size
from levers.knowledge.chunkings import ALL, Reached, Sought, Span, compare_chunkings
from levers.knowledge.records import Mode
from levers.lever.situation import Situation
from levers.task.references import split_reference
from levers.trial.statistics import holm, permutation_p

Wanted = Literal[
    "keep",
    "structure 160",
    "structure 80",
    "structure 320",
    "sentence 60",
    "sentence 40 in 160",
    "fixed 120 over 30",
    "document",
]  # what a pull can name: the present chunking, or the label of one of ALL
LEAST_ASKED = 20  # dev questions that name evidence; fewer tell chunkings apart by chance only
MOST_PASSAGES = 20_000  # more are not embedded once for every chunking; --set chunking=… still builds the one named
SHOWN = 4  # passages of the present chunking whose words are the budget of all
ALPHA = 0.05


class Cut(NamedTuple):
    """What is searched from now on, and what to tell about how it was chosen."""

    searched: Index
    notes: tuple[str, ...]


def cut(situation: Situation, index: Index, wanted: Wanted | None, mode: Mode, rerank: bool) -> Cut:
    """Return the index of the chunking that finds most evidence on dev; the present one unless another is decisive.

    `wanted` names one chunking to take, or "keep".
    """
    if wanted == "keep":
        return Cut(index, ())
    if wanted is not None:
        return Cut(_build(situation, next(each for each in ALL if each.label == wanted)), ())
    asked = _sought(situation, index)
    if situation.stack.part("retrieve") or situation.documents is None:
        return Cut(index, ())
    if len(asked) < LEAST_ASKED or index.size > MOST_PASSAGES:
        few = f"{len(asked)} dev questions name evidence, {LEAST_ASKED} are the least"
        many = f"{index.size:,} passages; --set chunking=LABEL builds one"
        why = few if len(asked) < LEAST_ASKED else many
        return Cut(index, (f"chunkings were not compared: {why}",))
    built: dict[Chunking, Index] = {}

    def build_with(chunking: Chunking) -> Index:
        built[chunking] = _build(situation, chunking)
        return built[chunking] if rerank else built[chunking].reranked(None)

    chunks = index.chunks()
    budget = SHOWN * sum(size(each.text) for each in chunks) / max(len(chunks), 1)
    offered = [each for each in ALL if each.kind != "document" or not index.access.narrows]
    found = compare_chunkings(asked, build_with, offered, budget=budget, mode=mode)
    chosen, notes = _choose(found, budget)
    if len(offered) < len(ALL):
        notes += (f"chunking document was not compared: {index.access.file} narrows sections, and it cuts none",)
    return Cut(built[chosen], notes)


def _choose(found: list[Reached], budget: float) -> tuple[Chunking, tuple[str, ...]]:
    """Return the best chunking if it is decisively better than the default, else the default; with a note for each."""
    usual = next(each for each in found if each.chunking == Chunking())
    others = [each for each in found if each is not usual]
    differences = [[a - b for a, b in zip(each.shares, usual.shares, strict=True)] for each in others]
    chances = dict(
        zip((each.chunking for each in others), holm([permutation_p(each) for each in differences]), strict=True)
    )
    best = found[0]
    chosen = best if best is usual or chances[best.chunking] < ALPHA else usual
    notes = []
    for each in found:
        against = f", {each.recall - usual.recall:+.3f}, p = {chances[each.chunking]:.2g}" if each is not usual else ""
        mark = " (chosen)" if each is chosen else ""
        label = f"chunking {each.chunking.label}: {each.recall:.3f} of the evidence in about {budget:.0f} words"
        notes.append(f"{label}, {each.chunks:,} passages{against}{mark}")
    return chosen.chunking, tuple(notes)


def _sought(situation: Situation, index: Index) -> list[Sought]:
    """Return the dev questions that name evidence, with the characters that it spans."""
    found = []
    for case in situation.bench.task.partition("dev"):
        spans = [_span(index.section(*split_reference(reference))) for reference in case.evidence]
        if held := tuple(span for span in spans if span is not None):
            found.append(Sought(query=case.question, spans=held, user=case.user))
    return found


def _span(pieces: list[Found]) -> Span | None:
    if not pieces:
        return None
    return pieces[0].document, min(each.start for each in pieces), max(each.end for each in pieces)


def _build(situation: Situation, chunking: Chunking) -> Index:
    documents = situation.documents
    assert documents is not None
    prefix = situation.bench.task.config.knowledge.documents or ""
    return situation.workshop.build(
        documents, prefix, lambda *now: situation.bench.progress("embed passages", *now), chunking
    )
