"""Tell how search failed a case by rearranging what it showed: an outdated passage away, the evidence first.

Each is one re-run with the stack's own passages, changed in one way. What cures names the form; where neither does and
the evidence alone did, the passages beside it misled the model.
"""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz

from levers.diagnosis.probes import evidence_of, expected_texts
from levers.diagnosis.runs import NOTHING, Probes, Runs
from levers.stack import Passage
from levers.task.records import Case, DevCase, GraderSpec

STALE = "outdated passages replaced by the evidence"
FIRST = "evidence first among the passages shown"
_ALIKE = 80  # per cent of two texts that agree once the answers are cut out: versions of one passage, not neighbours
_WORD = re.compile(r"\w+")
Arrangement = dict[str, tuple[Passage, ...]]


def arrange(runs: Runs, cases: Sequence[DevCase], needed: dict[str, Probes]) -> dict[str, str]:
    """Return by case which arrangement cured it (STALE or FIRST); cases that neither cures are absent.

    Looked at are cases that need their evidence and were shown other passages than the evidence alone.
    """
    shown = {
        case.id: outcome.answer.passages
        for case in cases
        if (outcome := runs.run(NOTHING, [case], "as it is").get(case.id)) and outcome.answer.passages
    }
    graders = runs.bench.task.config.graders
    held = {case.id: evidence_of(case, runs.bench.library, graders) for case in cases}
    cured: dict[str, str] = {}
    for what, rearranged in ((STALE, _replaced), (FIRST, _first)):
        waiting = [case for case in cases if case.id in shown and case.id not in cured and held[case.id]]
        passages: Arrangement = {
            case.id: changed
            for case in waiting
            if _findable(runs, case, shown[case.id], held[case.id], what)
            and (changed := rearranged(case, shown[case.id], held[case.id], graders))
        }
        groups: dict[Probes, list[DevCase]] = {}
        for case in waiting:
            if case.id in passages:
                groups.setdefault(needed[case.id], []).append(case)
        for probes, group in groups.items():
            outcomes = runs.arranged(probes, group, what, passages)
            cured.update((case.id, what) for case in group if case.id in outcomes and outcomes[case.id].passed)
    return cured


def _findable(runs: Runs, case: Case, shown: Sequence[Passage], held: Sequence[Passage], what: str) -> bool:
    """Say whether a better order could help: evidence that search does not find at all cannot be moved up."""
    if what == STALE or any(same_place(each, own) for each in shown for own in held):
        return True
    return runs.bench.library.rank(case, runs.stack) is not None


def rivals(
    case: Case, shown: Sequence[Passage], held: Sequence[Passage], graders: Sequence[GraderSpec]
) -> tuple[Passage, ...]:
    """Return passages that say of the same thing something else: another version of the evidence, without the answer.

    The same thing: of the question's words, all that the evidence holds. Another version: texts that agree in four
    fifths once the accepted answers are cut out.
    """
    accepted = [text.casefold() for text in expected_texts(case, graders) if text]
    found = []
    for each in shown:
        text = each.text.casefold()
        if any(same_place(each, own) for own in held) or any(answer in text for answer in accepted):
            continue
        if any(_versions(case, each.text, own.text, accepted) for own in held):
            found.append(each)
    return tuple(found)


def _versions(case: Case, other: str, own: str, accepted: Sequence[str]) -> bool:
    asked = set(_WORD.findall(case.question.casefold()))
    if not asked & set(_WORD.findall(own.casefold())) <= set(_WORD.findall(other.casefold())):
        return False
    bare = own.casefold()
    for answer in accepted:
        bare = bare.replace(answer, "")
    return fuzz.ratio(bare, other.casefold()) >= _ALIKE


def _replaced(
    case: Case, shown: Sequence[Passage], held: Sequence[Passage], graders: Sequence[GraderSpec]
) -> tuple[Passage, ...]:
    """Return the passages with the evidence in the place of its other versions; empty when there are none."""
    gone = rivals(case, shown, held, graders)
    if not gone:
        return ()
    if any(same_place(each, own) for each in shown for own in held):
        return tuple(each for each in shown if each not in gone)
    place = shown.index(gone[0])
    return (*shown[:place], *held, *(each for each in shown[place:] if each not in gone))


def _first(
    case: Case, shown: Sequence[Passage], held: Sequence[Passage], graders: Sequence[GraderSpec]
) -> tuple[Passage, ...]:
    """Return the passages with the evidence moved, or put, to the front; empty when it stands there already."""
    del case, graders
    others = [each for each in shown if not any(same_place(each, own) for own in held)]
    own = [each for each in shown if each not in others] or list(held)
    changed = (*own, *others)[: max(len(shown), len(own))]
    return () if changed == tuple(shown) else changed


def same_place(one: Passage, other: Passage) -> bool:
    """Say whether two passages are of one document and overlap."""
    return one.document == other.document and one.start < other.end and other.start < one.end
