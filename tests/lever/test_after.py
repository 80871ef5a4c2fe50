"""Checks after training: calibration by its definition, other wordings that keep their sense, losses that are seen."""

from collections.abc import Sequence

import pytest

from levers.diagnosis import reword
from levers.economics import Usage
from levers.ledger import Message
from levers.lever.after import _by_grader, _compared, _passes, calibration_error
from levers.lever.general import answers_right
from levers.model.contract import Ask, Reply
from levers.stack import Answer
from levers.task.records import Case
from levers.trial import Grade, Outcome


def outcome(name: str, passed: bool, confidence: float | None = None) -> Outcome:
    given = Answer(id=name, text="", confidence=confidence)
    return Outcome(case=name, passed=passed, score=float(passed), grades=(), answer=given)


def test_calibration_error_is_the_mean_gap_of_ten_bins() -> None:
    sure = [outcome(f"a{at}", at < 9, 0.95) for at in range(10)] + [outcome(f"b{at}", at < 1, 0.55) for at in range(10)]
    assert calibration_error(sure) == pytest.approx((10 * 0.05 + 10 * 0.45) / 20)
    assert calibration_error([outcome("a", True, 1.0)]) == 0.0
    assert calibration_error([outcome("a", True)]) is None


def test_a_decisive_loss_is_told_from_chance() -> None:
    before = {str(at): True for at in range(10)}
    note, worse = _compared("refusals", before, {str(at): at > 6 for at in range(10)})
    assert worse and note.startswith("after: refusals, 10 of 10 pass before, 3 now (p = 0.016)")
    assert not _compared("refusals", before, {str(at): at > 1 for at in range(10)})[1]
    assert not _compared("refusals", {"a": False}, {"a": True})[1]


def test_what_one_side_could_not_score_is_no_loss() -> None:
    before = [outcome(str(at), True) for at in range(10)]
    broken = [each.model_copy(update={"passed": False, "score": 0.0, "scored": False}) for each in before]
    note, worse = _compared("refusals", _passes(before), _passes([*before[:2], *broken[2:]]))
    assert not worse and note.startswith("after: refusals, 2 of 2 pass before, 2 now")
    note, worse = _compared("refusals", _passes(before), _passes(broken))
    assert not worse and note == "after: refusals, no case was scored both before and now"


def test_general_tasks_are_many_and_asked_without_the_project() -> None:
    class Echo:
        id = "echo"

        def __init__(self) -> None:
            self.asks: list[Ask] = []

        def answer(self, asks: Sequence[Ask]) -> list[Reply]:
            self.asks = list(asks)
            return [Reply(text="It is FORTY MINUTES.", usage=Usage()) for _ in asks]

    model = Echo()
    found = answers_right(model)
    assert len(found) == 40 and sum(found.values()) == 1
    assert all(len(ask.messages) == 1 for ask in model.asks)


def test_each_grader_is_compared_where_both_trials_scored() -> None:
    def graded(case: str, **passed: bool | None) -> Outcome:
        grades = tuple(Grade(grader=name, credit=None, passed=each) for name, each in passed.items())
        return outcome(case, True).model_copy(update={"grades": grades})

    before = [graded("a", form=True, fact=False), graded("b", form=None, fact=True)]
    after = [graded("a", form=True, fact=True), graded("b", form=True, fact=True)]
    assert dict(_by_grader(before, after)) == {
        "form": ({"a": True}, {"a": True, "b": True}),
        "fact": ({"a": False, "b": True}, {"a": True, "b": True}),
    }


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
