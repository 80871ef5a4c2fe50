"""`levers pilot` over the command line: parts are measured, a forecast is quoted, wrong options are named."""

import json
from pathlib import Path
from typing import Any

import pytest
from lever.test_tune import write_project
from typer.testing import CliRunner

from levers.cli import app

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("pilots"), [])


def levers(*arguments: str | Path) -> tuple[int, Any]:
    given = [str(each) for each in arguments]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout) if "--json" in given and result.stdout else result.output


def test_parts_are_tuned_measured_and_quoted(shop: Path) -> None:
    options = ["--shares", "0.1,0.2,0.3,0.4", "--set", "epochs=1", "--set", "r=2", "-p", shop]
    code, found = levers("pilot", *options, "--json")
    assert [point["examples"] for point in found["points"]] == [6, 11, 17, 23]
    assert found["whole"]["examples"] == 57 and found["twice"]["examples"] == 114
    assert code == (0 if found["whole"]["high"] > found["untuned"] else 1)
    assert set(found["needed"]) == {"gain", "target"}
    assert "forecast: 57 examples would reach" in levers("pilot", *options)[1]
    options = levers("plan", "-p", shop, "--json")[1]["options"]
    (tune,) = [each for each in options if each["lever"] == "tune"]
    assert tune["pilot"]["points"] == found["points"]
    assert tune["gates"][0]["goal"] == "a gain, by the pilot"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--shares", "a,b"], "--shares"),
        (["--shares", "0.1,0.2"], "four different shares"),
        (["retrieve"], "one of tune"),
        (["--set", "epochs"], "key=value"),
    ],
)
def test_wrong_options_are_named(shop: Path, options: list[str], says: str) -> None:
    code, text = levers("pilot", *options, "-p", shop)
    assert code == 2 and says in text
