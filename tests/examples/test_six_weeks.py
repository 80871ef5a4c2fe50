"""The six-week mistake as an example: its catalogue, its projects, and a run too short to learn anything."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import levers

SCRIPT = Path(__file__).parents[2] / "examples" / "six_week_mistake.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("six_week_mistake", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_second_fact_changes(script: ModuleType) -> None:
    old, new = script.catalogue(24)
    assert [fact[:2] for fact in old] == [fact[:2] for fact in new] and len(old) == 48
    assert sum(one != other for one, other in zip(old, new, strict=True)) == 24
    assert len({fact.value for fact in old}) == 48


def test_no_held_out_wording_is_an_example_and_the_guard_sees_facts(script: ModuleType, tmp_path: Path) -> None:
    folder = script.write_project(tmp_path / "v1", script.catalogue(4)[0])
    task = levers.load(folder).task
    asked = {example.question for example in task.examples}
    assert len(asked) == 32 and not asked & {case.question for case in task.cases}
    found = levers.check(folder)
    assert found.problems == ()
    assert any("32 of 32 examples hold facts of the documents" in note for note in found.notes)


def test_a_short_run_measures_both_versions(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("peft")
    pytest.importorskip("lancedb")
    assert script.main(["--products", "2", "--epochs", "1", "--again"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("tuned on version 1") == 2 and shown.count("tuned again") == 1 and shown.count("retrieval ") == 4
    assert "4 questions, 2 facts change" in shown
