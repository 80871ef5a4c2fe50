"""Diagnosis against planted faults: how often the need that was planted is the need that is named.

    python -m benchmarks planted

A healthy task is made of made-up facts, of the shipped example, and of public sets (`benchmarks.planted.real`; left out
where they are absent). Faults are planted case by case (one, then two of them), and the diagnosis is asked what every
failing case lacks. Beside it stand two baselines on the same cases and the same model: threshold rules on retrieval and
faithfulness scores, as RAG evaluators advise, and probes tried one at a time without accumulation.

The model is scripted: it reads what it is given and is weak exactly as planted; in a second pass it also answers 5 % of
all prompts wrong, whatever stands in them. So this measures the inference (climbing, pruning and naming), and not how a
real model reacts to a probe: for that see `python -m benchmarks reader`.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

from benchmarks import Row, Skipped
from benchmarks.planted.baselines import single_edit, threshold_rules
from benchmarks.planted.faults import FORMS, Fact, Planted, plant
from benchmarks.planted.real import SETS
from benchmarks.planted.scores import Named, Scores, score, table
from levers.diagnosis import Diagnosis, diagnose
from levers.trial import as_dev

CASES = 120
NOISE = (0.0, 0.05)
POOLED = "all tasks together"


class Task(NamedTuple):
    """What faults are planted in: facts (none: made-up ones), and whether the answers are labels."""

    facts: Sequence[Fact]
    labels: bool = False


class Asked(NamedTuple):
    """What was named, how many asks and words of prompt it took, and how many forms of retrieval were told right."""

    named: Named
    asks: int
    words: int
    forms: tuple[int, int] = (0, 0)


def measure() -> list[Row]:
    """Plant one and two faults, and set what is named against what was planted."""
    rows: list[Row] = []
    for faults, noise in product((1, 2), NOISE):
        pooled: dict[str, list[tuple[str, Planted, Asked]]] = {}
        for place, (task, given) in enumerate(tasks().items()):
            planted = plant(CASES, faults, seed=faults, facts=given.facts, labels=given.labels, noise=noise)
            for name, ask in WAYS.items():
                pooled.setdefault(name, []).append((str(place), planted, asked(planted, ask)))
            rows += _rows(task, faults, noise, {name: found[-1:] for name, found in pooled.items()})
        rows += _rows(POOLED, faults, noise, pooled)
    return rows


def tasks() -> dict[str, Task]:
    """Return the facts of every task by name: made-up ones (none given), and those of the sets that are there."""
    found = {"made-up facts": Task(())}
    for name, source in SETS.items():
        try:
            found[name] = Task(source.load(CASES), source.labels)
        except Skipped as error:
            print(f"planted, {name}: left out, {error}", file=sys.stderr)
    return found


def by_diagnosis(planted: Planted) -> Named:
    """Ask the diagnosis; a case that passes needs nothing."""
    return needs(_diagnosed(planted))


def needs(found: Diagnosis) -> Named:
    """Return the names of every case's needs."""
    return {each.case: frozenset(need.name for need in each.needs) for each in found.cases}


def forms(planted: Planted, found: Diagnosis) -> tuple[int, int]:
    """Count the cases whose search was broken, and those of them whose form of it was named."""
    wanted = {case: faults & set(FORMS) for case, faults in planted.faults.items() if faults & set(FORMS)}
    named = {each.case: {need.detail for need in each.needs if need.name == "retrieval"} for each in found.cases}
    return sum(named.get(case, set()) == form for case, form in wanted.items()), len(wanted)


def asked(planted: Planted, ask: Callable[[Planted], Named]) -> Asked:
    """Name needs in one way, and count what the model was asked for it."""
    models = planted.bench.workshop.models
    before = {name: len(model.asked) for name, model in models.items()}
    told = (0, 0)
    if ask is by_diagnosis:
        found = _diagnosed(planted)
        named, told = needs(found), forms(planted, found)
    else:
        named = ask(planted)
    sent = [each for name, model in models.items() for each in model.asked[before.get(name, 0) :]]
    words = sum(len(message.content.split()) for each in sent for message in each.messages)
    return Asked(named, len(sent), words, told)


def _diagnosed(planted: Planted) -> Diagnosis:
    trial = planted.bench.trial(planted.stack, "dev", "trial")
    return diagnose(planted.bench, planted.stack, as_dev(trial))


OURS = "diagnosis"
BASELINES: dict[str, Callable[[Planted], Named]] = {
    "threshold rules on retrieval and faithfulness scores": threshold_rules,
    "single edits, without accumulation": single_edit,
}
WAYS = {OURS: by_diagnosis, **BASELINES}


def _rows(task: str, faults: int, noise: float, found: dict[str, list[tuple[str, Planted, Asked]]]) -> list[Row]:
    """Return a row for each baseline; the first carries the table of needs."""
    truth = {f"{place}-{case}": each for place, planted, _ in found[OURS] for case, each in planted.truth.items()}
    named = {
        way: {f"{place}-{case}": needs for place, _, each in runs for case, needs in each.named.items()}
        for way, runs in found.items()
    }
    ours = score(truth, named[OURS])
    causes = f"{faults} planted {'cause' if faults == 1 else 'causes'} a case"
    reader = f", a reader that errs on {noise:.0%} of prompts" if noise else ""
    what = f"macro F1 over needs, {causes}, {len(truth)} cases, {task}{reader}"
    failing = sum(bool(planted) for planted in truth.values())
    told = [sum(each.forms[place] for _, _, each in found[OURS]) for place in (0, 1)]
    costs = [
        f"{way}: {sum(each.asks for _, _, each in runs) / failing:.1f} asks and "
        f"{sum(each.words for _, _, each in runs) / failing:,.0f} words of prompt a failing case"
        for way, runs in found.items()
    ]
    shown = [table(truth, named[OURS], ours), f"how search failed: named right in {told[0]} of {told[1]}", *costs]
    rows = []
    for name in BASELINES:
        theirs = score(truth, named[name])
        rows.append(_row(what, ours, name, theirs, "" if rows else "\n".join(shown)))
    return rows


def _row(what: str, ours: Scores, name: str, theirs: Scores, shown: str) -> Row:
    note = (
        f"95 % intervals {ours.interval.low:.2f} to {ours.interval.high:.2f} against {theirs.interval.low:.2f} to "
        f"{theirs.interval.high:.2f}; worst {ours.worst} {ours.f1[ours.worst]:.2f}; "
        f"unexplained {ours.unexplained:.1%}; label faults that blame the model: {ours.blamed}"
    )
    return Row("planted", what, ours.macro, name, max(theirs.macro, 1e-9), "F1", note, shown)
