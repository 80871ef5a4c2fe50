"""Headroom: what a set of probes, pulled perfectly, would gain over all measured cases, alone and beside another."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from levers.diagnosis.records import Headroom, Interaction, ProbeName
from levers.diagnosis.runs import NOTHING, Probes, Runs
from levers.task.records import DevCase
from levers.trial.records import Interval
from levers.trial.statistics import paired_bootstrap, wilson

# The sets of probes that a lever can stand for; every lever names one of these as what it would do if it were perfect.
SETS: tuple[tuple[ProbeName, ...], ...] = (
    ("format",),
    ("knowledge",),
    ("format", "instruction"),
    ("format", "instruction", "tone"),
)
PASSING = 40  # passing cases that a set of probes is tried on, for what it may harm
_SEED = 0
# What is measured together: sets that share no probe.
PAIRS: tuple[tuple[tuple[ProbeName, ...], tuple[ProbeName, ...]], ...] = (
    (("format",), ("knowledge",)),
    (("knowledge",), ("format", "instruction")),
)


class Ground(NamedTuple):
    """What headroom is measured over: all dev cases, the failing ones that were probed, and what each of them needs.

    `looked` is the share of the failing cases that were probed; what is found in them is carried over to all.
    """

    runs: Runs
    cases: Sequence[DevCase]
    failing: Sequence[DevCase]
    needed: dict[str, Probes]
    looked: float = 1.0


def measure_headroom(ground: Ground, probes: tuple[ProbeName, ...]) -> Headroom | None:
    """Measure one set of probes on the failing cases; cases that pass already count as neither gained nor lost.

    Failing cases that no probe may be tried on gain nothing. None where the cap ended the asking before all were asked.
    """
    before = ground.runs.run(NOTHING, ground.cases, "as it is")
    after = ground.runs.run(frozenset(probes), ground.failing, "probe " + " + ".join(probes))
    if len(after) < len(ground.failing):
        return None
    passes = {case: float(outcome.passed) for case, outcome in after.items()}
    scores = {case: outcome.score - before[case].score for case, outcome in after.items()}
    unlocked = sum(bool(set(probes) & ground.needed.get(case.id, frozenset())) for case in ground.failing)
    (gain, interval), (score_gain, score_interval) = _mean(ground, passes), _mean(ground, scores)
    harm = _harm(ground, frozenset(probes))
    if harm is None:
        return None
    return Headroom(
        probes=probes,
        gain=gain,
        interval=interval,
        score_gain=score_gain,
        score_interval=score_interval,
        unlocks=unlocked / ground.looked / len(ground.cases),
        **harm,
    )


def _harm(ground: Ground, probes: Probes) -> dict[str, Any] | None:
    """Measure on a draw of the passing cases what the probes lose, carried over to all dev cases; None as above."""
    runs = ground.runs
    before = runs.run(NOTHING, ground.cases, "as it is")
    passing = [case for case in ground.cases if before[case.id].passed]
    if not passing:
        return {}
    drawn = passing if len(passing) <= PASSING else random.Random(_SEED).sample(passing, PASSING)
    after = runs.run(probes, drawn, f"probe {' + '.join(sorted(probes))} on passing cases")
    if len(after) < len(drawn):
        return None
    scale = len(passing) / len(ground.cases)
    lost = sum(not after[case.id].passed for case in drawn)
    credit = [before[case.id].score - after[case.id].score for case in drawn]
    share, spread = wilson(lost, len(drawn)), paired_bootstrap(credit)
    if len(drawn) == len(passing):  # nothing is left to chance
        share = Interval(low=lost / len(drawn), high=lost / len(drawn))
        spread = Interval(low=sum(credit) / len(credit), high=sum(credit) / len(credit))
    return {
        "harm": lost / len(drawn) * scale,
        "harm_interval": Interval(low=share.low * scale, high=share.high * scale),
        "score_harm": sum(credit) / len(credit) * scale,
        "score_harm_interval": Interval(low=spread.low * scale, high=spread.high * scale),
    }


def measure_interaction(
    ground: Ground, first: tuple[ProbeName, ...], second: tuple[ProbeName, ...]
) -> Interaction | None:
    """Measure what two sets of probes gain together beyond what each gains alone, in passes, case by case.

    None where the cap ended the asking before all were asked.
    """
    alone, other = frozenset(first), frozenset(second)
    both = alone | other
    ran = {
        probes: ground.runs.run(probes, ground.failing, "probe " + " + ".join(sorted(probes)))
        for probes in (alone, other, both)
    }
    if any(len(outcomes) < len(ground.failing) for outcomes in ran.values()):
        return None
    passed = {probes: {case: float(each.passed) for case, each in found.items()} for probes, found in ran.items()}
    extra = {case: value - passed[alone][case] - passed[other][case] for case, value in passed[both].items()}
    gain, interval = _mean(ground, extra)
    return Interaction(
        first=first, second=second, together=_mean(ground, passed[both])[0], gain=gain, interval=interval
    )


def _mean(ground: Ground, found: dict[str, float]) -> tuple[float, Interval]:
    """Return the mean over all dev cases with its interval; where failing cases were drawn, carried over to all."""
    if ground.looked == 1.0:
        values = [found.get(case.id, 0.0) for case in ground.cases]
        return sum(values) / len(values), paired_bootstrap(values)
    # Passing cases gain nothing for sure: what is uncertain is the mean over the failing ones.
    drawn = [found.get(case.id, 0.0) for case in ground.failing]
    scale = len(drawn) / ground.looked / len(ground.cases)
    interval = paired_bootstrap(drawn)
    return sum(drawn) / len(drawn) * scale, Interval(low=interval.low * scale, high=interval.high * scale)
