"""Choosing between the variants of a pull."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from levers.lever.situation import Situation
from levers.lever.variants import Variant, best_of, climb, unless_better
from levers.stack import Answer, Instruct, ModelRef, Stack
from levers.trial.records import Outcome, Trial

PLAIN = Stack(model=ModelRef(id="openai/any"))


def merits(quality: float, score: float = 0.5) -> Trial:
    return Trial.model_construct(quality=quality, score=score)


def variants(*labels: str) -> list[Variant]:
    return [(label, PLAIN.with_part(Instruct(text=label))) for label in labels]


def situation(start: Trial, trials: Sequence[Trial]) -> tuple[Situation, list[str]]:
    """Return a situation whose bench hands out these trials in order, and the list of what was measured."""
    measured: list[str] = []
    left = list(trials)

    def trial(stack: Stack, partition: str, what: str) -> Trial:
        measured.append(what)
        return left.pop(0)

    return cast(Situation, SimpleNamespace(trial=start, bench=SimpleNamespace(trial=trial))), measured


def test_the_best_has_most_passes_and_credit_decides_between_equals() -> None:
    place, measured = situation(merits(0), [merits(0.5, 0.9), merits(0.6, 0.7), merits(0.6, 0.8)])
    stack, notes = best_of(place, "instruct", variants("a", "b", "c"))
    assert stack.part("instruct") == Instruct(text="c")
    assert len(measured) == 3
    assert notes[2] == "c: dev 0.600 passing, 0.800 credit (chosen)"


def graded(passes: int) -> Trial:
    outcomes = tuple(
        Outcome(case=str(at), passed=at < passes, score=float(at < passes), grades=(), answer=Answer(id="", text=""))
        for at in range(40)
    )
    share = passes / 40
    return Trial.model_construct(task="t", outcomes=outcomes, quality=share, score=share)


def test_the_usual_variant_stays_unless_the_other_is_better_by_more_than_chance() -> None:
    usual, other = variants("brief and rules", "rules alone")
    for passes, taken in ((18, "brief and rules"), (22, "brief and rules"), (30, "rules alone")):
        place, _ = situation(merits(0), [graded(20), graded(passes)])
        stack, notes = unless_better(place, "instruct", usual, other)
        assert stack.part("instruct") == Instruct(text=taken)
        assert [note.endswith("(chosen)") for note in notes] == [taken == "brief and rules", taken == "rules alone"]


def test_a_climb_stops_at_the_first_that_is_worse_and_says_what_it_left() -> None:
    place, measured = situation(merits(0.2), [merits(0.5), merits(0.4)])
    stack, notes = climb(place, "retrieve", variants("k=1", "k=2", "k=4"))
    assert stack.part("instruct") == Instruct(text="k=1")
    assert measured == ["retrieve, k=1", "retrieve, k=2"]
    assert notes[-1] == "k=4: not tried, the smaller one was worse than what went before"


def test_a_climb_goes_to_the_end_while_it_helps() -> None:
    place, measured = situation(merits(0.2), [merits(0.3), merits(0.3), merits(0.4)])
    stack, _ = climb(place, "retrieve", variants("k=1", "k=2", "k=4"))
    assert stack.part("instruct") == Instruct(text="k=4")
    assert len(measured) == 3


def test_a_climb_that_starts_downhill_ends_there() -> None:
    place, measured = situation(merits(0.5), [merits(0.1)])
    stack, notes = climb(place, "examples", variants("k=3", "k=6"))
    assert stack.part("instruct") == Instruct(text="k=3")
    assert len(measured) == 1
    assert len(notes) == 2


def test_a_single_variant_is_not_measured_here() -> None:
    place, measured = situation(merits(0), [])
    stack, notes = climb(place, "retrieve", variants("k=3"))
    assert stack.part("instruct") == Instruct(text="k=3")
    assert not measured
    assert not notes
