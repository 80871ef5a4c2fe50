"""Headroom without a probe of its own: from the needs that the diagnosis named, and what a saving is worth."""

from collections.abc import Callable, Sequence

from levers.diagnosis import CaseDiagnosis, Headroom, Need
from levers.economics import DAYS_PER_YEAR, CostFigure
from levers.lever.situation import Situation
from levers.trial.records import Interval, Outcome
from levers.trial.statistics import paired_bootstrap

LEAST_YEARLY = 100.0  # USD: a smaller saving does not pay for measuring it
MARGIN = 0.05  # of the passes: a loss of this much would matter, and must be ruled out
Wanted = Callable[[Need], bool]


def room_of_needs(situation: Situation, wanted: Wanted) -> Headroom:
    """Return the most that mending these needs could gain; it asks no model.

    A case counts as gained when all its needs are of the kind: then perfect means that it passes. `unlocks` counts the
    cases that have such a need at all. Where failing cases were drawn, what is found in them is carried over to all.
    """
    diagnosis, outcomes, scale = situation.diagnosis, _scored(situation), 1.0
    found = {case.case: case for case in diagnosis.cases}
    if diagnosis.sampled:  # passing cases gain nothing for sure: what is uncertain is the mean over the failing ones
        scale = diagnosis.failures / len(outcomes)
        outcomes = [each for each in outcomes if each.case in found]
    some = sum(any(wanted(need) for need in case.needs) for case in diagnosis.cases)
    room = _room(outcomes, lambda outcome: _cured(found.get(outcome.case), wanted), scale)
    return room.model_copy(update={"unlocks": some / len(outcomes) * scale})


def room_of_cases(situation: Situation, mended: Callable[[Outcome], bool]) -> Headroom:
    """Return what is gained if these outcomes of the trial pass instead, with full credit; it asks no model.

    Cases that no grader could score are left out.
    """
    return _room(_scored(situation), mended)


def _room(outcomes: Sequence[Outcome], mended: Callable[[Outcome], bool], scale: float = 1.0) -> Headroom:
    """Return what is gained if these outcomes pass instead, `scale` times: they stand for that share of all cases."""
    gains = [float(mended(each)) for each in outcomes]
    credits = [gain * (1 - each.score) for gain, each in zip(gains, outcomes, strict=True)]
    share = sum(gains) / len(gains) * scale
    return Headroom(
        probes=(),
        gain=share,
        interval=_scaled(paired_bootstrap(gains), scale),
        score_gain=sum(credits) / len(credits) * scale,
        score_interval=_scaled(paired_bootstrap(credits), scale),
        unlocks=share,
    )


def _scaled(interval: Interval, scale: float) -> Interval:
    return Interval(low=interval.low * scale, high=interval.high * scale)


def no_room(situation: Situation) -> Headroom:
    """Return the headroom of a lever that saves: it gains no quality."""
    return room_of_needs(situation, lambda need: False)


def not_worth(situation: Situation, saves: CostFigure) -> str:
    """Say why a saving is not worth a pull; empty when it is: under 100 USD a year, and no cost target is missed."""
    config, now = situation.bench.task.config, situation.trial.cost_per_answer
    if now is None:
        return "no price is known for this model, so nothing is known to be saved"
    target = config.targets.cost_per_answer
    if target is not None and now > target:
        return ""
    traffic = config.traffic.answers_per_day
    yearly = saves.value * traffic * DAYS_PER_YEAR
    if yearly >= LEAST_YEARLY:
        return ""
    return f"it would save at most ${yearly:,.2f} a year at {traffic:,.0f} answers a day; under ${LEAST_YEARLY:,.0f}"


def _scored(situation: Situation) -> list[Outcome]:
    return [outcome for outcome in situation.trial.outcomes if outcome.scored]


def _cured(case: CaseDiagnosis | None, wanted: Wanted) -> bool:
    return case is not None and bool(case.needs) and all(wanted(need) for need in case.needs)
