"""Diagnosis against planted faults: how often the need that was planted is the need that is named.

    python -m benchmarks planted

A healthy task is made of made-up facts, and three more of public sets (`benchmarks.planted.real`; left out where they
are absent). Faults are planted case by case (one, then two of them), and the diagnosis is asked what every failing case
lacks. Beside it stand two baselines on the same cases and the same model: threshold rules on retrieval and faithfulness
scores, as RAG evaluators advise, and probes tried one at a time without accumulation.

The model is scripted: it reads what it is given and is weak exactly as planted. So this measures the inference
(climbing, pruning and naming), and not how a real model reacts to a probe: that needs faults planted in a real one.
"""

import sys
from collections.abc import Callable, Sequence

from benchmarks import Row, Skipped
from benchmarks.planted.baselines import single_edit, threshold_rules
from benchmarks.planted.faults import Fact, Planted, plant
from benchmarks.planted.real import SETS
from benchmarks.planted.scores import Scores, score
from levers.diagnosis import diagnose
from levers.trial import as_dev

CASES = 120
Named = dict[str, frozenset[str]]


def measure() -> list[Row]:
    """Plant one and two faults, and set what is named against what was planted."""
    rows: list[Row] = []
    for task, facts in tasks().items():
        for faults in (1, 2):
            planted = plant(CASES, faults, seed=faults, facts=facts)
            ours = score(planted.truth, by_diagnosis(planted))
            causes = f"{faults} planted {'cause' if faults == 1 else 'causes'} a case"
            what = f"macro F1 over needs, {causes}, {len(planted.truth)} cases, {task}"
            for name, other in BASELINES.items():
                theirs = score(planted.truth, other(planted))
                rows.append(_row(what, ours, name, theirs))
    return rows


def tasks() -> dict[str, list[Fact]]:
    """Return the facts of every task by name: made-up ones (none given), and those of the sets that are there."""
    found: dict[str, list[Fact]] = {"made up": []}
    for name, load in SETS.items():
        try:
            found[name] = load(CASES)
        except Skipped as error:
            print(f"planted, {name}: left out, {error}", file=sys.stderr)
    return found


def by_diagnosis(planted: Planted) -> Named:
    """Ask the diagnosis; a case that passes needs nothing."""
    trial = planted.bench.trial(planted.stack, "dev", "trial")
    found = diagnose(planted.bench, planted.stack, as_dev(trial))
    return {each.case: frozenset(need.name for need in each.needs) for each in found.cases}


BASELINES: dict[str, Callable[[Planted], Named]] = {
    "threshold rules on retrieval and faithfulness scores": threshold_rules,
    "single edits, without accumulation": single_edit,
}


def _row(what: str, ours: Scores, name: str, theirs: Scores) -> Row:
    worst = min(ours.f1, key=lambda need: ours.f1[need])
    note = (
        f"95 % interval {ours.interval.low:.2f} to {ours.interval.high:.2f}; worst {worst} {ours.f1[worst]:.2f}; "
        f"unexplained {ours.unexplained:.0%}"
    )
    return Row("planted", what, ours.macro, name, max(theirs.macro, 1e-9), "F1", note)


def confusion(truth: Named, named: Named, needs: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count, for each planted need, which needs were named on its cases."""
    return {
        need: {
            other: sum(other in named.get(case, frozenset()) for case, planted in truth.items() if need in planted)
            for other in needs
        }
        for need in needs
    }
