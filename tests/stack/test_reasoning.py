"""Reasoning before an answer stays out of it, is paid for and timed; replies of the wrong form go back, counted."""

import json
from collections.abc import Callable, Sequence

import pytest
from jsonschema import Draft202012Validator

from levers.economics.usage import Usage
from levers.model import Ask, Reply
from levers.stack import Answer, Instruct, ModelRef, Question, Reason, Stack, Structure, answer
from levers.stack.reasoning import voted, wrapped
from levers.testing import ScriptedModel

BARE = Stack(model=ModelRef(id="scripted", max_tokens=20))
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"$ref": "#/$defs/word"}},
    "required": ["answer"],
    "additionalProperties": False,
    "$defs": {"word": {"type": "string"}},
}


class Desk:
    """A workshop with one scripted model."""

    spared = 0.0

    def __init__(self, script: Callable[[Ask], str | Reply]) -> None:
        self.scripted = ScriptedModel(script)

    def model(self, reference: ModelRef) -> ScriptedModel:
        return self.scripted

    def finder(self, index: str) -> "Desk":
        raise AssertionError(index)


def ask_all(stack: Stack, desk: Desk, count: int = 1) -> Sequence[Answer]:
    return answer(stack, [Question(id=str(n), input=f"question {n}") for n in range(count)], desk)  # type: ignore[arg-type]


def test_a_thought_is_asked_for_paid_for_and_kept_out_of_the_answer() -> None:
    desk = Desk(lambda ask: "<think>two and two</think>\n4")
    found = ask_all(BARE.with_part(Instruct(text="Add.")).with_part(Reason(think=True, budget=100)), desk)[0]
    assert (found.text, found.thought) == ("4", "two and two")
    sent = desk.scripted.asked[0]
    assert sent.max_tokens == 120 and "step by step" in sent.messages[0].content
    assert sent.messages[0].content.startswith("Add.")
    assert found.usage.output == 4


def test_a_thought_under_a_schema_is_a_field_of_its_own() -> None:
    reply = json.dumps({"reasoning": "hm, Ü", "answer": {"answer": "Ü"}})
    desk = Desk(lambda ask: reply)
    found = ask_all(BARE.with_part(Structure(json_schema=SCHEMA)).with_part(Reason(think=True)), desk)[0]
    assert json.loads(found.text) == {"answer": "Ü"} and "Ü" in found.text and found.thought == "hm, Ü"
    sent = desk.scripted.asked[0].json_schema
    assert sent is not None
    Draft202012Validator(sent).validate(json.loads(reply))  # the reference is still found


def test_definitions_move_to_the_root_and_nothing_is_lost() -> None:
    schema = wrapped(SCHEMA)
    assert schema["$defs"] == SCHEMA["$defs"] and "$defs" not in schema["properties"]["answer"]
    assert not Draft202012Validator(schema).is_valid({"reasoning": "", "answer": {"answer": 1}})


@pytest.mark.parametrize("text", ["<think>and so on and on", '{"reasoning": "and so'])
def test_a_reply_that_was_cut_in_its_thought_has_no_answer(text: str) -> None:
    stack = BARE.with_part(Reason(think=True))
    stack = stack if text.startswith("<") else stack.with_part(Structure(json_schema=SCHEMA))
    found = ask_all(stack, Desk(lambda ask: Reply(text=text, finish="length")))[0]
    assert found.text == "" and "so" in found.thought and found.finish == "length"


@pytest.mark.parametrize("think", [False, True])
def test_half_a_character_in_an_answer_of_json_is_marked(think: bool) -> None:
    held = '{"answer": "a\\ud83d"}'
    desk = Desk(lambda ask: f'{{"reasoning": "", "answer": {held}}}' if "reasoning" in str(ask.json_schema) else held)
    stack = BARE.with_part(Structure(json_schema=SCHEMA, unwrap=True)).with_part(Reason(think=think, verify=True))
    found = ask_all(stack, desk)[0]
    assert found.text == "a\ufffd"
    for sent in desk.scripted.asked:
        sent.model_dump_json()


def test_the_vote_keeps_the_answer_of_most_and_pays_for_all() -> None:
    desk = Desk(lambda ask: "Bern" if ask.seed % 2 else f"Zurich {ask.seed}")
    found = ask_all(BARE.with_part(Reason(samples=5)), desk, count=3)
    assert [each.text for each in found] == ["Bern"] * 3
    assert [each.confidence for each in found] == [0.4] * 3
    assert all(each.usage.output == 2 + 3 * 2 for each in found)
    assert len(desk.scripted.asked) == 15 and {ask.temperature for ask in desk.scripted.asked} == {0.7}
    assert "vote of 5" in found[0].steps[-1].detail


def replies(*texts: str, seconds: float = 1.0, local: bool = False) -> list[Reply]:
    usage = Usage(output=1, compute_seconds=1.0 if local else 0.0)
    return [Reply(text=text, seconds=seconds + place, usage=usage) for place, text in enumerate(texts)]


def test_equal_json_is_one_answer_and_failures_have_no_vote() -> None:
    chosen = voted(replies('{"a": 1, "b": 2}', "x", '{"b": 2,"a": 1}', "  X "))
    assert chosen.text == '{"a": 1, "b": 2}'  # two and two: the earliest
    failed = Reply(text="", finish="error", error="down")
    assert voted([failed, *replies("yes")]).text == "yes"
    assert voted([failed, failed]).error == "down"
    assert not voted([failed, *replies("yes")]).outage
    assert voted([failed.model_copy(update={"outage": True}), *replies("yes")]).outage


def test_samples_take_their_time_one_after_the_other_only_where_they_are_computed() -> None:
    assert voted(replies("a", "b")).seconds == 2.0
    assert voted(replies("a", "b", local=True)).seconds == 3.0


def test_a_check_sends_the_answer_back_once_and_the_second_counts() -> None:
    desk = Desk(lambda ask: "first" if len(ask.messages) == 1 else "second")
    found = ask_all(BARE.with_part(Reason(verify=True)), desk, count=2)
    assert [each.text for each in found] == ["second", "second"]
    assert [step.name for step in found[0].steps] == ["answer", "verify"]
    back = desk.scripted.asked[2].messages
    assert back[1].content == "first" and "Check" in back[2].content
    assert found[0].usage.output == 2


def test_an_empty_check_leaves_the_first_answer() -> None:
    down = Reply(text="", finish="error", error="down", outage=True)
    desk = Desk(lambda ask: "first" if len(ask.messages) == 1 else down)
    found = ask_all(BARE.with_part(Reason(verify=True)), desk)[0]
    assert found.text == "first" and found.error is None and found.outage


def test_only_what_is_not_valid_goes_back_and_is_counted() -> None:
    def script(ask: Ask) -> str:
        if len(ask.messages) > 1:
            return '{"answer": "mended"}'
        return '{"answer": "fine"}' if "0" in ask.messages[0].content else '{"answer": 7}'

    desk = Desk(script)
    found = ask_all(BARE.with_part(Structure(json_schema=SCHEMA, repairs=1)), desk, count=3)
    assert [json.loads(each.text)["answer"] for each in found] == ["fine", "mended", "mended"]
    assert [[step.name for step in each.steps] for each in found] == [["answer"], *[["answer", "repair"]] * 2]
    assert "$.answer" in desk.scripted.asked[-1].messages[-1].content
    assert len(desk.scripted.asked) == 5


def test_repair_stops_at_its_number_and_never_touches_a_refusal() -> None:
    desk = Desk(lambda ask: "no JSON")
    found = ask_all(BARE.with_part(Structure(json_schema=SCHEMA, repairs=2)), desk)[0]
    assert found.text == "no JSON" and len(desk.scripted.asked) == 3
    refusing = Desk(lambda ask: Reply(text="I cannot", finish="refusal"))
    assert ask_all(BARE.with_part(Structure(json_schema=SCHEMA, repairs=2)), refusing)[0].finish == "refusal"
    assert len(refusing.scripted.asked) == 1


def test_what_is_not_set_is_not_in_the_name_of_a_stack() -> None:
    assert "repairs" not in Structure(json_schema=SCHEMA).model_dump()
    assert "thought" not in Answer(id="1", text="a").model_dump()
