"""Files of labels: reviewers beside each other, labels that move under them, and damaged files."""

from pathlib import Path

import pytest

from levers.errors import UserError
from levers.lever.labels import Label, Queue, named, read_queue, review, write_queue

pytest.importorskip("filelock")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    labels = tuple(Label(id=f"line {at}", question=f"What is {at}?", answer=f"{at}", line=at) for at in (1, 2, 3))
    made = Queue(file=tmp_path / "labels" / "abc.jsonl", teacher="sha256-t", labels=labels)
    write_queue(made)
    return made


def test_two_reviewers_keep_each_others_word(queue: Queue) -> None:
    review(queue, "line 1", "rejected")
    found = review(queue, "line 2", "accepted")
    assert [each.status for each in found.labels] == ["rejected", "accepted", "pending"]
    assert read_queue(queue.file) == found


def test_a_word_goes_to_the_question_and_the_answer_that_were_seen(queue: Queue) -> None:
    moved = [each.model_copy(update={"id": f"line {each.line + 1}", "answer": "new"}) for each in queue.labels]
    write_queue(queue.model_copy(update={"labels": tuple(moved)}))
    found = review(queue, "line 2", "accepted").labels
    assert [(each.id, each.answer, each.status) for each in found] == [
        ("line 2", "new", "pending"),
        ("line 3", "2", "accepted"),
        ("line 4", "new", "pending"),
    ]


def test_every_unknown_id_is_named(queue: Queue) -> None:
    with pytest.raises(UserError) as told:
        named(queue, ["line 1", "typo", "line 9"])
    assert [problem.found for problem in told.value.problems] == ["'typo'", "'line 9'"]


@pytest.mark.parametrize("head", ["", "{", "[]", "3", "{}"])
def test_a_damaged_first_line_is_named(queue: Queue, head: str) -> None:
    lines = queue.file.read_text().split("\n")
    queue.file.write_text("\n".join([head, *lines[1:]]))
    with pytest.raises(UserError, match=r"abc\.jsonl:1: found .+, expected the teacher"):
        read_queue(queue.file)
    queue.file.write_text("\n".join([lines[0], "{}", *lines[2:]]))
    with pytest.raises(UserError, match=r"abc\.jsonl:2"):
        read_queue(queue.file)
