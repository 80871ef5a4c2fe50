"""Find by experiment why each failing case fails: re-run it with one thing changed, and see."""

import random
from collections.abc import Sequence

from levers.diagnosis.arrange import arrange
from levers.diagnosis.brief import mended
from levers.diagnosis.climb import climb, prune, ties, try_showing
from levers.diagnosis.headroom import PAIRS, SETS, Ground, measure_headroom, measure_interaction
from levers.diagnosis.records import CaseDiagnosis, Diagnosis, Need, NeedShare
from levers.diagnosis.runs import Runs
from levers.diagnosis.uncured import needs_of_uncured
from levers.diagnosis.verdict import decided, needs_of, unproved
from levers.stack import Stack
from levers.task.records import DevCase
from levers.trial.bench import Bench
from levers.trial.records import DevTrial, Interval, as_dev
from levers.trial.statistics import wilson

MOST = 400  # failing cases looked at: a share of them is then known to 5 points
SEED = 0


def diagnose(bench: Bench, stack: Stack, trial: DevTrial, capped: bool = False, most: int | None = MOST) -> Diagnosis:
    """Probe the failing development cases of a trial.

    The type keeps test and edge cases out: only `as_dev` makes a `DevTrial`, and it refuses them, here once more for
    callers without a type checker. With `capped` a spending cap that is reached ends the experiments and the diagnosis
    says what it knows; else BudgetError is raised. Of more than `most` failing cases so many are drawn, always the same
    ones; None looks at all. Whatever the bench, only its dev view is used.
    """
    bench, trial = bench.dev, as_dev(trial)
    outcomes = {outcome.case: outcome for outcome in trial.outcomes}
    cases = [case for case in bench.task.partition("dev") if outcomes[case.id].scored]
    failed = [case for case in cases if outcomes[case.id].failed]
    failing = failed if most is None or len(failed) <= most else _drawn(failed, most)
    runs = Runs(bench, stack, trial, capped)
    plain = {case.id: need for case in failing if (need := decided(case, bench))}
    open_ = [case for case in failing if case.id not in plain]
    cured = climb(runs.run, open_)
    needed = prune(runs.run, open_, cured)
    try_showing(runs, open_, needed)
    searched = [case for case in open_ if "knowledge" in needed.get(case.id, ()) and stack.part("retrieve")]
    arranged = arrange(runs, searched, needed)
    needs: dict[str, tuple[Need, ...]] = {name: (need,) for name, need in plain.items()}
    needs |= {
        case.id: needs_of(case, needed[case.id], runs, arranged.get(case.id)) for case in open_ if case.id in needed
    }
    needs |= {case: (unproved(runs, probes),) for case, probes in cured.items() if case not in needed}
    needs |= needs_of_uncured(runs, [case for case in open_ if case.id not in cured])
    needs |= mended(runs, open_)
    ground = Ground(runs, cases, open_, needed, len(failing) / len(failed) if failed else 1.0)
    headroom = [measure_headroom(ground, probes) for probes in SETS]
    interactions = [measure_interaction(ground, *pair) for pair in PAIRS]
    return Diagnosis(
        stack=stack.digest,
        measured=len(cases),
        failures=len(failed),
        needs=_shares(needs, len(failing), len(failed), len(cases)),
        cases=tuple(
            CaseDiagnosis(
                case=case.id,
                needs=needs[case.id],
                tried=runs.tried(case.id),
                ties=ties(runs, case, needed[case.id]) if case.id in needed else (),
            )
            for case in failing
        ),
        headroom=tuple(each for each in headroom if each is not None),
        interactions=tuple(each for each in interactions if each is not None),
        stopped=runs.stopped,
        sampled=len(failing) if len(failing) < len(failed) else None,
    )


def _drawn(failed: Sequence[DevCase], most: int) -> list[DevCase]:
    """Draw `most` cases, in their order."""
    places = sorted(random.Random(SEED).sample(range(len(failed)), most))
    return [failed[place] for place in places]


def _shares(needs: dict[str, tuple[Need, ...]], looked: int, failed: int, measured: int) -> dict[str, NeedShare]:
    counts: dict[str, int] = {}
    for found in needs.values():
        for name in dict.fromkeys(need.name for need in found):
            counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {name: _share(count, looked, failed, measured) for name, count in ordered}


def _share(count: int, looked: int, failed: int, measured: int) -> NeedShare:
    if looked == failed:
        return NeedShare(cases=count, share=count / measured, interval=wilson(count, measured))
    # Of the failing cases only those drawn were looked at: their share, carried over to all that fail.
    scale, among = failed / measured, wilson(count, looked)
    return NeedShare(
        cases=round(count * failed / looked),
        share=count / looked * scale,
        interval=Interval(low=among.low * scale, high=among.high * scale),
    )
