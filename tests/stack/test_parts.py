"""Parts fold over drafts: what each adds to the prompt, who may see which passage, where an answer's words stand."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.ledger import Message
from levers.stack import (
    Draft,
    Given,
    Inline,
    Instruct,
    ModelRef,
    Passage,
    Question,
    Retrieve,
    Shots,
    Stack,
    Structure,
    answer,
    answerer,
    messages,
)
from levers.stack.citations import cite
from levers.testing import ScriptedModel


def a_passage(text: str, start: int = 0, document: str = "docs/a.md") -> Passage:
    return Passage(
        document=document, section="s", heading="A > S", text=text, start=start, end=start + len(text), score=1.0
    )


class Desk:
    """A workshop with one model and one finder that shows staff more."""

    spared = 0.0

    def __init__(self) -> None:
        self.scripted = ScriptedModel(lambda ask: ask.messages[-1].content.split("Question: ")[-1])
        self.searched: list[tuple[tuple[str, ...], str | None]] = []

    def model(self, reference: ModelRef) -> ScriptedModel:
        return self.scripted

    def finder(self, index: str) -> "Desk":
        return self

    def inline(self, part: Inline) -> tuple[Inline, str]:
        kept = tuple(each for each in part.documents if each[0] != "closed")
        return Inline(documents=kept), "" if kept == part.documents else "left out: closed"

    def shots(self, part: Shots) -> tuple[Shots, str]:
        kept = tuple(each for each in part.pairs if each[0] != "closed")
        return Shots(pairs=kept), "" if kept == part.pairs else "left out: 1"

    def find(self, queries: Sequence[str], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
        self.searched.append((tuple(queries), user))
        found = [a_passage("open to all"), *([a_passage("for staff")] if user == "mira" else [])]
        return [tuple(found[: part.k]) for _ in queries]


BARE = Stack(model=ModelRef(id="scripted"))


def test_each_part_has_its_place_in_the_prompt() -> None:
    desk = Desk()
    stack = BARE
    for part in (
        Instruct(text="Be brief."),
        Shots(pairs=(("shown?", "yes"),)),
        Inline(documents=(("docs/b.md", "all of it"),)),
        Retrieve(index="i", k=1),
        Structure(json_schema={"type": "object"}),
    ):
        stack = stack.with_part(part)
    found = answer(stack, [Question(id="1", input="why?")], desk)[0]
    assert [(each.role, each.content) for each in found.prompt] == [
        ("system", "Be brief.\n\ndocs/b.md\nall of it"),
        ("user", "shown?"),
        ("assistant", "yes"),
        ("user", "Passages:\n[1] docs/a.md > A > S\nopen to all\n\nQuestion: why?"),
    ]
    assert desk.scripted.asked[0].json_schema == {"type": "object"}
    assert [step.name for step in found.steps] == ["retrieve", "answer"]


def test_instructions_come_first_wherever_their_part_stands() -> None:
    stack = BARE.with_part(Inline(documents=(("b", "text"),))).with_part(Instruct(text="Be brief."))
    found = answer(stack, [Question(id="1", input="why?")], Desk())[0]
    assert found.prompt[0].content.startswith("Be brief.")


def test_every_user_searches_under_their_own_rights_and_order_is_kept() -> None:
    desk = Desk()
    users = ["mira", None, "mira", "ana"]
    questions = [Question(id=str(n), input=f"q{n}", user=user) for n, user in enumerate(users)]
    found = list(answerer(BARE.with_part(Retrieve(index="i")), desk)(questions))
    assert [each.id for each in found] == ["0", "1", "2", "3"]
    assert ["for staff" in str(each.prompt) for each in found] == [True, False, True, False]
    assert desk.searched == [(("q0", "q2"), "mira"), (("q1",), None), (("q3",), "ana")]


def test_a_search_takes_what_it_took_when_its_vectors_were_computed() -> None:
    class Quick(Desk):
        """Finds at once what a ledger kept: each search spares two seconds."""

        def find(self, queries: Sequence[str], user: str | None, part: Retrieve) -> list[tuple[Passage, ...]]:
            self.spared += 2.0
            return super().find(queries, user, part)

    found = answer(BARE.with_part(Retrieve(index="i")), [Question(id=each, input="why?") for each in "ab"], Quick())
    assert [1.0 <= step.seconds < 1.5 for each in found for step in each.steps if step.name == "retrieve"] == [True] * 2


def test_earlier_turns_of_a_conversation_are_kept() -> None:
    turns = (Message(role="user", content="hello"), Message(role="assistant", content="hi"))
    question = Question(id="1", input=(*turns, Message(role="user", content="and now?")))
    found = messages(Draft(question=question, passages=()))
    assert found[:2] == turns and found[2].content == "Passages:\n(none found)\n\nQuestion: and now?"


def test_what_a_probe_gives_is_for_its_case_only() -> None:
    part = Given(passages={"1": (a_passage("evidence"),)}, told={"1": "say yes"}, schemas={"1": {"type": "string"}})
    desk = Desk()
    one, other = answer(BARE.with_part(part), [Question(id=name, input="why?") for name in "12"], desk)
    assert "evidence" in str(one.prompt) and "say yes" in str(one.prompt)
    assert [each.content for each in other.prompt] == ["why?"]
    assert [ask.json_schema for ask in desk.scripted.asked] == [{"type": "string"}, None]


def test_a_part_takes_the_place_of_one_of_its_kind_and_the_digest_follows() -> None:
    one = BARE.with_part(Retrieve(index="i", k=2)).with_part(Instruct(text="a"))
    two = one.with_part(Retrieve(index="i", k=4))
    assert [part.kind for part in two.parts] == ["retrieve", "instruct"] and one.digest != two.digest
    assert two.with_part(Retrieve(index="i", k=2)) == one
    assert one.without("retrieve").part("retrieve") is None
    assert Stack.model_validate_json(two.model_dump_json()).digest == two.digest


WORDS = st.lists(st.sampled_from(["fee", "is", "4.90", "EUR", "(net)", "a+b", "due"]), min_size=1, max_size=4)


@given(WORDS, WORDS, WORDS, st.integers(0, 500))
def test_a_citation_points_to_the_very_characters(
    before: list[str], said: list[str], after: list[str], start: int
) -> None:
    text = " ".join([*before, "<", *said, ">", *after])
    whole = " " * start + text
    for each in cite(" ".join(said), (a_passage(text, start),)):
        assert whole[each.start : each.end] == each.quote
        assert each.quote.casefold() == " ".join(said).casefold()


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ('{"answer": "forty days", "topic": "x"}', [(2, "forty days")]),
        ("It is so [1], and so [2] [1]", [(1, "nothing here"), (2, "Within forty\ndays, yes.")]),
        ('{"quantities": [2], "answer": "of none"}', []),
        ('{"quantities": [1], "answer": "forty days [2]"}', [(2, "forty days")]),
        ("[2]", [(2, "Within forty\ndays, yes.")]),
        ("no words of theirs", []),
        ("[7]", []),
        ("[" * 100_000, []),
        ("", []),
    ],
)
def test_markers_first_then_words(text: str, cited: list[tuple[int, str]]) -> None:
    shown = (a_passage("nothing here"), a_passage("Within forty\ndays, yes.", 100))
    found = [(each.number, each.quote.replace("\n", " ")) for each in cite(text, shown)]
    assert found == [(number, quote.replace("\n", " ")) for number, quote in cited]


def test_what_the_workshop_leaves_out_of_everybodys_prompt_is_told() -> None:
    stack = BARE.with_part(Inline(documents=(("closed", "secret"), ("open", "words"))))
    stack = stack.with_part(Shots(pairs=(("closed", "secret"), ("shown?", "yes"))))
    found = answer(stack, [Question(id="1", input="why?")], Desk())[0]
    assert "secret" not in str(found.prompt) and "words" in str(found.prompt) and "yes" in str(found.prompt)
    assert [(step.name, step.detail) for step in found.steps[:2]] == [
        ("inline", "left out: closed"),
        ("examples", "left out: 1"),
    ]
