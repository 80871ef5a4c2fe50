"""What was forecast before every pull, against what came of it on dev: how good the run's own forecasts were.

The forecast is the lever's headroom, measured by its probes before the pull: what a perfect product would gain. So a
step that gains less may mean a wrong forecast or an imperfect product; one that gains more is always a wrong forecast.
"""

from collections.abc import Sequence
from typing import Literal

from levers.ledger import Record
from levers.loop.records import Step
from levers.trial.records import Comparison, Interval
from levers.trial.statistics import wilson

Hit = Literal["within", "short", "beyond"]


class Forecast(Record):
    """One step's forecast and what came of it, in pass share or mean credit over dev.

    `hit` says whether the realised gain lies within the forecast's 95 % interval, under it (an imperfect product, or
    too high a forecast) or over it; `share` is the part of the forecast that was realised, None when nothing was.
    `overlap`: the two intervals have values in common.
    """

    step: int
    lever: str
    measure: Literal["pass", "score"]
    predicted: float
    interval: Interval
    realised: float
    realised_interval: Interval
    hit: Hit
    share: float | None
    overlap: bool


class Forecasts(Record):
    """All forecasts of a run by one measure: how many were within, short and beyond, and the mean absolute error."""

    measure: Literal["pass", "score"]
    steps: tuple[Forecast, ...]
    within: int
    short: int
    beyond: int
    share_within: Interval
    mean_error: float


def forecasts(steps: Sequence[Step], measure: Literal["pass", "score"] = "pass") -> Forecasts | None:
    """Set every pull's quote against its comparison on dev; None when nothing was pulled."""
    found = [each for step in steps if (each := _forecast(step, measure)) is not None]
    if not found:
        return None
    counts = {hit: sum(each.hit == hit for each in found) for hit in ("within", "short", "beyond")}
    return Forecasts(
        measure=measure,
        steps=tuple(found),
        **counts,
        share_within=wilson(counts["within"], len(found)),
        mean_error=sum(abs(each.realised - each.predicted) for each in found) / len(found),
    )


def _forecast(step: Step, measure: Literal["pass", "score"]) -> Forecast | None:
    quote = step.plan.chosen if step.plan else None
    came = step.dev_pass if measure == "pass" else step.dev_score
    if quote is None or came is None or quote.lever != step.lever or quote.saves is not None:
        return None  # a lever that saves forecasts no gain
    predicted, interval = (
        (quote.gain, quote.interval) if measure == "pass" else (quote.score_gain, quote.score_interval)
    )
    return Forecast(
        step=step.number,
        lever=step.lever,
        measure=measure,
        predicted=predicted,
        interval=interval,
        realised=came.difference,
        realised_interval=came.interval,
        hit=_hit(interval, came),
        share=came.difference / predicted if predicted > 0 else None,
        overlap=came.interval.low <= interval.high and interval.low <= came.interval.high,
    )


def _hit(interval: Interval, came: Comparison) -> Hit:
    if came.difference < interval.low - 1e-12:
        return "short"
    return "beyond" if came.difference > interval.high + 1e-12 else "within"
