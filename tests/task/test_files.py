"""The files that graders read are part of the task: a changed one makes another task."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.task import load
from levers.task.files import file_digests
from levers.task.records import GraderSpec, Task

from .conftest import CONFIG, Make

GRADERS = """\
  - {kind: code, command: [python, check.py]}
  - {kind: tone, labels: tone.jsonl}
  - {kind: judge, model: openai/x, rubric: It is right., labels: judged.jsonl}
  - {kind: sql, database: own.db}
  - {kind: sql, named: other}
"""
SQLITE = "SQLite format 3\0"
FILES = ("check.py", "tone.jsonl", "judged.jsonl", "own.db", "tables.db")


def project(make: Make) -> Path:
    config = CONFIG.replace("documents: docs/", "documents: docs/, tables: tables.db").replace(
        "  - kind: exact\n", GRADERS
    )
    return make({"levers.yaml": config, **dict.fromkeys(FILES, f"{SQLITE}one")})


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_of_a_grader_makes_another_task(make: Make, name: str) -> None:
    root = project(make)
    before = load(root)
    assert load(root).digest == before.digest and set(before.files) == set(FILES)
    (root / name).write_text(f"{SQLITE}two")
    assert load(root).digest != before.digest, name


def test_a_task_whose_graders_name_no_file_keeps_its_name(make: Make) -> None:
    """Runs of before stay valid: the digest is the one that was always written for this task."""
    schema = "  - kind: exact\n  - {kind: schema, schema: answer.json}\n  - {kind: code, command: [./gone, -x]}\n"
    root = make(
        {"levers.yaml": CONFIG.replace("  - kind: exact\n", schema), "answer.json": "{}", "check.py": "unnamed"}
    )
    assert load(root).digest == "sha256-db97d8ccbbe07f0b"


def test_the_order_of_a_schemas_properties_is_part_of_a_task(make: Make) -> None:
    graders = CONFIG.replace("  - kind: exact\n", "  - {kind: schema, schema: answer.json}\n")
    root = make({"levers.yaml": graders, "answer.json": '{"properties": {"why": {}, "score": {}}}'})
    before = load(root)
    (root / "answer.json").write_text('{"properties": {"score": {}, "why": {}}}')
    assert load(root).digest != before.digest


def test_only_words_that_are_files_of_the_project_count(tmp_path: Path) -> None:
    root, outside = tmp_path / "p", tmp_path / "outside.py"
    (root / "sub").mkdir(parents=True)
    outside.write_text("x")
    (root / "sub" / "check.py").write_text("x")
    own = str(root / "sub" / "check.py")
    words = ["python", "sub", "sub/check.py", own, "../outside.py", str(outside), "gone.py", "x" * 5000, "a\0b", "."]
    spec = GraderSpec.model_validate({"kind": "code", "command": words})
    assert set(spec.files(root, "tables.db")) == {"sub/check.py", own}
    assert GraderSpec.model_validate({"kind": "tone", "labels": "gone.jsonl"}).files(root) == {}


def test_a_file_is_read_once_for_a_task(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    task: Task = load(project(make))
    first = task.digest
    monkeypatch.setattr(Path, "open", None)
    assert task.digest == first


@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_words_of_a_command_can_be_looked_up(words: list[str]) -> None:
    assert all(len(found) == 64 for found in file_digests(Path("."), words).values())
