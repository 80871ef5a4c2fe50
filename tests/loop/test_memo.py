"""Finished pieces of a run: made once, read afterwards, and their time counted once."""

import json
from pathlib import Path

import pytest
from story import Story

from levers.ledger import Record
from levers.loop import Loop, Project
from levers.loop.memo import Memo
from levers.testing import Scripted


class _Piece(Record):
    text: str


def test_a_record_asked_for_often_is_made_and_counted_once(tmp_path: Path) -> None:
    made = []

    def make() -> _Piece:
        made.append(1)
        return _Piece(text="done")

    memo = Memo(tmp_path)
    first = memo.keep("piece", _Piece, make)
    took = memo.seconds
    assert memo.keep("piece", _Piece, make) == first
    assert (len(made), memo.seconds) == (1, took)
    again = Memo(tmp_path)
    assert again.keep("piece", _Piece, make) == first
    assert (len(made), again.seconds) == (1, took)


def test_nothing_is_kept_from_the_first_outage_on(tmp_path: Path) -> None:
    lost = [0]
    memo = Memo(tmp_path, lambda: lost[0])

    def make(text: str) -> _Piece:
        lost[0] += text == "half"
        return _Piece(text=text)

    memo.keep("whole", _Piece, lambda: make("whole"))
    assert memo.keep("half", _Piece, lambda: make("half")) == memo.keep("half", _Piece, lambda: make("other"))
    memo.keep("follows", _Piece, lambda: make("follows"))
    again = Memo(tmp_path, lambda: lost[0])
    texts = [again.keep(name, _Piece, lambda: make("new")).text for name in ("whole", "half", "follows")]
    assert texts == ["whole", "new", "new"]


def test_an_outage_is_no_wrong_answer_and_the_next_run_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Story(tmp_path / "huts") as story:
        healthy = story.server._script
        broken = Scripted("come tomorrow", status=429, headers={"Retry-After": "9999"})

        def failing(request: dict[str, object]) -> str | Scripted:
            return broken if "Alder" in str(request) else healthy(request)

        monkeypatch.setattr(story.server, "_script", failing)
        project = Project(story.folder)
        trial = Loop(project).trial(project.start(), "dev")
        lost = [each for each in trial.outcomes if each.answer.outage]
        assert 0 < len(lost) < len(trial.outcomes) and trial.unscored == len(lost)
        assert all("429: come tomorrow" in grade.why and not each.scored for each in lost for grade in each.grades)
        monkeypatch.setattr(story.server, "_script", healthy)
        asked = story.asked
        trial = Loop(project).trial(project.start(), "dev")
        assert trial.unscored == 0 and story.asked == asked + len(lost)


def test_a_run_is_another_once_a_local_reference_has_other_weights(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from model.conftest import save_tiny

    save_tiny(tmp_path / "judge")
    (tmp_path / "brief.md").write_text("Answer with one word.")
    cases = [{"id": name, "input": f"{name}?", "expected": "x", "partition": name} for name in ("dev", "test")]
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (tmp_path / "levers.yaml").write_text(
        "name: t\ninstructions: brief.md\ngolden: golden.jsonl\n"
        "models: {answer: pocket, reference: hf/./judge}\ngraders: [{kind: exact}]\n"
    )
    first = Project(tmp_path).run_id()
    assert Project(tmp_path).run_id() == first
    save_tiny(tmp_path / "judge", seed=1)
    assert Project(tmp_path).run_id() != first
