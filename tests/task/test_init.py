from pathlib import Path

import pytest
from tests.task.conftest import tree_hash

from levers.errors import UserError
from levers.task import available, check, init, load
from levers.task import init as init_function


@pytest.mark.parametrize("example", available())
def test_every_example_is_sound(example: str, tmp_path: Path) -> None:
    root = init(tmp_path / "new" / "project", example)
    report = check(root)
    assert report.ok, [str(problem) for problem in report.problems]
    assert report.notes == ()
    assert {case.partition for case in load(root).cases} == {"dev", "test", "edge"}
    assert not (root / "__init__.py").exists()


def test_blank_is_always_there_and_small(tmp_path: Path) -> None:
    assert "blank" in available()
    root = init(tmp_path / "project", "blank")
    assert sorted(path.name for path in root.iterdir()) == ["brief.md", "docs", "golden.jsonl", "levers.yaml"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert init(tmp_path, "blank") == tmp_path
    assert (tmp_path / "levers.yaml").is_file()
    assert not [path.name for path in tmp_path.parent.iterdir() if path.name.endswith(".part")]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    before = tree_hash(tmp_path)
    with pytest.raises(UserError, match="not empty"):
        init(tmp_path, "blank")
    assert tree_hash(tmp_path) == before


def test_an_unknown_example_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='did you mean "blank"'):
        init(tmp_path / "project", "blnk")
    assert not list(tmp_path.iterdir())


def test_a_copy_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfileobj", stop)
    with pytest.raises(KeyboardInterrupt):
        init_function(tmp_path / "project", "blank")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("linked", [False, True])
def test_an_empty_folder_stays_the_same_folder(tmp_path: Path, linked: bool) -> None:
    real = tmp_path / "real"
    real.mkdir()
    target = tmp_path / "link" if linked else real
    if linked:
        target.symlink_to(real)
    before = real.stat().st_ino
    init(target, "blank")
    assert real.stat().st_ino == before and target.is_symlink() is linked
    assert sorted(path.name for path in real.iterdir()) == ["brief.md", "docs", "golden.jsonl", "levers.yaml"]


def test_the_current_folder_may_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    init(".", "blank")
    assert Path.cwd() == tmp_path and Path("levers.yaml").is_file()
