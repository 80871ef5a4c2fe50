"""Headroom from needs: over all cases, and carried over to them where failing cases were drawn."""

from types import SimpleNamespace

import pytest

from levers.diagnosis import CaseDiagnosis, Diagnosis, Need
from levers.lever.room import no_room, room_of_needs
from levers.stack import Answer
from levers.trial.records import Outcome

CASES, FAILING = 1000, 800
TONE = (Need(name="tone"),)


def situation(looked: int | None) -> SimpleNamespace:
    """800 of 1,000 cases fail with a quarter of the credit; every second one needs another tone, the others facts."""
    outcomes = tuple(
        Outcome(
            case=str(at),
            passed=at >= FAILING,
            score=1.0 if at >= FAILING else 0.25,
            grades=(),
            answer=Answer(id=str(at), text=""),
        )
        for at in range(CASES)
    )
    cases = tuple(
        CaseDiagnosis(case=str(at), needs=TONE if at % 2 else (Need(name="knowledge"),), tried=())
        for at in range(looked or FAILING)
    )
    found = Diagnosis(stack="s", measured=CASES, failures=FAILING, needs={}, cases=cases, headroom=(), sampled=looked)
    return SimpleNamespace(trial=SimpleNamespace(outcomes=outcomes), diagnosis=found)


def test_what_was_found_in_drawn_cases_is_carried_over_to_all() -> None:
    whole, drawn = (room_of_needs(situation(looked), lambda need: need.name == "tone") for looked in (None, 100))  # type: ignore[arg-type]
    for room in (whole, drawn):
        assert (room.gain, room.unlocks, room.score_gain) == pytest.approx((0.4, 0.4, 0.3))
        assert room.interval.low < 0.4 < room.interval.high
        assert room.score_interval.low < 0.3 < room.score_interval.high
    assert drawn.interval.high - drawn.interval.low > whole.interval.high - whole.interval.low
    assert no_room(situation(100)).interval.high == 0.0  # type: ignore[arg-type]
