"""sharpen: tune the embedder on pairs of question and evidence, so that search ranks the right passage first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from levers.diagnosis import ProbeName
from levers.errors import Problem, UserError
from levers.knowledge import Found, Index, twins
from levers.knowledge.measure import Asked, evidence_ranks, mean_reciprocal
from levers.ledger import Record
from levers.lever.figures import Terms, gate_check, quote
from levers.lever.gates import guard
from levers.lever.questions import write_questions
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import parse
from levers.plan import Quote
from levers.stack import Retrieve
from levers.stack.workshop import EMBEDDERS, as_in
from levers.task.references import split_reference
from levers.tuning import Finding, Pair, Sharpened, SharpenRecipe, sharpen, split

BASE = "minilm"
LEAST_PAIRS = 200  # its held-out tenth, 20 questions, is the least that tells an epoch from chance
ALIKE = 0.9  # cosine from which a passage is looked at as a possible near-duplicate of the evidence


class Settings(Record):
    """The recipe's dials; what is None keeps the recipe's own default. `questions` has so many written a passage."""

    learning_rate: float | None = Field(default=None, gt=0)
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, gt=0)
    seed: int | None = None
    questions: int | None = Field(default=None, ge=1, le=5)


class SharpenLever:
    """Teaches the embedder how this project's users ask; the documents and their rights stay what they are."""

    name = "sharpen"
    probes: tuple[ProbeName, ...] = ("knowledge",)
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ("documents",)

    def quote(self, situation: Situation) -> Quote:
        """Quote from the knowledge probe: where the stack retrieves, what it cures are failures of retrieval."""
        examples = situation.bench.task.examples
        out = _left_out(situation) if examples else {}
        have = sum(bool(example.evidence) and example.line not in out for example in examples)
        terms = Terms(
            answers="retrieval",
            settings={},
            project="embedding tuning",
            effort="days to weeks",
            freshness="follows the index; tune again when users ask in new words",
            gates=(gate_check("embedding tuning", have),),
            blocked=_blocked(situation),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Tune on the examples' evidence, index again, and search with what came out if held-out questions agree."""
        chosen = parse(Settings, self.name, settings)
        part, index = _searched(situation)
        reviewed, vectors, notes = _pairs(situation, index)
        pairs = reviewed
        if chosen.questions:
            written, told = _written_pairs(situation, index, vectors, chosen.questions)
            pairs, notes = [*reviewed, *written], (*notes, *told)
        if len(pairs) < LEAST_PAIRS:
            found, expected = f"{len(pairs)} usable pairs of question and evidence", f"at least {LEAST_PAIRS}"
            hint = (
                'give more examples "evidence": ["docs/file.md#section"], or have questions written: --set questions=2'
            )
            where = situation.bench.task.config.examples or "levers.yaml"
            raise UserError(Problem(file=where, field="evidence", found=found, expected=expected, hint=hint))
        recipe = SharpenRecipe(**chosen.model_dump(exclude_none=True, exclude={"questions"}))
        folder = situation.workshop.state / EMBEDDERS
        material = split(pairs)
        done = sharpen(BASE, material, vectors, recipe, folder, lambda *now: situation.bench.progress("sharpen", *now))
        notes += (_history(done),)
        used = f"{done.pairs} pairs to learn from, {len(material.decide)} held out; {len(reviewed)} of them reviewed"
        if not done.best_epoch:
            return Pulled(stack=situation.stack, changed="nothing: no epoch ranks better", material=used, notes=notes)
        sharp = _index_again(situation, done.embedder.name)
        compared = _compare(situation, part, (index, sharp), material.decide)
        notes += compared.notes
        if compared.part is None:
            return Pulled(stack=situation.stack, changed=f"nothing: {compared.why}", material=used, notes=notes)
        stack = situation.stack.with_part(compared.part)
        changed = f"questions are embedded by {done.embedder.name}, tuned for {done.best_epoch} epochs"
        return Pulled(stack=stack, changed=changed, material=f"{used}; index {sharp.digest}", notes=notes)


class _Compared(Record):
    """The retrieve part to go on with, None where sharpening brought nothing, and why."""

    part: Retrieve | None
    notes: tuple[str, ...]
    why: str = ""


def _compare(situation: Situation, part: Retrieve, indexes: tuple[Index, Index], held_out: Sequence[Pair]) -> _Compared:
    """Search with the old index and the sharpened one, reranked and not; both held-out pairs and dev must gain.

    In as many hops as the stack; by the question alone, since other wordings cost a call each.
    """
    old, sharp = indexes
    task = situation.bench.task
    evidence = {each.line: each.evidence for each in task.examples}
    passages = old.chunks()
    asked = _asked(sharp, [(each.question, evidence.get(each.line) or _places(each, passages)) for each in held_out])
    dev = [
        Asked(query=case.question, sections=tuple(map(split_reference, case.evidence)), user=case.user)
        for case in task.partition("dev")
        if case.evidence
    ]
    new = part.model_copy(update={"index": sharp.digest})
    ways = [new.model_copy(update={"rerank": sharp.reranker.id}), new] if part.rerank and sharp.reranker else [new]
    if part.rerank:
        ways[-1] = new.model_copy(update={"rerank": None})
    before = evidence_ranks(as_in(old, part), asked, part.mode, part.hops)
    notes = [f"held-out questions, {part.mode} search as it was: {_figures(before)}"]
    tried = [evidence_ranks(as_in(sharp, way), asked, part.mode, part.hops) for way in ways]
    for way, ranks in zip(ways, tried, strict=True):
        notes.append(f"sharpened, {'reranked' if way.rerank else 'not reranked'}: {_figures(ranks)}")
    best = max(range(len(ways)), key=lambda place: mean_reciprocal(tried[place]))
    if mean_reciprocal(tried[best]) <= mean_reciprocal(before):
        return _Compared(part=None, notes=tuple(notes), why=f"{part.mode} search ranks held-out questions no better")
    was, now = (
        evidence_ranks(each, dev, part.mode, part.hops) for each in (as_in(old, part), as_in(sharp, ways[best]))
    )
    notes.append(f"dev questions: {_figures(was)} as it was; {_figures(now)} sharpened")
    if dev and mean_reciprocal(now) <= mean_reciprocal(was):
        return _Compared(part=None, notes=tuple(notes), why="dev questions rank no better")
    return _Compared(part=ways[best], notes=tuple(notes))


def _blocked(situation: Situation) -> str:
    part = situation.stack.part("retrieve")
    if not isinstance(part, Retrieve):
        return "the stack does not retrieve: there is no search to sharpen"
    if part.mode == "bm25":
        return "search goes by words alone (bm25); no embedder takes part"
    embed = situation.bench.task.config.models.embed
    if embed != BASE:
        return f"only {BASE} can be sharpened so far; models.embed is {embed}"
    if situation.workshop.made_with(part.index)[0]:
        return "sharpened already; more or better pairs would have to come first"
    return ""


def _searched(situation: Situation) -> tuple[Retrieve, Index]:
    """Return the retrieve part and the index of the documents as they are now, or say what is in the way."""
    blocked, index, part = _blocked(situation), situation.index(), situation.stack.part("retrieve")
    if blocked or index is None or not isinstance(part, Retrieve):
        expected = "a stack that retrieves with minilm, not sharpened yet"
        raise UserError(Problem(file="levers pull sharpen", field="STACK", found=blocked, expected=expected))
    return part, index


def _left_out(situation: Situation) -> dict[int, Finding]:
    """Return what the guards found in the examples that make no pair, by line."""
    return {each.line: each for each in guard(situation).of("empty", "duplicate", "leak")}


def _pairs(situation: Situation, index: Index) -> tuple[list[Pair], NDArray[np.float32], tuple[str, ...]]:
    """Turn examples into pairs, with the vectors of all passages; name what is left out. No golden case takes part."""
    task = situation.bench.task
    out = _left_out(situation)
    notes = [f"line {line} left out: {each.kind}, {each.detail}" for line, each in sorted(out.items())]
    passages = index.chunks()
    places = {(each.document, each.start): place for place, each in enumerate(passages)}
    vectors = index.vectors()
    pairs = []
    for example in task.examples:
        if example.line in out or not example.evidence:
            continue
        held = [found for reference in example.evidence for found in index.section(*split_reference(reference))]
        right = tuple(sorted({places[key] for each in held if (key := (each.document, each.start)) in places}))
        if not right:
            notes.append(f"line {example.line} left out: its evidence is not among the passages of now")
            continue
        alike = _alike(right, passages, vectors)
        pairs.append(Pair(question=example.question, passages=right, alike=alike, line=example.line))
    return pairs, vectors, tuple(notes)


def _written_pairs(
    situation: Situation, index: Index, vectors: NDArray[np.float32], count: int
) -> tuple[list[Pair], tuple[str, ...]]:
    """Have questions written, and turn them into pairs; they stand on no line."""
    written = write_questions(situation, index, count)
    passages = index.chunks()
    places = {(each.document, each.start): place for place, each in enumerate(passages)}
    right = [(each.question, (places[each.passage.document, each.passage.start],)) for each in written.questions]
    pairs = [Pair(question=text, passages=own, alike=_alike(own, passages, vectors)) for text, own in right]
    return pairs, written.notes


def _places(pair: Pair, passages: Sequence[Found]) -> tuple[str, ...]:
    """Return where the passages of a pair stand, as evidence is named."""
    return tuple(dict.fromkeys(passages[place].reference for place in pair.passages))


def _alike(right: tuple[int, ...], passages: Sequence[Found], vectors: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the places of passages elsewhere that say the same as the evidence: search would show either."""
    near = np.flatnonzero((vectors @ vectors[list(right)].T).max(axis=1) >= ALIKE)
    others = [int(place) for place in near if int(place) not in right]
    return tuple(place for place in others if any(twins(passages[place], passages[each]) for each in right))


def _index_again(situation: Situation, name: str) -> Index:
    documents, part = situation.documents, situation.stack.part("retrieve")
    if documents is None or not isinstance(part, Retrieve):
        raise UserError(Problem(file="levers.yaml", field="knowledge.documents", expected="documents to search"))
    prefix = situation.bench.task.config.knowledge.documents or ""
    chunking = situation.workshop.made_with(part.index)[1]
    return situation.workshop.build(documents, prefix, chunking=chunking, sharpened=name)


def _asked(index: Index, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[Asked]:
    """Return held-out pairs as somebody asks them who may read the evidence."""
    users = (None, *sorted(index.access.users))
    found = []
    for question, evidence in pairs:
        sections = tuple(map(split_reference, evidence))
        able = (user for user in users if all(index.may_read(each, user) for each in evidence))
        found.append(Asked(query=question, sections=sections, user=next(able, None)))
    return found


def _figures(ranks: Sequence[int | None]) -> str:
    first, five = (sum(rank is not None and rank <= k for rank in ranks) for k in (1, 5))
    return f"{first} of {len(ranks)} first, {five} among five, mean reciprocal rank {mean_reciprocal(ranks):.3f}"


def _history(done: Sharpened) -> str:
    shown = ", ".join(f"{each.rank:.3f}" for each in done.held_out)
    return f"held-out mean reciprocal rank by vectors alone, untuned first, then per epoch: {shown}"
