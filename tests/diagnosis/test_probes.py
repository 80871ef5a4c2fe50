"""Which part of a golden answer is its fact, how a probe states it, and what it may show beside it."""

from types import SimpleNamespace
from typing import Any

import pytest

from levers.diagnosis.probes import apply_probes, expected_texts, holds_answer, said_text, stated
from levers.stack import Given, ModelRef, Passage, Stack
from levers.task.records import Case, GraderSpec

AMOUNT = GraderSpec(kind="numeric", field="amount")
UNIT = GraderSpec(kind="exact", field="unit")
KIND = GraderSpec(kind="choice", field="kind", choices=("rent", "sale"))
WHOLE = GraderSpec(kind="judge")


def asked(expected: Any) -> Case:
    return Case(id="c", input="What does tent B cost?", expected=expected, partition="dev")


@pytest.mark.parametrize(
    ("expected", "graders", "first", "said"),
    [
        ("42.5 EUR", (), "42.5 EUR", "42.5 EUR"),
        ({"amount": 42.5}, (), "42.5", "42.5"),
        ({"amount": 42.5, "unit": "EUR"}, (), "42.5", "42.5"),
        ({"amount": 42.5, "unit": "EUR"}, (AMOUNT, UNIT), "42.5", "amount 42.5, unit EUR"),
        ({"kind": "rent", "found": True, "amount": [42.5, 43]}, (KIND, AMOUNT), "42.5", "42.5"),
        (
            {"kind": "rent", "found": True, "amount": 42.5, "unit": "EUR"},
            (KIND, WHOLE),
            "42.5",
            "amount 42.5, unit EUR",
        ),
        ({"kind": "rent"}, (KIND,), "rent", "rent"),
        ({"found": True, "unit": "EUR"}, (), "EUR", "EUR"),
        ({"found": True}, (), "True", "True"),
        ({"found": None}, (), "", ""),
    ],
)
def test_the_fact_is_what_graders_of_facts_compare(
    expected: Any, graders: tuple[GraderSpec, ...], first: str, said: str
) -> None:
    case = asked(expected)
    assert expected_texts(case, graders)[0] == first
    assert stated(case, graders).text == f"What does tent B cost: {said}."


def test_an_answer_says_what_stands_in_the_field_of_the_fact() -> None:
    case = asked({"unit": "EUR", "amount": 42.5})
    assert said_text('{"unit": "EUR", "amount": 43}', case, (AMOUNT,)) == "43"
    assert said_text('{"unit": "EUR"}', case, (AMOUNT,)) == ""
    assert said_text(" 43 ", asked("42.5"), ()) == "43"


def test_a_number_does_not_stand_within_another() -> None:
    text = "Tent B costs 142.50 EUR."
    shown = [Passage(document="d.md", section="", heading="", text=text, start=0, end=len(text))]
    assert not holds_answer(asked({"amount": 42.5}), shown, (AMOUNT,))
    assert holds_answer(asked({"amount": 142.50, "unit": "EUR"}), shown, (UNIT,))
    assert not holds_answer(asked("42"), shown, ()) and holds_answer(asked("142.50"), shown, ())


def test_shown_answers_are_of_other_questions_that_the_user_may_know_the_answer_to() -> None:
    def asks(name: str, question: str, user: str | None = None, evidence: tuple[str, ...] = ("open.md",)) -> Case:
        return Case(id=name, input=question, expected=name, partition="dev", user=user, evidence=evidence)

    mine = asks("mine", "Who is warden of Linnet?", "ana")
    cases = (
        mine,
        asks("twin", "who is warden of Linnet", "mira", ("closed.md",)),
        asks("closed", "Who was warden of Linnet?", "mira", ("closed.md",)),
        asks("open", "Who cooks at Alder?"),
    )
    library: Any = SimpleNamespace(
        evidence=lambda case: tuple(
            Passage(document=each, section="", heading="", text="", start=0, end=0) for each in case.evidence
        ),
        may_find=lambda passage, user: passage.document == "open.md" or user == "mira",
    )
    task: Any = SimpleNamespace(partition=lambda name: cases, config=SimpleNamespace(graders=()), answer_schema=None)
    given = apply_probes(Stack(model=ModelRef(id="m")), ["tone"], [mine], task, library).part("given")  # type: ignore[list-item]
    assert isinstance(given, Given) and given.pairs == {"mine": (("Who cooks at Alder?", "open"),)}
