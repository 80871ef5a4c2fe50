"""The main job on the shipped example, with the embedded models: one real run, looked at from several sides."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import levers
from levers.cli.console import DONE, NO
from levers.loop import Run
from levers.model.pocket import weights_path

pytestmark = pytest.mark.skipif(
    not (weights_path() / "model.safetensors").is_file(), reason="pocket's weights are not here"
)
OLD_PRICE, NEW_PRICE = "4.90", "5.35"


def _levers(*arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "levers", *arguments, "--json"]
    both_cores = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=both_cores)
    assert done.returncode in {DONE, NO}, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return levers.init(tmp_path_factory.mktemp("e2e") / "support")


@pytest.fixture(scope="module")
def result(project: Path) -> dict[str, Any]:
    return _levers("run", str(project))[1]


def test_the_plain_prompt_starts_low_and_the_final_stack_is_better_on_test(result: dict[str, Any]) -> None:
    assert result["steps"][0]["quality"]["test"] <= 0.25
    assert result["quality"]["test"] >= 0.65
    assert result["quality"]["edge"] >= result["steps"][0]["quality"]["edge"]


def test_three_levers_are_accepted_and_every_rejection_has_its_reason(result: dict[str, Any]) -> None:
    accepted = [step for step in result["steps"] if step["verdict"] == "accepted"]
    assert len({step["lever"] for step in accepted}) >= 3
    assert all(step["p_value"] < 0.05 for step in accepted)
    assert all(len(step["why"]) > 20 for step in result["steps"] if step["verdict"] == "rejected")


def test_every_opening_of_test_is_recorded(project: Path, result: dict[str, Any]) -> None:
    lines = (project / ".levers" / "openings.jsonl").read_text().splitlines()
    assert {json.loads(line)["stack"] for line in lines} == {opening["stack"] for opening in result["openings"]}


def test_the_report_is_whole_and_self_contained(project: Path, result: dict[str, Any]) -> None:
    page = (project / result["report"]).read_text()
    assert page.rstrip().endswith("</html>")
    assert len(page) < 2_000_000
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_second_run_repeats_nothing_and_says_the_same(project: Path, result: dict[str, Any]) -> None:
    assert _levers("run", str(project))[1] == result


def test_the_answer_follows_a_changed_document(project: Path, result: dict[str, Any], tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(project, changed)
    page = changed / "docs" / "shipping" / "rates.md"
    page.write_text(page.read_text().replace(OLD_PRICE, NEW_PRICE))
    asked = "What does standard delivery cost?"
    assert OLD_PRICE in levers.ask(levers.load(project), asked).answer.text
    assert NEW_PRICE in levers.ask(levers.load(changed), asked).answer.text


def test_staff_matters_stay_with_staff(project: Path, result: dict[str, Any]) -> None:
    opened = levers.load(project)
    asked = "What is our employee discount?"
    as_customer = levers.ask(opened, asked, user="ana").answer
    assert all(not passage.document.startswith("docs/staff/") for passage in as_customer.passages)
    as_staff = levers.ask(opened, asked, user="mira").answer
    assert any(passage.document.startswith("docs/staff/") for passage in as_staff.passages)


def test_the_run_on_disk_is_the_run(project: Path, result: dict[str, Any]) -> None:
    kept = Run.model_validate_json((project / ".levers" / "runs" / result["id"] / "run.json").read_text())
    assert [step.lever for step in kept.steps] == [step["lever"] for step in result["steps"]]
