"""Headroom: what a set of probes, pulled perfectly, would gain over all measured cases, alone and beside another.

A case that no grader could score under the probes is neither gained nor lost: it is no part of any share.
"""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from levers.diagnosis.records import Headroom, Interaction, ProbeName
from levers.diagnosis.runs import NOTHING, Probes, Runs
from levers.task.records import DevCase
from levers.trial.records import Interval, Outcome
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
    """What headroom is measured over: all scored cases, the failing ones that were probed, and what each of them needs.

    `looked` is the share of the failing cases that were probed; what is found in them is carried over to all.
    """

    runs: Runs
    cases: Sequence[DevCase]
    failing: Sequence[DevCase]
    needed: dict[str, Probes]
    looked: float = 1.0


def measure_headroom(ground: Ground, probes: tuple[ProbeName, ...]) -> Headroom | None:
    """Measure one set of probes on the failing cases; cases that pass already count as neither gained nor lost.

    Failing cases that no probe may be tried on gain nothing. None where the cap ended the asking before all were asked,
    and where no answer could be scored.
    """
    before = ground.runs.run(NOTHING, ground.cases, "as it is")
    ran = ground.runs.run(frozenset(probes), ground.failing, "probe " + " + ".join(probes))
    after = _scored(ran)
    if len(ran) < len(ground.failing) or (ran and not after):
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
    ran = runs.run(probes, drawn, f"probe {' + '.join(sorted(probes))} on passing cases")
    after = _scored(ran)
    if len(ran) < len(drawn) or not after:
        return None
    scale = _share(ground, len(drawn), len(after), len(drawn) / len(passing))
    lost = sum(not outcome.passed for outcome in after.values())
    credit = [before[case].score - outcome.score for case, outcome in after.items()]
    share, spread = wilson(lost, len(after)), paired_bootstrap(credit)
    if len(drawn) == len(passing):  # nothing is left to chance
        share = Interval(low=lost / len(after), high=lost / len(after))
        spread = Interval(low=sum(credit) / len(credit), high=sum(credit) / len(credit))
    return {
        "harm": lost / len(after) * scale,
        "harm_interval": Interval(low=share.low * scale, high=share.high * scale),
        "score_harm": sum(credit) / len(credit) * scale,
        "score_harm_interval": Interval(low=spread.low * scale, high=spread.high * scale),
    }


def measure_interaction(
    ground: Ground, first: tuple[ProbeName, ...], second: tuple[ProbeName, ...]
) -> Interaction | None:
    """Measure what two sets of probes gain together beyond what each gains alone, in passes, case by case.

    None where the cap ended the asking before all were asked, and where no case could be scored in all three runs.
    """
    alone, other = frozenset(first), frozenset(second)
    both = alone | other
    ran = {
        probes: ground.runs.run(probes, ground.failing, "probe " + " + ".join(sorted(probes)))
        for probes in (alone, other, both)
    }
    if any(len(outcomes) < len(ground.failing) for outcomes in ran.values()):
        return None
    known = set.intersection(*(set(_scored(found)) for found in ran.values()))
    if ground.failing and not known:
        return None
    passed = {
        probes: {case: float(each.passed) for case, each in found.items() if case in known}
        for probes, found in ran.items()
    }
    extra = {case: value - passed[alone][case] - passed[other][case] for case, value in passed[both].items()}
    gain, interval = _mean(ground, extra)
    return Interaction(
        first=first, second=second, together=_mean(ground, passed[both])[0], gain=gain, interval=interval
    )


def _scored(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    return {case: outcome for case, outcome in outcomes.items() if outcome.scored}


def _share(ground: Ground, asked: int, scored: int, looked: float) -> float:
    """Return what share of all cases those are that were scored; they were asked of a share `looked` of their kind."""
    return scored / looked / (len(ground.cases) - (asked - scored) / looked)


def _mean(ground: Ground, found: dict[str, float]) -> tuple[float, Interval]:
    """Return the mean over all cases with its interval; where failing cases were drawn, carried over to all.

    Failing cases that are not among the found could not be scored, and are left out.
    """
    unknown = {case.id for case in ground.failing} - found.keys()
    if ground.looked == 1.0:
        values = [found.get(case.id, 0.0) for case in ground.cases if case.id not in unknown]
        return sum(values) / len(values), paired_bootstrap(values)
    # Passing cases gain nothing for sure: what is uncertain is the mean over the failing ones.
    drawn = list(found.values())
    if not drawn:  # no probe may be tried on any of them
        return 0.0, Interval(low=0.0, high=0.0)
    scale = _share(ground, len(ground.failing), len(drawn), ground.looked)
    interval = paired_bootstrap(drawn)
    return sum(drawn) / len(drawn) * scale, Interval(low=interval.low * scale, high=interval.high * scale)
