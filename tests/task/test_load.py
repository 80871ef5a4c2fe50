import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.task.conftest import CONFIG, Make, as_lines, case, cases, tree_hash

from levers.errors import Problem, UserError
from levers.ledger import Message
from levers.task import check, load
from levers.task.config import read_config
from levers.task.golden import read_golden
from levers.task.rules import document_ids


def test_a_sound_project_loads_whole(make: Make) -> None:
    root = make()
    task = load(root)
    assert [each.id for each in task.partition("dev")] == ["c1", "c2"]
    assert task.cases[0].evidence == ("docs/returns.md#refunds",)
    assert task.instructions == "Answer in a few words."
    assert task.examples[0].messages == (Message(role="user", content="May I swap a jacket?"),)
    assert (task.examples[0].answer, task.examples[0].line) == ("Yes.", 1)
    assert task.config.targets.quality == 0.9
    assert load(root / "levers.yaml") == task


def test_check_counts_and_stays_silent_on_a_sound_project(make: Make) -> None:
    report = check(make())
    assert report.ok
    assert report.notes == ()
    expected = {
        "cases": 5,
        "dev": 2,
        "test": 2,
        "edge": 1,
        "with_evidence": 1,
        "examples": 1,
        "documents": 1,
        "graders": 1,
    }
    assert report.counts == expected


def test_notes_what_is_weak_but_not_wrong(make: Make) -> None:
    config = CONFIG.replace("kind: exact", "kind: citation")
    report = check(make({"levers.yaml": config, "golden.jsonl": as_lines([case(1, "dev"), case(2, "test")])}))
    assert report.ok
    assert len(report.notes) == 2
    assert "no edge cases" in report.notes[0]
    assert "citation" in report.notes[1]


def test_the_digest_follows_the_content_and_not_the_folder(make: Make, tmp_path: Path) -> None:
    root = make()
    before = load(root).digest
    root.rename(tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere").digest == before
    (tmp_path / "elsewhere" / "brief.md").write_text("Answer at length.")
    assert load(tmp_path / "elsewhere").digest != before


def test_a_byte_order_mark_and_windows_line_ends_are_tolerated(make: Make) -> None:
    files = {"golden.jsonl": as_lines(cases()), "levers.yaml": CONFIG}
    marked = make({name: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for name, text in files.items()})
    assert len(load(marked).cases) == 5


def test_a_line_separator_inside_a_text_does_not_end_the_line(make: Make) -> None:
    rows = [json.dumps(row, ensure_ascii=False) for row in [*cases(), case(6, "dev", input="one\u2028two\x85three")]]
    assert load(make({"golden.jsonl": "\n".join(rows)})).cases[-1].question == "one\u2028two\x85three"


def test_schemas_are_loaded_by_their_file_name(make: Make) -> None:
    config = CONFIG.replace("- kind: exact", "- {kind: schema, schema: forms/answer.json}")
    task = load(make({"levers.yaml": config, "forms/answer.json": '{"type": "object"}'}))
    assert task.schemas == {"forms/answer.json": {"type": "object"}}
    assert task.answer_schema == {"type": "object"}


def test_the_same_question_by_two_users_is_two_cases(make: Make) -> None:
    rows = [*cases(), case(6, "dev", user="ana"), case(6, "test", id="c7", user="ben")]
    assert check(make({"golden.jsonl": as_lines(rows)})).ok


def test_an_edge_case_may_be_empty(make: Make) -> None:
    assert check(make({"golden.jsonl": as_lines([*cases(), case(6, "edge", input=" ")])})).ok
    assert not check(make({"golden.jsonl": as_lines([*cases(), case(7, "dev", input=" ")])})).ok


def test_models_are_judged_by_the_checker_that_is_passed_in(make: Make) -> None:
    asked = []

    def judge(reference: str, job: str, root: Path) -> Problem | None:
        asked.append((reference, job, root))
        return Problem(file="", found=reference, expected="another", hint="no") if reference == "minilm" else None

    root = make({"levers.yaml": CONFIG.replace("pocket", "nobody-knows-me")})
    problems = check(root, known_reference=judge).problems
    assert [(each.file, each.line, each.field, each.found) for each in problems] == [
        ("levers.yaml", 6, "models.embed", "minilm")
    ]
    assert asked == [("nobody-knows-me", "answer", root), ("minilm", "embed", root)]


def test_sections_are_judged_by_the_checker_that_is_passed_in(make: Make) -> None:
    root = make()
    assert check(root, sections=lambda document: {"docs/returns.md": ["refunds"]}[document]).ok
    (problem,) = check(root, sections=lambda document: ["refund"]).problems
    assert (problem.line, problem.field, problem.hint) == (1, "evidence", 'did you mean "refund"?')


def test_evidence_of_examples_is_checked_too(make: Make) -> None:
    pairs = [
        {"prompt": f"May I {verb} it?", "completion": "Yes.", "evidence": [f"docs/{place}"]}
        for verb, place in (("swap", "returns.md#refunds"), ("keep", "return.md"), ("sell", "returns.md#sales"))
    ]
    root = make({"examples.jsonl": as_lines(pairs)})
    problems = check(root, sections=lambda document: ["refunds"]).problems
    assert [(each.file, each.line, each.field, each.found) for each in problems] == [
        ("examples.jsonl", 2, "evidence", '"docs/return.md"'),
        ("examples.jsonl", 3, "evidence", '"docs/returns.md#sales"'),
    ]
    assert "1 pieces of evidence" in check(root, evidence_required=False).notes[0]


def test_evidence_is_loaded_as_documents_are_named(make: Make) -> None:
    pair = {"prompt": "May I swap it?", "completion": "Yes.", "evidence": ["./docs/returns.md#refunds"]}
    rows = [case(1, "dev", evidence=["./docs//returns.md"]), *cases()[1:]]
    task = load(make({"golden.jsonl": as_lines(rows), "examples.jsonl": as_lines([pair])}))
    assert task.cases[0].evidence == ("docs/returns.md",)
    assert task.examples[0].evidence == ("docs/returns.md#refunds",)


def test_evidence_may_be_gone_when_the_caller_says_so(make: Make) -> None:
    root = make()
    (root / "docs/returns.md").unlink()
    assert [each.field for each in check(root).problems] == ["evidence"]
    assert len(load(root, evidence_required=False).cases) == 5
    assert "1 pieces of evidence" in check(root, evidence_required=False).notes[0]


@pytest.mark.parametrize("documents", ["docs", "docs/", "./docs/"])
def test_the_documents_folder_may_be_written_in_several_ways(make: Make, documents: str) -> None:
    assert check(make({"levers.yaml": CONFIG.replace("docs/", documents)})).ok


def test_files_that_no_reader_takes_are_no_documents(make: Make) -> None:
    root = make({"docs/~a.md": "x", "docs/.b.md": "x", "docs/.c/d.md": "x"})
    assert not any(part in name for name in document_ids(root, "docs/") for part in ("~", "/."))


@pytest.mark.parametrize("documents", ["docs/", "."])
def test_files_with_answers_do_not_lie_among_the_documents(make: Make, documents: str, tmp_path: Path) -> None:
    config = CONFIG.replace("golden.jsonl", "docs/golden.jsonl").replace("examples.jsonl", "linked.jsonl")
    config = config.replace("documents: docs/", f"documents: {documents}")
    config = config.replace("- kind: exact", "- {kind: tone, labels: docs/labels.jsonl}")
    rows = as_lines([case(number, row["partition"]) for number, row in enumerate(cases())])
    shots = as_lines([{"prompt": "May I?", "completion": "Yes."}])
    root = make(
        {"levers.yaml": config, "docs/golden.jsonl": rows, "docs/shots.jsonl": shots, "docs/labels.jsonl": shots}
    )
    (root / "linked.jsonl").symlink_to(root / "docs" / "shots.jsonl")
    problems = check(root).problems
    assert [(each.file, each.line, each.field) for each in problems] == [
        ("levers.yaml", 3, "golden"),
        ("levers.yaml", 5, "examples"),
        ("levers.yaml", 8, "graders[0].labels"),
    ]
    assert all("lies in the documents' folder" in each.found and "move the file" in each.hint for each in problems)
    hidden = CONFIG.replace("golden.jsonl", "docs/.held/golden.jsonl").replace("examples: examples.jsonl\n", "")
    hidden = hidden.replace("documents: docs/", f"documents: {documents}")
    assert check(make({"levers.yaml": hidden, "docs/.held/golden.jsonl": rows})).ok
    outside = CONFIG.replace("golden.jsonl", "../golden.jsonl").replace("examples: examples.jsonl\n", "")
    (tmp_path / "golden.jsonl").write_text(rows)
    assert check(make({"levers.yaml": outside.replace("documents: docs/", f"documents: {documents}")})).ok


def test_a_schema_grader_of_a_field_needs_no_such_field_in_expected(make: Make) -> None:
    config = CONFIG.replace("- kind: exact", "- {kind: regex, field: code, pattern: '[A-Z]+'}")
    assert check(make({"levers.yaml": config})).ok


def test_choices_hold_per_field_and_per_accepted_value(make: Make) -> None:
    config = CONFIG.replace("- kind: exact", "- {kind: choice, field: topic, choices: [Care, Returns]}")
    right = [
        case(place, row["partition"], expected={"topic": ["care", "returns"]}) for place, row in enumerate(cases())
    ]
    assert check(make({"levers.yaml": config, "golden.jsonl": as_lines(right)})).ok
    wrong = [*right, case(9, "dev", expected={"topic": ["care", "cares"]})]
    (problem,) = check(make({"levers.yaml": config, "golden.jsonl": as_lines(wrong)})).problems
    assert "1 of 6 cases (first: c9 at golden.jsonl:6) does not meet" in problem.found


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_unreadable_file_is_a_problem(make: Make) -> None:
    root = make()
    (root / "golden.jsonl").chmod(0)
    assert [each.file for each in check(root).problems] == ["golden.jsonl"]


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path / "nowhere")
    assert caught.value.problems[0].found == "no such folder"


NOT_A_CASE = st.one_of(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1).filter(str.strip),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(case(1, "dev"))), inner),
    ).map(json.dumps),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=NOT_A_CASE, before=st.integers(0, 4))
def test_garbage_on_a_line_is_a_problem_of_that_line(garbage: str, before: int, tmp_path: Path) -> None:
    rows = [json.dumps(row) for row in cases()]
    path = tmp_path / "golden.jsonl"
    path.write_bytes("\n".join([*rows[:before], garbage, *rows[before:]]).encode())
    golden = read_golden(path, "golden.jsonl")
    lines = {problem.line for problem in golden.problems}
    assert lines == {before + 1}, golden.problems
    assert all(problem.hint and problem.expected and problem.found for problem in golden.problems)
    assert not any("pydantic" in str(problem) for problem in golden.problems)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_reported(data: bytes, make: Make) -> None:
    assert check(make({"levers.yaml": data, "brief.md": data})).problems
    root = make({"golden.jsonl": data, "examples.jsonl": data})
    sound = tree_hash(root)
    assert check(root).problems
    assert tree_hash(root) == sound


YAML_VALUE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "answer", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["name", "golden", "knowledge", "models", "graders", "targets", "traffic", "nonsense"]),
    value=YAML_VALUE,
)
def test_any_value_in_the_config_is_taken_or_named_with_a_line(key: str, value: object, make: Make) -> None:
    kept = [line for line in CONFIG.splitlines() if not line.startswith((key, "  "))]
    kept = [line for line in kept if line != "graders:"] + ([] if key == "graders" else ["graders: [{kind: exact}]"])
    text = "\n".join([*kept, f"{key}: {json.dumps(value)}"])
    root = make({"levers.yaml": text})
    _, config, problems = read_config(root)
    assert (config is None) == bool(problems)
    assert all(problem.line and problem.hint and problem.expected for problem in problems)
    check(root)
