"""Other wordings of a question: what the model is asked, how its reply is read, what it costs, what is searched."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.knowledge import Query
from levers.ledger import Message
from levers.model import Ask, Reply
from levers.stack import ModelRef, Passage, Question, Retrieve, Stack, answer
from levers.stack.answerer import searched
from levers.stack.rewriting import wordings
from levers.testing import ScriptedModel

FOUND = Passage(document="docs/a.md", section="s", heading="A", text="Nine days.", start=0, end=10)
STACK = Stack(model=ModelRef(id="scripted", adapter="tuned"), parts=(Retrieve(index="i", k=1, rewrites=2),))
TALK = (
    Message(role="user", content="How long does a parcel to Norway take?"),
    Message(role="assistant", content="Nine days."),
    Message(role="user", content="and to Iceland?"),
)


class Desk:
    """A workshop whose model writes `lines` when it is asked for wordings, and keeps what was searched."""

    spared = 0.0

    def __init__(self, lines: str, fails: bool = False) -> None:
        self.lines, self.fails = lines, fails
        self.scripted = ScriptedModel(self.reply)
        self.opened: list[ModelRef] = []
        self.searched: list[Query] = []

    def reply(self, ask: Ask) -> str | Reply:
        asked_for_wordings = ask.messages[0].role == "system"
        if asked_for_wordings and self.fails:
            return Reply(text="", finish="error", error="no answer in time", outage=True)
        return self.lines if asked_for_wordings else "nine days"

    def model(self, reference: ModelRef) -> ScriptedModel:
        self.opened.append(reference)
        return self.scripted

    def finder(self, index: str) -> "Desk":
        return self

    def find(self, queries: Sequence[Query], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
        self.searched += queries
        return [(FOUND,) for _ in queries]


def test_the_question_and_its_wordings_are_searched_and_paid_for() -> None:
    desk = Desk("1. time of delivery to Iceland\n2. shipping days Iceland\n3. one too many")
    found = answer(STACK, [Question(id="1", input=TALK)], desk)[0]
    assert desk.searched == [("and to Iceland?", "time of delivery to Iceland", "shipping days Iceland")]
    told, asked = desk.scripted.asked[0].messages
    assert "2 different queries" in told.content and "Norway" in asked.content
    assert asked.content.endswith("Question: and to Iceland?")
    assert [step.name for step in found.steps] == ["rewrite", "retrieve", "answer"]
    assert found.steps[0].detail == "2 other wordings"
    both = [desk.scripted.answer([ask])[0].usage for ask in desk.scripted.asked[:2]]
    assert found.usage == both[0] + both[1]
    assert [each.adapter for each in desk.opened] == [None, "tuned"]


def test_what_a_stack_searches_can_be_asked_without_an_answer() -> None:
    desk, asked = Desk("time of delivery to Iceland"), Question(id="1", input=TALK)
    assert searched(STACK, asked, desk) == ("and to Iceland?", "time of delivery to Iceland")
    assert searched(STACK.with_part(Retrieve(index="i")), asked, desk) == "and to Iceland?"
    answer(STACK, [asked], desk)
    assert desk.scripted.asked[0] == desk.scripted.asked[1]  # so that the ledger holds the reply


@pytest.mark.parametrize("desk", [Desk(""), Desk("How long?", fails=True), Desk("AND to iceland\n\n")])
def test_without_a_usable_wording_the_question_is_searched_alone(desk: Desk) -> None:
    found = answer(STACK, [Question(id="1", input=TALK)], desk)[0]
    assert desk.searched == ["and to Iceland?"]
    assert found.text == "nine days" and found.error is None and found.outage == desk.fails


def test_no_rewriting_unless_the_part_says_so() -> None:
    desk = Desk("other words")
    plain = STACK.with_part(Retrieve(index="i", k=1))
    assert [step.name for step in answer(plain, [Question(id="1", input="why?")], desk)[0].steps] == [
        "retrieve",
        "answer",
    ]
    assert "rewrites" not in plain.model_dump_json()  # stacks of before keep their digest


@given(st.text(), st.text(), st.integers(1, 4))
def test_no_wording_is_empty_repeated_or_the_question(text: str, question: str, count: int) -> None:
    found = wordings(text, question, count)
    assert len(found) <= count and len({each.casefold() for each in found}) == len(found)
    assert all(each.strip() == each and each and each.casefold() != question.casefold() for each in found)
