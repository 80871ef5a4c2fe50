"""Finished pieces of a run: made once, read afterwards, and their time counted once."""

from pathlib import Path

from levers.ledger import Record
from levers.loop.memo import Memo


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
