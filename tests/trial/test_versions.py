"""A grader's version names its code, its settings and the files it reads."""

from pathlib import Path
from typing import Any

import pytest

from levers.stack.records import Answer
from levers.trial import Kit, grade, grader_version

from .make import a_case, a_grade, a_spec


def test_a_version_changes_with_the_settings() -> None:
    one, same, other = a_spec("f1"), a_spec("f1"), a_spec("f1", threshold=0.5)
    assert grader_version(one, Kit()) == grader_version(same, Kit()) != grader_version(other, Kit())
    assert a_grade("f1", "x", "x").version == grader_version(one, Kit())


@pytest.mark.parametrize(
    ("kind", "fields", "name"),
    [
        ("code", {"command": ["python", "check.py"]}, "check.py"),
        ("tone", {"labels": "tone.jsonl"}, "tone.jsonl"),
        ("judge", {"labels": "judged.jsonl"}, "judged.jsonl"),
        ("sql", {"database": "own.db"}, "own.db"),
        ("sql", {}, "tables.db"),
        ("schema", {"schema": "answer.json"}, "answer.json"),
    ],
)
def test_a_version_changes_with_the_files(tmp_path: Path, kind: str, fields: dict[str, Any], name: str) -> None:
    def version() -> str:
        return grader_version(a_spec(kind, **fields), Kit(root=tmp_path, tables="tables.db"))

    gone = version()
    (tmp_path / name).write_text("one")
    one = version()
    assert version() == one != gone
    (tmp_path / name).write_text("two")
    assert version() not in {one, gone}


def test_a_version_without_files_is_the_one_of_before() -> None:
    assert grader_version(a_spec("f1"), Kit()) == "f1@2-7a1239bd"


def test_every_grade_of_one_kit_has_one_version(tmp_path: Path) -> None:
    (tmp_path / "check.py").write_text("raise SystemExit(0)")
    kit, spec = Kit(root=tmp_path), a_spec("code", command=["python", "check.py"])
    first = grade(spec, a_case("x"), Answer(id="c1", text="x"), kit)
    (tmp_path / "check.py").write_text("raise SystemExit(1)")
    assert grade(spec, a_case("x"), Answer(id="c1", text="x"), kit).version == first.version
    assert grade(spec, a_case("x"), Answer(id="c1", text="x"), Kit(root=tmp_path)).version != first.version
