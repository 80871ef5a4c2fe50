"""The tune lever on a tiny model with random weights: guards in the quote, a stop that force passes, the record."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from levers.diagnosis import diagnose
from levers.errors import UserError
from levers.lever import Situation, lever
from levers.loop import Project

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
    return Situation(project.bench, project.workshop, project.start(), trial, found, index=lambda: project.index)


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
    ]
    assert all(gate.met for gate in gates if gate.blocks)
    unmet = [gate for gate in lever("tune").quote(faulty).gates if not gate.met]
    assert [(gate.goal, gate.have, gate.blocks) for gate in unmet] == [("contradictory examples", 1, True)]
    assert "examples.jsonl:65" in unmet[0].source


def test_a_pull_by_another_method_is_checked_afterwards(clean: Situation) -> None:
    pulled = lever("tune").pull(clean, {"method": "dora", "r": 2, "epochs": 1})
    assert (pulled.stack.model.adapter or "").startswith("dora-") and "DoRA r=2" in pulled.changed
    assert any(note.startswith("after: cases in another wording") for note in pulled.notes)
    assert any("calibration error" in note for note in pulled.notes)


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


def test_an_unknown_method_names_the_known_ones(clean: Situation) -> None:
    with pytest.raises(UserError, match="lora"):
        lever("tune").pull(clean, {"method": "magic"})
