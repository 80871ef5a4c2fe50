"""The benchmarks run and say what they are set against; their figures are the machine's business."""

import json

import pytest
from docs.reading import ROOT


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import __main__, trials

    monkeypatch.setattr(trials, "REPEATS", 1)
    return __main__


def test_trials_are_measured_against_peers(benchmarks, capsys):
    assert benchmarks.main(["trials", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["rows"]) == 2
    for row in shown["rows"]:
        assert row["measured"] > 0 and row["limit"] > 0 and row["against"]
        assert row["ratio"] == pytest.approx(row["measured"] / row["limit"])


def test_an_unknown_name_is_refused(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(["speed"])
    assert "choose from search, generation, trials, memory, concurrency, coverage" in capsys.readouterr().err


def test_what_cannot_run_is_skipped_with_its_reason(benchmarks, monkeypatch, capsys):
    from benchmarks import Skipped

    def measure():
        raise Skipped("torch is not installed")

    monkeypatch.setitem(benchmarks.ALL, "generation", measure)
    assert benchmarks.main(["generation"]) == 0
    assert "generation: skipped, torch is not installed" in capsys.readouterr().out
