"""Checks after training: calibration by its definition, other wordings that keep their sense, losses that are seen."""

import pytest

from levers.ledger import Message
from levers.lever.after import _compared, calibration_error, reword
from levers.stack import Answer
from levers.task.records import Case
from levers.trial import Outcome


def outcome(name: str, passed: bool, confidence: float | None = None) -> Outcome:
    given = Answer(id=name, text="", confidence=confidence)
    return Outcome(case=name, passed=passed, score=float(passed), grades=(), answer=given)


def test_calibration_error_is_the_mean_gap_of_ten_bins() -> None:
    sure = [outcome(f"a{at}", at < 9, 0.95) for at in range(10)] + [outcome(f"b{at}", at < 1, 0.55) for at in range(10)]
    assert calibration_error(sure) == pytest.approx((10 * 0.05 + 10 * 0.45) / 20)
    assert calibration_error([outcome("a", True, 1.0)]) == 0.0
    assert calibration_error([outcome("a", True)]) is None


def test_a_decisive_loss_is_told_from_chance() -> None:
    before = [outcome(str(at), True) for at in range(10)]
    note, worse = _compared("refusals", before, [outcome(str(at), at > 6) for at in range(10)])
    assert worse and note.startswith("after: refusals, 10 of 10 pass before, 3 now (p = 0.016)")
    assert not _compared("refusals", before, [outcome(str(at), at > 1) for at in range(10)])[1]
    assert not _compared("refusals", [outcome("a", False)], [outcome("a", True)])[1]


def test_rewording_keeps_earlier_turns_and_words() -> None:
    turns = (Message(role="user", content="Hello"), Message(role="user", content="Any tents left?"))
    case = Case(id="c", input=turns, expected="x", partition="dev")
    found = [reword(case, place) for place in range(4)]
    assert all(isinstance(each.input, tuple) and each.input[0] == turns[0] for each in found)
    assert {each.question for each in found} == {
        "hi, any tents left",
        "any tents left please",
        "any tents left",
        "could you tell me: any tents left",
    }
    assert reword(case.model_copy(update={"input": "Where?"}), 2).input == "where"
