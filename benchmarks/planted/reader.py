"""Faults planted before a real reader: pocket answers, and only documents, index, access and golden answers are broken.

    python -m benchmarks reader

Of each set the questions are kept that pocket answers right with its search healthy, so that every failure is a planted
one. What is weak in a model cannot be planted in a real one; so the faults are those of the material: removed,
corrupted, missed, buried, stale, denied, mislabelled. How the reader takes a probe is its own: a case that it fails
with the evidence in hand, where the scripted one would pass, is told as it comes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import Row, Skipped
from benchmarks.planted.baselines import rules_for_text, single_edit
from benchmarks.planted.faults import NEED, Fact, Planted, World
from benchmarks.planted.real import SETS
from benchmarks.planted.scores import score, table
from levers.diagnosis import diagnose
from levers.model import Model, open_model
from levers.model.pocket import weights_path
from levers.stack import Instruct, ModelRef, Retrieve, Stack
from levers.task import Case, GraderSpec, Material, Models, Task, TaskConfig
from levers.trial import as_dev
from levers.trial.bench import Bench

FAULTS = ("removed", "corrupted", "missed", "buried", "stale", "denied", "mislabelled")
CHOSEN = ("the example `support`", "Wikipedia (squad2_dev)")
CASES, K = 100, 2
_LONGEST = 500  # characters of a passage: two of them, with the brief, fit well into pocket's window
_BRIEF = "Answer with the shortest phrase of the passages that answers the question. If none does, say: not found"


def measure() -> list[Row]:
    """Plant in each set what pocket can answer, and set what is named against what was planted."""
    if not (weights_path() / "model.safetensors").is_file():
        raise Skipped("pocket's weights are not here")
    model = open_model("pocket")
    rows = []
    for name in CHOSEN:
        try:
            facts = [fact for fact in SETS[name].load(CASES) if len(fact.text) <= _LONGEST]
        except Skipped as error:
            print(f"reader, {name}: left out, {error}")
            continue
        rows += _rows(name, answerable(facts, model), model)
    return rows


def answerable(facts: Sequence[Fact], model: Model) -> list[Fact]:
    """Return the facts that the model answers right with nothing broken."""
    healthy = broken(facts, {}, model)
    trial = healthy.bench.trial(healthy.stack, "dev", "healthy")
    return [fact for fact, outcome in zip(facts, trial.outcomes, strict=True) if outcome.passed]


def broken(facts: Sequence[Fact], chosen: Mapping[int, str], model: Model) -> Planted:
    """Plant a fault in each of the chosen facts; the others stay healthy."""
    faults = {f"c{place}": frozenset({chosen[place]} if place in chosen else ()) for place in range(len(facts))}
    cases = []
    for place, fact in enumerate(facts):
        fault = chosen.get(place, "")
        cases.append(
            Case(
                id=f"c{place}",
                input=fact.question,
                expected=facts[place - 1].answer if fault == "mislabelled" else fact.answer,
                partition="dev",
                evidence=(f"docs/c{place}.md#fact",),
                user="guest" if fault == "denied" else None,
            )
        )
    config = TaskConfig(
        name="reader",
        instructions="brief.md",
        golden="golden.jsonl",
        knowledge=Material(documents="docs/"),
        models=Models(answer="pocket"),
        graders=(GraderSpec(kind="contains"),),
    )
    task = Task(root=Path("."), config=config, instructions=_BRIEF, cases=tuple(cases))
    stack = Stack(model=ModelRef(id="pocket"), parts=(Instruct(text=_BRIEF), Retrieve(index="planted", k=K)))
    others = [f"nowhere {number}" for number in range(9)]
    world = _Read(faults, facts, others, model)
    truth = {case: frozenset(NEED[each] for each in picked) for case, picked in faults.items()}
    return Planted(Bench(task=task, workshop=world, library=world), stack, truth, faults)


class _Read(World):
    """The planted world, read by a real model."""

    def __init__(
        self, faults: dict[str, frozenset[str]], facts: Sequence[Fact], words: Sequence[str], model: Model
    ) -> None:
        super().__init__(faults, facts, words, buried=K + 1)
        self._model = model

    def model(self, reference: ModelRef) -> Model:  # type: ignore[override]
        return self._model


def _rows(name: str, facts: Sequence[Fact], model: Model) -> list[Row]:
    planted = broken(facts, {place: FAULTS[place % len(FAULTS)] for place in range(len(facts))}, model)
    trial = as_dev(planted.bench.trial(planted.stack, "dev", "trial"))
    failing = {outcome.case for outcome in trial.outcomes if outcome.failed}
    truth = {case: needs for case, needs in planted.truth.items() if case in failing}
    found = diagnose(planted.bench, planted.stack, trial)
    named = {each.case: frozenset(need.name for need in each.needs) for each in found.cases}
    ours = score(truth, named)
    what = f"macro F1 over needs, one planted cause a case, read by pocket: {len(truth)} failing cases, {name}"
    harmless = len(planted.truth) - len(truth)
    note = (
        f"95 % interval {ours.interval.low:.2f} to {ours.interval.high:.2f}; worst {ours.worst} "
        f"{ours.f1[ours.worst]:.2f}; unexplained {ours.unexplained:.1%}; label faults that blame the model: "
        f"{ours.blamed}; {harmless} planted faults made no case fail"
    )
    rows = []
    ways = {"threshold rules on retrieval and faithfulness": rules_for_text, "single edits": single_edit}
    for way, ask in ways.items():
        theirs = score(truth, ask(planted))
        shown = "" if rows else table(truth, named, ours)
        rows.append(Row("reader", what, ours.macro, way, max(theirs.macro, 1e-9), "F1", note, shown))
    return rows
