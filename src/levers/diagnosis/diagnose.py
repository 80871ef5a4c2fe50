"""Find by experiment why each failing case fails: re-run it with one thing changed, and see."""

from collections.abc import Sequence

from levers.diagnosis.arrange import arrange
from levers.diagnosis.climb import ALL, climb, prune, ties, try_showing
from levers.diagnosis.headroom import SETS, measure_headroom
from levers.diagnosis.records import CaseDiagnosis, Diagnosis, Need, NeedShare
from levers.diagnosis.runs import Runs
from levers.diagnosis.verdict import decided, needs_of, suspect_label, unexplained
from levers.stack import Stack
from levers.task.records import DevCase
from levers.trial.bench import Bench
from levers.trial.records import DevTrial, as_dev
from levers.trial.statistics import wilson

SAMPLES = 5
SAMPLING_TEMPERATURE = 0.7


def diagnose(bench: Bench, stack: Stack, trial: DevTrial, capped: bool = False) -> Diagnosis:
    """Probe the failing development cases of a trial.

    The type keeps test and edge cases out: only `as_dev` makes a `DevTrial`, and it refuses them, here once more for
    callers without a type checker. With `capped` a spending cap that is reached ends the experiments and the diagnosis
    says what it knows; else BudgetError is raised.
    """
    trial = as_dev(trial)
    cases = bench.task.partition("dev")
    failing = [case for case in cases if trial.outcome(case.id).failed]
    runs = Runs(bench, stack, trial, capped)
    plain = {case.id: need for case in failing if (need := decided(case, bench))}
    open_ = [case for case in failing if case.id not in plain]
    needed = prune(runs, open_, climb(runs, open_))
    try_showing(runs, open_, needed)
    searched = [case for case in open_ if "knowledge" in needed.get(case.id, ()) and stack.part("retrieve")]
    arranged = arrange(runs, searched, needed)
    needs: dict[str, tuple[Need, ...]] = {name: (need,) for name, need in plain.items()}
    needs |= {
        case.id: needs_of(case, needed[case.id], runs, arranged.get(case.id)) for case in open_ if case.id in needed
    }
    needs |= _uncured(runs, [case for case in open_ if case.id not in needed])
    headroom = [measure_headroom(runs, probes, cases, open_, needed) for probes in SETS]
    return Diagnosis(
        stack=stack.digest,
        measured=len(cases),
        failures=len(failing),
        needs=_shares(needs, len(cases)),
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
        stopped=runs.stopped,
    )


def _uncured(runs: Runs, cases: Sequence[DevCase]) -> dict[str, tuple[Need, ...]]:
    """Cases that pass under no probe: is it luck, a weak model, the golden answer itself, or not to be told?"""
    found: dict[str, tuple[Need, ...]] = {}
    lucky = _passes_when_sampled(runs, cases)
    strong = _passes_with_reference(runs, cases)
    everything = runs.run(ALL, cases, "")
    for case in cases:
        answer = everything[case.id].answer.text if case.id in everything else ""
        if label := suspect_label(case, answer, runs.bench):
            found[case.id] = (label,)
        elif lucky.get(case.id, 0) * 2 > SAMPLES:
            because = (
                f"with everything given it passed in {lucky[case.id]} of {SAMPLES} samples, but not at temperature 0"
            )
            found[case.id] = (Need(name="consistency", because=because),)
        elif case.id in strong:
            because = "with the same prompt and everything given, the reference model passes"
            found[case.id] = (Need(name="capability", because=because),)
        else:
            found[case.id] = (unexplained(runs, case),)
    return found


def _passes_when_sampled(runs: Runs, cases: Sequence[DevCase]) -> dict[str, int]:
    passes = dict.fromkeys((case.id for case in cases), 0)
    if not cases:
        return passes
    changed = runs.probed(ALL, cases)
    for seed in range(SAMPLES):
        model = changed.model.model_copy(update={"temperature": SAMPLING_TEMPERATURE, "seed": seed})
        sampled = changed.model_copy(update={"model": model})
        for outcome in runs.vary(sampled, cases, f"sample {seed + 1} of {SAMPLES}"):
            passes[outcome.case] += outcome.passed
    return passes


def _passes_with_reference(runs: Runs, cases: Sequence[DevCase]) -> set[str]:
    reference = runs.bench.task.config.models.reference
    if not reference or not cases:
        return set()
    changed = runs.probed(ALL, cases)
    model = changed.model.model_copy(update={"id": reference, "adapter": None})
    outcomes = runs.vary(changed.model_copy(update={"model": model}), cases, "reference model")
    return {outcome.case for outcome in outcomes if outcome.passed}


def _shares(needs: dict[str, tuple[Need, ...]], measured: int) -> dict[str, NeedShare]:
    counts: dict[str, int] = {}
    for found in needs.values():
        for name in dict.fromkeys(need.name for need in found):
            counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        name: NeedShare(cases=count, share=count / measured, interval=wilson(count, measured))
        for name, count in ordered
    }
