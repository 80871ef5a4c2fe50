"""Facts that the named evidence does not hold: search all documents for them, else state the fact itself, and see."""

from collections.abc import Iterator, Mapping, Sequence

from levers.diagnosis.arrange import same_place
from levers.diagnosis.climb import ALL, LADDER, climb, prune
from levers.diagnosis.probes import Passages, answer_label, evidence_of, expected_texts, holds_answer, stated
from levers.diagnosis.records import Need
from levers.diagnosis.runs import NOTHING, Probes, Runs
from levers.diagnosis.verdict import PLAIN
from levers.stack import Passage
from levers.task.records import DevCase
from levers.trial.records import Outcome

TRIED = 5  # passages that hold an accepted answer, the likest to the question first
WITH_FACTS = tuple(probes for probes in LADDER if "knowledge" in probes)
_STATED = "the expected fact stated"


def elsewhere(runs: Runs, cases: Sequence[DevCase]) -> dict[str, tuple[Need, ...]]:
    """Return the needs of cases that pass with a fact from elsewhere; the others are absent.

    A case whose evidence holds no accepted answer is told the fact itself. For a case that names no evidence every
    passage its user may read is looked through for an accepted answer, and the likest are handed over one by one.
    """
    found: dict[str, tuple[Need, ...]] = {}
    for what, passages in _attempts(runs, cases):
        waiting = [case for case in cases if case.id in passages and case.id not in found]

        def run(
            probes: Probes, some: Sequence[DevCase], label: str, what: str = what, passages: Passages = passages
        ) -> Mapping[str, Outcome]:
            if "knowledge" in probes:
                return runs.arranged(probes, some, what, passages)
            return runs.run(probes, some, label)

        whole = run(ALL, waiting, "")  # what fails with everything given fails with less
        waiting = [case for case in waiting if case.id in whole and whole[case.id].passed]
        needed = prune(run, waiting, climb(run, waiting, WITH_FACTS))
        for case in waiting:
            if "knowledge" in needed.get(case.id, NOTHING):
                plain = [name for name in ("format", "instruction", "tone") if name in needed[case.id]]
                others = tuple(Need(name=name, because=PLAIN[name]) for name in plain)
                found[case.id] = (*others, _need(runs, case, passages[case.id][0], what))
    return found


def _attempts(runs: Runs, cases: Sequence[DevCase]) -> Iterator[tuple[str, Passages]]:
    library, graders = runs.bench.library, runs.bench.task.config.graders
    bare = [case for case in cases if not case.evidence]
    held = {case.id: library.holding(case, expected_texts(case, graders), TRIED) for case in bare}
    told = {case.id: (stated(case, graders),) for case in cases if _may_be_told(runs, case, held.get(case.id, ()))}
    yield _STATED, told
    for place in range(max((len(each) for each in held.values()), default=0)):
        passages = {case: (each[place],) for case, each in held.items() if place < len(each)}
        yield f"passage {place + 1} that holds an accepted answer", passages


def _may_be_told(runs: Runs, case: DevCase, held: Sequence[Passage]) -> bool:
    """Say whether stating the fact proves anything: not where the documents hold it, nor for a label or a refusal."""
    task = runs.bench.task
    readable = evidence_of(case, runs.bench.library, task.config.graders)
    if case.evidence:
        return bool(readable) and not holds_answer(case, readable, task.config.graders)
    if held or task.config.knowledge.documents is None or answer_label(task.config.graders):
        return False
    texts = expected_texts(case, task.config.graders)
    same = sum(expected_texts(other, task.config.graders) == texts for other in task.partition("dev"))
    return same == 1  # what several cases without evidence expect is the house's refusal, no fact


def _need(runs: Runs, case: DevCase, passage: Passage, what: str) -> Need:
    if what == _STATED and case.evidence:
        because = (
            f"{case.evidence[0]} holds no accepted answer; stating the expected fact made it pass: mend the document, "
            "or the golden answer"
        )
        return Need(name="knowledge", detail="not in the document it names", because=because)
    if what == _STATED:
        because = "no document that its user may read holds the answer; stating the expected fact made it pass"
        return Need(name="knowledge", detail="not in the documents", because=because)
    where = f"{passage.document}#{passage.section}" if passage.section else passage.document
    because = f"the case names no evidence; of all passages with the answer in them, {where} made it pass: name it"
    if runs.stack.part("retrieve") is None:
        return Need(name="knowledge", detail="in the documents, not given", because=because)
    before = runs.run(NOTHING, [case], "as it is").get(case.id)
    shown = before.answer.passages if before else ()
    detail = "drowned" if any(same_place(each, passage) for each in shown) else "missed"
    return Need(name="retrieval", detail=detail, because=because)
