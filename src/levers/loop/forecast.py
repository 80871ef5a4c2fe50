"""What was forecast before every pull, against what came of it on dev: how good the run's own forecasts were.

The forecast is the lever's headroom, measured by its probes before the pull: what a perfect product would gain, less
what the probes harm. Probe and pull answer the same cases, so a step that gains less is told case by case: what the
probe cured and the pull did not. One that gains more is always a wrong forecast.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from levers.ledger import Record
from levers.lever import lever
from levers.loop.records import Step
from levers.trial.records import Comparison, Interval
from levers.trial.statistics import wilson

Hit = Literal["within", "short", "beyond"]


class Forecast(Record):
    """One step's forecast and what came of it, in pass share or mean credit over dev.

    `hit` says whether the realised gain lies within the forecast's 95 % interval, under it (an imperfect product, or
    too high a forecast) or over it; `share` is the part of the forecast that was realised, None when nothing was.
    `overlap`: the two intervals have values in common. `why` says of a short one what the product left undone:
    `kept` and `missed` count the cases that the probes had cured and the pull did or did not, `lost` those that passed
    before, `extra` those that the pull cured and the probes had not.
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
    kept: int = 0
    missed: int = 0
    lost: int = 0
    extra: int = 0
    why: str = ""


class Forecasts(Record):
    """All forecasts of a run by one measure: how many were within, short and beyond, and the mean absolute error.

    `share_honest` is the share that was within, or short for reasons that the cases show: all but those beyond.
    """

    measure: Literal["pass", "score"]
    steps: tuple[Forecast, ...]
    within: int
    short: int
    beyond: int
    share_within: Interval
    share_honest: Interval
    mean_error: float


def forecasts(steps: Sequence[Step], measure: Literal["pass", "score"] = "pass") -> Forecasts | None:
    """Set every pull's quote against its comparison on dev; None when nothing was pulled."""
    found = [each for step in steps if (each := _forecast(step, steps, measure)) is not None]
    if not found:
        return None
    counts = {hit: sum(each.hit == hit for each in found) for hit in ("within", "short", "beyond")}
    return Forecasts(
        measure=measure,
        steps=tuple(found),
        **counts,
        share_within=wilson(counts["within"], len(found)),
        share_honest=wilson(len(found) - counts["beyond"], len(found)),
        mean_error=sum(abs(each.realised - each.predicted) for each in found) / len(found),
    )


def _forecast(step: Step, steps: Sequence[Step], measure: Literal["pass", "score"]) -> Forecast | None:
    quote = step.plan.chosen if step.plan else None
    came = step.dev_pass if measure == "pass" else step.dev_score
    if quote is None or came is None or quote.lever != step.lever or quote.saves is not None:
        return None  # a lever that saves forecasts no gain
    if step.plan is not None and step.plan.stack == step.stack.digest:
        return None  # what could not be pulled realised nothing, and says nothing of its forecast
    predicted, interval = (
        (quote.gain, quote.forecast or quote.interval)
        if measure == "pass"
        else (quote.score_gain, quote.score_forecast or quote.score_interval)
    )
    hit = _hit(interval, came)
    counts = _cases(step, steps)
    return Forecast(
        step=step.number,
        lever=step.lever,
        measure=measure,
        predicted=predicted,
        interval=interval,
        realised=came.difference,
        realised_interval=came.interval,
        hit=hit,
        share=came.difference / predicted if predicted > 0 else None,
        overlap=came.interval.low <= interval.high and interval.low <= came.interval.high,
        **counts,
        why=_why(counts) if hit == "short" else "",
    )


def _cases(step: Step, steps: Sequence[Step]) -> dict[str, int]:
    """Count what became of the cases that the lever's probes had cured, and of those that passed.

    Only cases that were scored then and now count; nothing is told where there are none.
    """
    found = step.diagnosis
    start = next((each for each in steps if each.stack.digest == found.stack), None) if found else None
    if found is None or start is None:
        return {}
    probes = set(lever(step.lever).probes)
    cured = {each.case for each in found.cases if any(set(t.probes) == probes and t.passed for t in each.tried)}
    both = [
        {outcome.case: outcome.passed for outcome in each.measured.dev.outcomes if outcome.scored}
        for each in (start, step)
    ]
    known = both[0].keys() & both[1].keys()
    if not known:
        return {}
    cured &= known
    passed, now = ({case for case in known if side[case]} for side in both)
    return {
        "kept": len(cured & now),
        "missed": len(cured - now),
        "lost": len(passed - now),
        "extra": len(now - passed - cured),
    }


def _why(counts: Mapping[str, int]) -> str:
    """Say what the product left undone, in cases."""
    if not counts:
        return "the product does less than its probe"
    told = []
    if cured := counts["kept"] + counts["missed"]:
        told.append(f"of {cured} cases that its probe cured the pull cured {counts['kept']}")
    if counts["lost"]:
        told.append(f"{counts['lost']} that passed before were lost")
    return "the product does less than its probe" + (f": {', and '.join(told)}" if told else "")


def _hit(interval: Interval, came: Comparison) -> Hit:
    if came.difference < interval.low - 1e-12:
        return "short"
    return "beyond" if came.difference > interval.high + 1e-12 else "within"
