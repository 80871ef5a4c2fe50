"""How verbs end: what `--json` prints is JSON, whatever the figures."""

import json
import math

import pytest

from levers.cli.console import emit


def test_a_number_without_bound_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    emit(True, lambda: {"spread": {"ends": (-math.inf, 1.5), "error": math.nan}}, lambda: "")
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "spread": {"ends": [None, 1.5], "error": None}
    }
