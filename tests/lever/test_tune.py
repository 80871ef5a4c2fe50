"""The tune lever on a tiny model with random weights: guards in the quote, a stop that force passes, the record."""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from levers.diagnosis import diagnose
from levers.errors import UserError
from levers.lever import LEVERS, Piloting, Situation, lever
from levers.lever.gates import check_lengths
from levers.lever.pilots import known_pilots, pilot_gates
from levers.lever.tune import TuneLever
from levers.lever.variants import check_pull
from levers.loop import Loop, Project
from levers.plan import choose
from levers.stack import ModelRef
from levers.stack.workshop import ADAPTERS
from levers.tuning import Fitted, Recipe, Sample, fit
from levers.tuning.pilot import Piloted, Point
from levers.view import plan_table
from levers.view.plans import gate_words, plan_rows

pytest.importorskip("peft")

COLOURS = ["red", "blue", "green", "black", "white", "brown", "pink", "grey"]
THINGS = ["boots", "tent", "stove", "rope", "lamp", "pack", "mat", "axe"]


def write_project(folder: Path, extra: list[dict[str, object]]) -> Path:
    """Write a project of 8 dev and 2 test cases, 64 examples and what is planted after them."""
    from tuning.conftest import _model, _tokenizer

    tokenizer = _tokenizer(chat=True)
    _model("llama", len(tokenizer)).save_pretrained(folder / "tiny")
    tokenizer.save_pretrained(folder / "tiny")
    asked = [
        {"prompt": f"Is the {thing} in {colour} nice?", "completion": "yes" if len(thing) > 3 else "no"}
        for thing in THINGS
        for colour in COLOURS
    ]
    cases = [
        {
            "id": f"c{at}",
            "input": f"Do you like a {colour} hat today?",
            "expected": "yes",
            "partition": "test" if at > 5 else "dev",
        }
        for at, colour in enumerate(COLOURS)
    ]
    for name, rows in (("examples.jsonl", [*asked, *extra]), ("golden.jsonl", cases)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "brief.md").write_text("Say yes or no.\n")
    (folder / "levers.yaml").write_text(
        "name: shop\ninstructions: brief.md\ngolden: golden.jsonl\nexamples: examples.jsonl\n"
        'models: {answer: hf/./tiny}\ngraders: [{kind: choice, choices: ["yes", "no"]}]\n'
    )
    return folder


def situation(folder: Path) -> Situation:
    project = Project(folder)
    trial = project.bench.trial(project.start(), "dev", "trial")
    found = diagnose(project.bench, project.start(), trial)
    return Situation(project.bench.dev, project.workshop, project.start(), trial, found, index=lambda: project.index)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Situation]:
    yield situation(write_project(tmp_path_factory.mktemp("shop"), []))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Situation]:
    planted: list[dict[str, object]] = [{"prompt": "Please, is the tent in red nice?", "completion": "no"}]
    yield situation(write_project(tmp_path_factory.mktemp("faulty"), planted))


def test_the_quote_shows_every_guard(clean: Situation, faulty: Situation) -> None:
    gates = lever("tune").quote(clean).gates
    assert [gate.goal for gate in gates] == [
        "style",
        "leaks from the golden set",
        "contradictory examples",
        "repeated examples",
        "examples the task's graders refuse",
        "personal data not in the documents",
        "rare labels",
        "facts taught without their passage",
        "examples beyond the model's window",
    ]
    assert all(gate.met for gate in gates if gate.blocks)
    unmet = [gate for gate in lever("tune").quote(faulty).gates if not gate.met]
    assert [(gate.goal, gate.have, gate.blocks) for gate in unmet] == [("contradictory examples", 1, True)]
    assert "examples.jsonl:65" in unmet[0].source


def test_hosted_models_are_not_tuned_here(clean: Situation) -> None:
    for model in ("openai/gpt-4o", "openai-responses/gpt-4o", "anthropic/claude-sonnet-4"):
        hosted = clean.stack.model_copy(update={"model": ModelRef(id=model)})
        there = replace(clean, stack=hosted)
        assert "the model is hosted" in lever("tune").quote(there).blocked
        with pytest.raises(UserError, match="found the model is hosted"):
            lever("tune").pull(there, {"force": True})


def repeated(folder: Path, count: int) -> Path:
    """Write the project with its first example alone, so many times."""
    file = write_project(folder, []) / "examples.jsonl"
    file.write_text(file.read_text().splitlines(keepends=True)[0] * count)
    return folder


def test_one_example_many_times_does_not_pass_the_data_gate(tmp_path: Path) -> None:
    there = situation(repeated(tmp_path, 300))
    gate = lever("tune").quote(there).gates[0]
    assert (gate.goal, gate.have, gate.met) == ("style", 1, False)
    assert gate.source.endswith("; 299 of 300 examples are left out")
    with pytest.raises(UserError, match="found 1 examples, expected at least 50 for style"):
        check_pull(lever("tune"), there.bench.task, {}, there.stack)
    with pytest.raises(UserError, match="found 1 to tune on, expected two at least"):
        lever("tune").pull(there, {"force": True})


def test_examples_beyond_the_window_are_told(clean: Situation, faulty: Situation) -> None:
    inside, beyond = check_lengths(clean, 256), check_lengths(clean, 10)
    assert inside.met and "256 tokens fit, the longest prompt on dev has" in inside.source
    assert not beyond.met and beyond.have == 64 and not beyond.blocks
    assert "examples.jsonl:1;" in beyond.source


def test_a_pull_by_another_method_is_checked_afterwards(clean: Situation) -> None:
    pulled = lever("tune").pull(clean, {"method": "dora", "r": 2, "epochs": 1})
    assert (pulled.stack.model.adapter or "").startswith("dora-") and "DoRA r=2" in pulled.changed
    assert any(note.startswith("after: cases in another wording") for note in pulled.notes)
    assert any("calibration error" in note for note in pulled.notes)
    assert any(
        re.fullmatch(r"epoch 1 of 1 kept: most held-out tokens right \(\d+\.\d%\).*", each) for each in pulled.notes
    )


def test_a_pull_rehearses_other_instructions_when_told_to(clean: Situation) -> None:
    tune = lever("tune")
    plain = tune.pull(clean, {"epochs": 1, "r": 2})
    rehearsed = tune.pull(clean, {"epochs": 1, "r": 2, "rehearsal": 0.2})
    assert plain.stack.model.adapter != rehearsed.stack.model.adapter
    assert "57 to learn from, 7 held out" in plain.material
    assert "to learn from, " in rehearsed.material and "of them rehearsed, 7 held out" in rehearsed.material
    with pytest.raises(UserError, match="rehearsal"):
        tune.pull(clean, {"rehearsal": 1.5})


def test_only_force_goes_past_a_contradiction_and_is_recorded(faulty: Situation) -> None:
    with pytest.raises(UserError) as told:
        lever("tune").pull(faulty, {"epochs": 1})
    assert [(each.file, each.line) for each in told.value.problems] == [("examples.jsonl", 65)]
    record = faulty.workshop.state / "forced.jsonl"
    assert not record.exists()
    pulled = lever("tune").pull(faulty, {"epochs": 1, "r": 2, "force": True})
    assert pulled.notes[0].startswith("forced past examples.jsonl:65: contradiction")
    assert "57 to learn from, 7 held out" in pulled.material  # line 65 is left out all the same
    (line,) = [json.loads(text) for text in record.read_text().splitlines()]
    assert line["lever"] == "tune" and line["past"] == [pulled.notes[0].removesuffix(" (left out)")]


def test_a_pilot_takes_the_place_of_the_rule_of_thumb(clean: Situation) -> None:
    tune = lever("tune")
    assert isinstance(tune, Piloting)
    assert tune.quote(clean).pilot is None
    found = tune.pilot(clean, {"epochs": 1, "r": 2}, (0.1, 0.2, 0.3, 0.4))
    assert [point.examples for point in found.points] == [6, 11, 17, 23] and found.examples == 57
    quote = tune.quote(clean)
    assert quote.pilot == found
    task = Project(clean.bench.task.root).task
    aim = task.config.model_copy(update={"targets": task.config.targets.model_copy(update={"quality": 0.5})})
    others = [task.model_copy(update=each) for each in ({"config": aim}, {"cases": task.cases[1:]})]
    known = [known_pilots(clean.workshop.state, clean.stack, each) for each in (task, *others)]
    assert known == [found, None, None]  # pilots tell nothing of another target or other cases
    first, *rest = quote.gates
    assert first.goal == "a gain, by the pilot" and first.have == 57 and first.blocks
    assert first.met == (first.need <= 57)
    assert "pilot: lora on 6 to 23 examples; all 57 would reach" in first.source
    assert all(gate.goal != "style" for gate in rest)
    quotes = [each.quote(clean) for each in LEVERS]
    plan = choose(clean.stack.digest, quotes, (), 100)
    option = next(each for each in plan.options if each.quote.lever == "tune")
    if not first.met:
        assert option.verdict == "no" and "by the pilot" in option.why
    console = Console(record=True, width=400, file=io.StringIO())
    console.print(plan_table(plan))
    page = [gate.text for each in plan_rows(plan, "").options if each.lever == "tune" for gate in each.gates]
    shown = " ".join(console.export_text().split())
    for gate in quote.gates:  # every guard, gate and forecast stands in the plan and in the report
        assert gate_words(gate) in page and gate_words(gate) in shown


def test_each_part_of_a_pilot_rehearses_its_share(clean: Situation) -> None:
    tune, kept = lever("tune"), clean.workshop.state / ADAPTERS
    assert isinstance(tune, Piloting)
    before = set(kept.glob("lora-*"))
    found = tune.pilot(clean, {"epochs": 1, "r": 2, "rehearsal": 1.0}, (0.1, 0.2, 0.3, 0.4))
    made = sorted(
        json.loads((each / "levers.json").read_text())["examples"] for each in set(kept.glob("lora-*")) - before
    )
    more = [size - point.examples for size, point in zip(made, found.points, strict=True)]
    assert more == sorted(more) and 0 < more[-1] <= found.points[-1].examples


def test_each_part_of_a_pilot_is_tuned_as_if_it_were_all(clean: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs of a tenth of the examples would be a step or two, and teach nothing."""
    tune, seen = lever("tune"), []
    assert isinstance(tune, Piloting)

    def once(base: str, part: list[Sample], held: list[Sample], recipe: Recipe, *where: Path, **more: Any) -> Fitted:
        seen.append((len(part), recipe))
        return fit(base, part, held, recipe.model_copy(update={"epochs": 1}), *where, **more)

    monkeypatch.setattr("levers.lever.tune.recipe_for", lambda base, method, examples: Recipe(epochs=100 // examples))
    monkeypatch.setattr("levers.lever.pilots.fit", once)
    found = tune.pilot(clean, {"r": 2}, (0.1, 0.2, 0.3, 0.4))
    told = [(size, recipe.epochs, recipe.r) for size, recipe in seen]
    assert told == [(point.examples, 100 // point.examples, 2) for point in found.points] and len(told) == 4


@pytest.mark.parametrize("asked", [True, False])
def test_a_run_makes_pilots_before_a_tuning_when_asked(
    asked: bool, clean: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    class Tried(TuneLever):
        def pilot(self, situation: Situation, settings: dict[str, Any], shares: Sequence[float] = ()) -> Piloted:
            made.append(settings)
            return Piloted(stack="s", how="lora", examples=1, untuned=0.0, points=())

    wanted = {"unlocks": 0.5, "gates": (), "blocked": "", "pilot": None}
    plan = choose(clean.stack.digest, [lever("tune").quote(clean).model_copy(update=wanted)], (), 100)
    assert plan.next == "tune"
    loop = Loop(Project(clean.bench.task.root), pilots=asked)
    monkeypatch.setattr("levers.loop.run.lever", lambda name: Tried())
    monkeypatch.setattr(loop, "_plan", lambda situation: plan)
    loop._think(clean.stack, clean.trial)
    assert made == ([{}] if asked else [])


@pytest.fixture
def foreseen(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let pilots of every stack be known, from so large a share right before any."""
    points = tuple(Point(examples=n, right=1 - 3 * n**-0.5, checked=5000) for n in (100, 150, 200, 250, 300))

    def known(untuned: float) -> None:
        found = Piloted(stack="s", how="lora", examples=400, untuned=untuned, points=points, target=0.9999)
        monkeypatch.setattr("levers.lever.tune.known_pilots", lambda *_: found)

    return known


def test_what_pilots_foresee_stops_a_pull_in_the_place_of_the_data_gate(
    tmp_path: Path, foreseen: Callable[[float], None]
) -> None:
    lines = (write_project(tmp_path, []) / "examples.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "examples.jsonl").write_text("".join(lines[:40]))
    few, settings = situation(tmp_path), {"epochs": 1, "r": 2}
    with pytest.raises(UserError, match="at least 50 for style"):
        check_pull(lever("tune"), few.bench.task, settings, few.stack)
    with pytest.raises(UserError, match="at least 50 for style"):
        lever("tune").pull(few, settings)
    foreseen(0.5)  # a gain, and a target beyond reach, which is told only
    assert all(gate.met for gate in lever("tune").quote(few).gates if gate.blocks)
    check_pull(lever("tune"), few.bench.task, settings, few.stack)
    assert lever("tune").pull(few, settings).stack.model.adapter
    foreseen(0.9999)
    with pytest.raises(UserError, match="for a gain, by the pilot"):
        lever("tune").pull(few, settings)


def test_a_pilot_that_foresees_a_target_says_how_many_examples() -> None:
    points = tuple(Point(examples=n, right=1 - 3 * n**-0.5, checked=5000) for n in (100, 150, 200, 250, 300))
    found = Piloted(stack="s", how="lora", examples=1000, untuned=0.5, points=points, target=0.95)
    gain, target = pilot_gates(found)
    assert gain.met and 30 <= gain.need == gain.usual < 60
    assert not target.met and not target.blocks and 2500 < target.need < 5000
    assert "twice as many" in gain.source and "0.5" not in gain.goal
    hopeless = pilot_gates(found.model_copy(update={"target": 0.9999}))[1]
    assert hopeless.need == 30_000 and "would not do" in hopeless.source


def test_an_unknown_method_names_the_known_ones(clean: Situation) -> None:
    with pytest.raises(UserError, match="lora"):
        lever("tune").pull(clean, {"method": "magic"})
