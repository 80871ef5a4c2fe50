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


def test_planted_faults_are_named_better_than_by_thresholds_or_single_edits(benchmarks, monkeypatch, capsys):
    from benchmarks import planted

    monkeypatch.setattr(planted, "CASES", 44)
    monkeypatch.setattr(planted, "SETS", {})
    assert benchmarks.main(["planted", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    one, two = ([row for row in rows if row["what"].count(f" {faults} planted")] for faults in (1, 2))
    assert len(one) == len(two) == 2
    assert all(row["measured"] >= 0.9 and row["ratio"] > 1.3 for row in one)
    assert all(row["measured"] >= 0.8 and row["ratio"] > 1.3 for row in two)


def test_no_mislabelled_case_blames_the_model(benchmarks):
    from benchmarks import planted

    found = planted.plant(44, 1, seed=3)
    named = planted.by_diagnosis(found)
    mislabelled = [case for case, faults in found.faults.items() if "mislabelled" in faults]
    assert mislabelled and all(named[case] == {"label"} for case in mislabelled)
    assert all(not named.get(case) for case, faults in found.faults.items() if not faults)


def test_facts_of_public_sets_can_be_planted(benchmarks):
    from benchmarks import Skipped, planted
    from benchmarks.planted import real

    try:
        facts = real.squad(44)
    except Skipped as error:
        pytest.skip(str(error))
    assert len({fact.text for fact in facts}) == len({fact.answer for fact in facts}) == 44
    assert all(fact.answer in fact.text for fact in facts)
    found = planted.plant(44, 2, seed=2, facts=facts)
    assert planted.score(found.truth, planted.by_diagnosis(found)).macro >= 0.9


def test_an_unknown_name_is_refused(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(["speed"])
    assert (
        "choose from search, generation, trials, memory, concurrency, coverage, planted, structure, students"
        in capsys.readouterr().err
    )


def test_what_cannot_run_is_skipped_with_its_reason(benchmarks, monkeypatch, capsys):
    from benchmarks import Skipped

    def measure():
        raise Skipped("torch is not installed")

    monkeypatch.setitem(benchmarks.ALL, "generation", measure)
    assert benchmarks.main(["generation"]) == 0
    assert "generation: skipped, torch is not installed" in capsys.readouterr().out
