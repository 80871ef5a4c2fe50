"""What is checked after training, on dev: does the tuned stack still refuse, bear other wordings, and know the rest?

Edge cases and test are the loop's to open. What got decisively worse keeps a tuned stack from being used.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from levers.diagnosis import reword
from levers.lever.general import answers_right
from levers.lever.situation import Situation
from levers.stack import Stack
from levers.trial import Outcome, mcnemar_exact
from levers.trial.statistics import ALPHA

MOST_REWORDED = 60  # dev cases asked in another manner, by both stacks
_BINS = 10


class After(NamedTuple):
    """A note for each check, and what got decisively worse."""

    notes: tuple[str, ...]
    worse: tuple[str, ...]


def check_after(situation: Situation, tuned: Stack) -> After:
    """Hold the tuned stack against the one it came from, case by case on dev."""
    bench = situation.bench
    cases = bench.task.partition("dev")
    before = situation.trial.outcomes
    after = bench.trial(tuned, "dev", "tune, checks after").outcomes
    refusals = {case.id for case in cases if not case.evidence} if situation.documents else set()
    asked = [reword(case, place) for place, case in enumerate(cases[:MOST_REWORDED])]
    reworded = [bench.outcomes(stack, asked, "tune, other wordings") for stack in (situation.stack, tuned)]
    pairs = [
        ("refusals", [each for each in before if each.case in refusals], after),
        ("cases in another wording", reworded[0], reworded[1]),
    ]
    told = [_compared(name, _passes(old), _passes(new)) for name, old, new in pairs if old]
    told.append(_compared("general tasks", *_general(situation, tuned)))
    errors = [calibration_error(each) for each in (before, after)]
    notes = [note for note, _ in told]
    notes += [_compared(f"grader {name}", *graded)[0] for name, graded in _by_grader(before, after)]
    if errors[0] is not None and errors[1] is not None:
        notes.append(f"after: calibration error {errors[0]:.2f} before, {errors[1]:.2f} now (mean gap, ten bins)")
    return After(tuple(notes), tuple(note for note, worse in told if worse))


def calibration_error(outcomes: Sequence[Outcome]) -> float | None:
    """Return the expected calibration error: the mean gap of confidence and passes over ten bins of confidence.

    None where the model tells no confidence (Naeini et al. 2015; Guo et al. 2017).
    """
    known = [
        (each.answer.confidence, each.passed) for each in outcomes if each.scored and each.answer.confidence is not None
    ]
    if not known:
        return None
    bins: dict[int, list[tuple[float, bool]]] = {}
    for sure, passed in known:
        bins.setdefault(min(int(sure * _BINS), _BINS - 1), []).append((sure, passed))
    return sum(abs(sum(sure - passed for sure, passed in own)) for own in bins.values()) / len(known)


def _general(situation: Situation, tuned: Stack) -> tuple[dict[str, bool], dict[str, bool]]:
    """Ask both models the general tasks, bare: no brief, no passages."""
    old, new = (answers_right(situation.workshop.model(stack.model)) for stack in (situation.stack, tuned))
    return old, new


def _by_grader(
    before: Sequence[Outcome], after: Sequence[Outcome]
) -> Iterator[tuple[str, tuple[dict[str, bool], dict[str, bool]]]]:
    """Yield each grader with the passes of the cases it scored in both trials; one alone says nothing new."""
    names = list(dict.fromkeys(each.grader for outcome in before for each in outcome.grades))
    for name in names if len(names) > 1 else ():
        old, new = (
            {
                outcome.case: bool(each.passed)
                for outcome in side
                for each in outcome.grades
                if each.grader == name and each.passed is not None and not each.crashed
            }
            for side in (before, after)
        )
        both = old.keys() & new.keys()
        if both:
            yield name, ({case: old[case] for case in old if case in both}, new)


def _passes(outcomes: Sequence[Outcome]) -> dict[str, bool]:
    return {each.case: each.passed for each in outcomes if each.scored}


def _compared(name: str, before: dict[str, bool], after: dict[str, bool]) -> tuple[str, bool]:
    """Return a note on the passes of the cases on both sides, and whether they got decisively fewer (exact McNemar)."""
    both = [(passed, after[case]) for case, passed in before.items() if case in after]
    if not both:
        return f"after: {name}, no case was scored both before and now", False
    gained = sum(now and not passed for passed, now in both)
    lost = sum(passed and not now for passed, now in both)
    p_value = mcnemar_exact(gained, lost)
    passing = sum(passed for passed, _ in both)
    note = f"after: {name}, {passing} of {len(both)} pass before, {passing + gained - lost} now (p = {p_value:.3f})"
    return note, lost > gained and p_value < ALPHA
