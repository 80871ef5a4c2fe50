"""Openings of test: whoever opened the same cases counts, a cut line and other cases do not."""

from pathlib import Path

from levers.loop.openings import OPENINGS, opened, record_opening
from levers.stack import ModelRef, Stack
from levers.task import load

STACK = Stack(model=ModelRef(id="pocket"))


def write(folder: Path, expected: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "brief.md").write_text("Answer yes or no.")
    lines = [f'{{"id": "{at}", "input": "q{at}?", "expected": "{expected}", "partition": "{name}"}}' for at, name in
             enumerate(("dev", "test"))]  # fmt: skip
    (folder / "golden.jsonl").write_text("\n".join(lines))
    (folder / "levers.yaml").write_text(
        "name: t\ninstructions: brief.md\ngolden: golden.jsonl\nmodels: {answer: pocket}\ngraders: [{kind: exact}]\n"
    )


def test_every_opening_of_the_same_cases_is_listed(tmp_path: Path) -> None:
    write(tmp_path / "p", "yes")
    task = load(tmp_path / "p")
    assert opened(task) == ()
    task.state.mkdir(parents=True, exist_ok=True)
    record_opening(task, "run-1", STACK)
    record_opening(task, "levers trial", STACK)
    file = task.state / OPENINGS
    file.write_text(file.read_text() + '{"at": "2026-01-01", "run": "old", "stack": "s"}\n{"at": "2026-')
    assert [each.run for each in opened(task)] == ["run-1", "levers trial", "old"]
    assert {each.stack for each in opened(task)} == {STACK.digest, "s"}
    write(tmp_path / "p", "no")
    other = load(tmp_path / "p")
    assert [each.run for each in opened(other)] == ["old"], "the cases are others now"
