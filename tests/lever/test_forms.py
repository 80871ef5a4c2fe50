"""Choices and patterns are imposed by the means of a schema, and the answer is the value alone."""

import json
from pathlib import Path

import pytest

from levers.lever.structure import form_of
from levers.model import Ask
from levers.stack import ModelRef, Question, Reason, Stack, answer
from levers.task import Task, TaskConfig
from levers.task.records import GraderSpec
from levers.testing import ScriptedModel


def task(*graders: dict[str, object]) -> Task:
    specs = tuple(GraderSpec.model_validate(each) for each in graders)
    config = TaskConfig(name="t", instructions="brief.md", golden="golden.jsonl", graders=specs)
    return Task(root=Path("."), config=config, instructions="Answer.", cases=())


class Desk:
    spared = 0.0

    def __init__(self, reply: str) -> None:
        self.scripted = ScriptedModel(lambda ask: reply)

    def model(self, reference: ModelRef) -> ScriptedModel:
        return self.scripted

    def finder(self, index: str) -> "Desk":
        raise AssertionError(index)


def asked(stack: Stack, reply: str) -> tuple[str, Ask]:
    desk = Desk(reply)
    found = answer(stack, [Question(id="1", input="q")], desk)[0]  # type: ignore[arg-type]
    return found.text, desk.scripted.asked[0]


@pytest.mark.parametrize(
    ("grader", "imposed", "value"),
    [
        ({"kind": "choice", "choices": ["yes", "no"]}, {"enum": ["yes", "no"]}, "no"),
        ({"kind": "regex", "pattern": "^A-[0-9]+$"}, {"type": "string", "pattern": "^A-[0-9]+$"}, "A-17"),
    ],
)
def test_the_value_alone_is_the_answer(grader: dict[str, object], imposed: dict[str, object], value: str) -> None:
    part = form_of(task(grader))
    assert part is not None
    stack = Stack(model=ModelRef(id="scripted")).with_part(part)
    text, sent = asked(stack, json.dumps({"answer": value}))
    assert text == value
    assert sent.json_schema is not None and sent.json_schema["properties"]["answer"] == imposed
    thinking = json.dumps({"reasoning": "hm", "answer": {"answer": value}})
    assert asked(stack.with_part(Reason(think=True)), thinking)[0] == value
    assert asked(stack, "no JSON at all")[0] == "no JSON at all"


def test_a_form_of_one_field_is_none_of_the_whole_answer() -> None:
    assert form_of(task({"kind": "choice", "field": "topic", "choices": ["a", "b"]}, {"kind": "exact"})) is None
