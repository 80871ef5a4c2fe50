"""Headroom over answers that could be scored: what no grader could score is neither a gain nor a loss."""

from collections.abc import Sequence
from typing import Any

import pytest

from levers.diagnosis.headroom import Ground, measure_headroom, measure_interaction
from levers.stack import Answer
from levers.task.records import Case, DevCase
from levers.trial import Outcome

FORMAT, KNOWLEDGE = ("format",), ("knowledge",)


class Scripted:
    """Runs whose outcomes are written down: `+` passes, `-` fails, `?` could not be scored."""

    def __init__(self, **outcomes: str) -> None:
        self.outcomes = outcomes

    def run(self, probes: frozenset[str], cases: Sequence[Case], what: str) -> dict[str, Outcome]:
        signs = self.outcomes["_".join(sorted(probes)) or "nothing"]
        return {case.id: outcome(case.id, signs[int(case.id)]) for case in cases}


def outcome(case: str, sign: str) -> Outcome:
    passed, given = sign == "+", Answer(id=case, text="")
    return Outcome(case=case, passed=passed, score=float(passed), grades=(), answer=given, scored=sign != "?")


def ground(looked: float = 1.0, **outcomes: str) -> Ground:
    cases = [
        DevCase(Case(id=str(place), input="?", expected="x", partition="dev"))
        for place in range(len(outcomes["nothing"]))
    ]
    failing = [case for case in cases if outcomes["nothing"][int(case.id)] == "-"]
    failing = failing[: round(len(failing) * looked)]
    runs: Any = Scripted(**outcomes)
    return Ground(runs, cases, failing, {}, looked)


def test_answers_nobody_could_score_are_left_out_of_gain_and_harm() -> None:
    room = measure_headroom(ground(nothing="----++++", format="+-??+-??"), FORMAT)
    assert room is not None
    assert (room.gain, room.score_gain) == (pytest.approx(1 / 6), pytest.approx(1 / 6)), "one of the six that are known"
    assert (room.harm, room.score_harm) == (pytest.approx(1 / 6), pytest.approx(1 / 6))
    drawn = measure_headroom(ground(0.5, nothing="--------++++", format="+-??????++++"), FORMAT)
    assert drawn is not None and drawn.gain == pytest.approx(1 / 2 * 4 / 8), "four of the eight that fail are unknown"


@pytest.mark.parametrize("after", ["????++++", "++++????"])
def test_where_nothing_could_be_scored_there_is_no_figure(after: str) -> None:
    assert measure_headroom(ground(nothing="----++++", format=after), FORMAT) is None


def test_an_interaction_counts_what_all_three_runs_could_score() -> None:
    found = measure_interaction(
        ground(nothing="----", format="---?", knowledge="--?-", format_knowledge="+-++"), FORMAT, KNOWLEDGE
    )
    assert found is not None and (found.gain, found.together) == (pytest.approx(1 / 2), pytest.approx(1 / 2))
    assert (
        measure_interaction(ground(nothing="-", format="?", knowledge="-", format_knowledge="+"), FORMAT, KNOWLEDGE)
        is None
    )


def test_where_no_drawn_case_could_be_scored_nothing_is_gained() -> None:
    room = measure_headroom(ground(0.5, nothing="--------++++", format="????????++++"), FORMAT)
    assert room is None or (room.gain, room.interval.low, room.interval.high) == (0.0, 0.0, 0.0)
