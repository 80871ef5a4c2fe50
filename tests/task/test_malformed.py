"""Malformed projects: every problem is named with its file, line and a hint, and nothing is written."""

import pytest
from tests.task import broken_cases, broken_settings
from tests.task.broken import Broken, config, golden
from tests.task.conftest import CONFIG, Make, case, tree_hash

from levers.errors import UserError
from levers.task import check, load

BROKEN = [*broken_cases.BROKEN, *broken_settings.BROKEN]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.name)
def test_named_with_file_line_and_hint_and_nothing_written(broken: Broken, make: Make) -> None:
    root = make(broken.files)
    before = tree_hash(root)
    report = check(root)
    with pytest.raises(UserError) as caught:
        load(root)
    assert tree_hash(root) == before
    assert list(caught.value.problems) == list(report.problems)
    assert len(report.problems) == 1, [str(each) for each in report.problems]
    problem = report.problems[0]
    assert problem.file == broken.file or problem.file.endswith("/" + broken.file)
    assert (problem.line, problem.field) == (broken.line, broken.field)
    assert broken.found in problem.found, problem
    assert broken.hint in problem.hint, problem
    assert problem.hint and problem.expected, "every problem says what was expected and what to do"


def test_a_truth_stands_where_a_grader_takes_one(make: Make) -> None:
    judge = "- {kind: judge, model: openai/gpt-4o, pairwise: %s}"
    assert check(make({"levers.yaml": config("- kind: exact", judge % "true")})).problems == ()
    (problem,) = check(make({"levers.yaml": config("- kind: exact", judge % "perhaps")})).problems
    assert problem.hint == "write true or false"


def test_a_list_of_choices_is_given_once(make: Make) -> None:
    for files in (
        {"golden.jsonl": golden(case(6, "training"))},
        {"levers.yaml": CONFIG + "zzz: 1\n"},
        {"levers.yaml": config("kind: exact", "kind: zzz")},
        {"examples.csv": "prompt,completion,zzz\na,b,c\n", "levers.yaml": CONFIG.replace(".jsonl\nm", ".csv\nm")},
    ):
        problems = check(make(files)).problems
        assert problems and not any("choose from" in each.hint for each in problems), problems


def test_all_problems_of_all_files_at_once(make: Make) -> None:
    root = make(
        {
            "levers.yaml": config("targets:", "target:").replace("pocket", "poket"),
            "golden.jsonl": golden(case(6, "tset")) + "{\n",
            "examples.jsonl": "[]\n",
            "brief.md": "",
        }
    )
    places = [(each.file, each.line) for each in check(root).problems]
    assert sorted(places, key=str) == [
        ("brief.md", 1),
        ("examples.jsonl", 1),
        ("golden.jsonl", 6),
        ("golden.jsonl", 7),
        ("levers.yaml", 6),
        ("levers.yaml", 9),
    ]


def test_a_wholly_wrong_file_is_reported_briefly(make: Make) -> None:
    report = check(make({"golden.jsonl": "no JSON here\n" * 1000}))
    assert len(report.problems) == 201
    assert report.problems[-1].found == "800 more problems in this file"
