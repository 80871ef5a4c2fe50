"""Rehearsal: which prompts come again, under which instruction, and with whose replies."""

from hypothesis import given
from hypothesis import strategies as st
from tuning.conftest import BRIEF, make_pairs

from levers.ledger import Message
from levers.model import Reply
from levers.model.contract import Ask
from levers.testing import ScriptedModel
from levers.tuning import Sample, rehearse
from levers.tuning.rehearsal import INSTRUCTIONS


def told(ask: Ask) -> str:
    """Reply with what was asked under which instruction, so that a test sees both."""
    return " | ".join(message.content for message in ask.messages)


@given(st.integers(0, 40), st.floats(0, 1), st.integers(0, 5))
def test_a_share_of_the_prompts_comes_again_with_the_model_s_own_replies(count: int, share: float, seed: int) -> None:
    samples = make_pairs(count)
    found = rehearse(ScriptedModel(told), samples, share, seed)
    assert len(found) == round(count * share)
    assert len({each.line for each in found}) == len(found)
    by_line = {each.line: each for each in samples}
    for each in found:
        system = [message.content for message in each.messages if message.role == "system"]
        assert BRIEF not in system and set(system) <= set(INSTRUCTIONS[1:])
        assert each.question == by_line[each.line].question
        assert each.answer == told(Ask(messages=each.messages))
    assert found == rehearse(ScriptedModel(told), samples, share, seed)


def test_every_instruction_has_its_turn() -> None:
    found = rehearse(ScriptedModel(told), [*make_pairs(48), *make_pairs(48)], 1.0)
    openings = [each.messages[0].content if each.messages[0].role == "system" else "" for each in found]
    assert set(openings) == set(INSTRUCTIONS)


def test_turns_before_the_question_stay() -> None:
    turns = (
        Message(role="system", content=BRIEF),
        Message(role="user", content="Hello"),
        Message(role="assistant", content="Good day"),
        Message(role="user", content="Is the tent red?"),
    )
    (found,) = rehearse(ScriptedModel(told), [Sample(messages=turns, answer="yes")], 1.0)
    assert [each for each in found.messages if each.role != "system"] == list(turns[1:])


def test_a_reply_that_is_empty_cut_or_failed_is_not_learnt() -> None:
    replies = iter([Reply(text=""), Reply(text="cut in the mid", finish="length"), Reply(text="red"), Reply(text=" ")])
    (found,) = rehearse(ScriptedModel(lambda ask: next(replies)), make_pairs(4), 1.0)
    assert found.answer == "red"
