"""retrieve: find the passages a question needs and put them before it (RAG)."""

from typing import Any, Literal

from pydantic import Field

from levers.diagnosis import ProbeName
from levers.economics import CostFigure, latency, threshold
from levers.errors import Problem, UserError
from levers.knowledge import Index
from levers.ledger import Record
from levers.lever.cutting import Wanted, cut
from levers.lever.figures import Terms, quote, tokens
from levers.lever.inline import overkill
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import Variant, climb, parse
from levers.plan import Quote
from levers.stack import Retrieve, Stack

TRIED = (1, 2, 4)


class Settings(Record):
    """How many passages; None goes up from 1 to 4 while dev gains. `mode`: BM25 and dense fused, or one of them.

    `rerank`: let the reranker that the project names put the first passages in order. `hops`: 2 lets the first passages
    ask again, for questions that need two. `rewrites`: so many other wordings of the question, written by the answering
    model, are searched too; for conversations, and words that documents do not use. `words`: the most that the passages
    of a question hold together. `chunking`: how documents are cut, by its label; None compares all of them on dev where
    the stack does not retrieve yet, "keep" compares none. Of a stack that retrieves, what is not set stays.
    """

    k: int | None = Field(default=None, ge=1, le=20)
    mode: Literal["hybrid", "bm25", "dense"] = "hybrid"
    rerank: bool = True
    hops: int = Field(default=1, ge=1, le=2)
    rewrites: int = Field(default=0, ge=0, le=4)
    words: int | None = Field(default=None, ge=20)
    chunking: Wanted | None = None


class RetrieveLever:
    """Gives every question its passages, under the asking user's rights."""

    name = "retrieve"
    probes: tuple[ProbeName, ...] = ("knowledge",)
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ("documents",)

    def quote(self, situation: Situation) -> Quote:
        """Quote from the knowledge probe, which hands over exactly the evidence: perfect retrieval."""
        index = situation.index()
        chunks = index.chunks() if index else []
        mean = sum(tokens(each.text) for each in chunks) / max(len(chunks), 1)
        reference = latency("retrieval, added")
        source = f"{reference.source}: {reference.about}"
        added_ms: CostFigure | None = CostFigure(value=reference.low, unit="ms", provenance="assumed", source=source)
        part, settings = situation.stack.part("retrieve"), _next_settings(situation)
        more: int = settings.get("k", max(TRIED))
        once: CostFigure | None = None
        if isinstance(part, Retrieve):  # the search is built and paid for: what changes is how much it shows
            more -= part.k
            once = CostFigure(value=0.0, provenance="assumed", source="nothing to build: this stack retrieves already")
            added_ms = None
        terms = Terms(
            answers="knowledge, retrieval",
            settings=settings,
            added_tokens=more * mean,
            project="retrieval",
            effort="hours",
            freshness="as of the last index; a saved document is found after the next pull",
            added_ms=added_ms,
            one_time=once,
            blocked=_blocked(situation, bool(chunks)),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Index the documents and add the passages of each question to its prompt."""
        chosen = parse(Settings, self.name, settings)
        index = situation.index()
        if index is None or not index.chunks():
            raise UserError(
                Problem(file="levers.yaml", field="knowledge.documents", expected="documents to retrieve from")
            )
        index, cuts = cut(situation, index, chosen.chunking, chosen.mode, chosen.rerank)
        counts = TRIED if chosen.k is None else (chosen.k,)
        bare = situation.stack.without("inline")  # passages take the place of whole documents
        part = _part(situation.stack, index, chosen)
        variants: list[Variant] = [(f"k={k}", bare.with_part(part.model_copy(update={"k": k}))) for k in counts]
        stack, notes = climb(situation, self.name, variants)
        k = next(each.k for each in stack.parts if isinstance(each, Retrieve))
        documents = {each.document for each in index.chunks()}
        how = f"{part.mode} search, reranked" if part.rerank else f"{part.mode} search"
        changed = f"{k} passage{'s come' if k > 1 else ' comes'} before each question ({how})"
        material = f"{len(documents)} documents, {len(index.chunks())} passages, index {index.digest}"
        return Pulled(stack=stack, changed=changed, material=material, notes=(*cuts, *notes))


def _part(stack: Stack, index: Index, chosen: Settings) -> Retrieve:
    """Return what to retrieve from this index: as the stack does already, but for what this pull sets."""
    before = stack.part("retrieve")
    known = before if isinstance(before, Retrieve) else None
    told = chosen.model_dump(include={"mode", "hops", "rewrites", "words"}, exclude_unset=known is not None)
    reranked = known.rerank is not None if known and "rerank" not in chosen.model_fields_set else chosen.rerank
    reranker = index.reranker.id if index.reranker and reranked else None
    part = known or Retrieve(index=index.digest)
    return part.model_copy(update={**told, "index": index.digest, "rerank": reranker})


def _next_settings(situation: Situation) -> dict[str, Any]:
    """Return the pull to quote: all sizes first; then more passages when evidence is buried, fewer when drowned."""
    part = situation.stack.part("retrieve")
    if not isinstance(part, Retrieve):
        return {}
    details = [need.detail for case in situation.diagnosis.cases for need in case.needs if need.name == "retrieval"]
    buried = details.count("buried")
    crowded = sum(detail in {"drowned", "middle", "stale"} for detail in details)
    if buried > crowded:
        return {"k": part.k + 2}
    if crowded > buried and part.k > 1:
        return {"k": part.k - 1}
    return {"k": part.k}


def _blocked(situation: Situation, documents: bool) -> str:
    task = situation.bench.task
    if not documents:
        return "the project has no documents to search"
    part = situation.stack.part("retrieve")
    if isinstance(part, Retrieve) and _next_settings(situation) == {"k": part.k}:
        return "pulled already; what search still misses wants a better index or embedder, not the same pull again"
    budget = threshold("retrieval latency budget")
    if task.config.targets.p95_ms is not None and task.config.targets.p95_ms < budget.low:
        return f"retrieval does not fit a latency target under {budget.low:.0f} ms ({budget.source})"
    return overkill(situation)
