"""Guards: what is wrong with examples is found, by line, and honest examples pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.ledger import Message
from levers.tuning import Finding, Sample, inspect_samples
from levers.tuning.guards import similar_pairs
from levers.tuning.personal import find_personal, luhn_holds


def one(question: str, answer: str, line: int) -> Sample:
    return Sample(messages=(Message(role="user", content=question),), answer=answer, line=line)


def kinds(findings: list[Finding]) -> list[tuple[str, int, int | None]]:
    return [(finding.kind, finding.line, finding.other) for finding in findings]


def test_honest_examples_pass() -> None:
    samples = [one("May I send boots back?", "yes", 1), one("What does the tent weigh?", "2 kg", 2)]
    assert inspect_samples(samples) == []


def test_duplicate_ignores_case_and_spacing() -> None:
    found = inspect_samples([one("How long?", "30 days", 4), one("how  LONG?", "30 Days", 9)])
    assert kinds(found) == [("duplicate", 9, 4)]


def test_contradiction_names_both_answers() -> None:
    found = inspect_samples([one("How long?", "30 days", 1), one("How long?", "14 days", 2)])
    assert kinds(found) == [("contradiction", 2, 1)]
    assert "30 days" in found[0].detail
    assert "14 days" in found[0].detail


def test_near_duplicate_is_reported_once_at_the_later_line() -> None:
    text = "how many days do I have to send a pair of boots back to you"
    found = inspect_samples([one(text, "30 days", 1), one(text + " please?", "30 days", 2)])
    assert kinds(found) == [("near duplicate", 2, 1)]


def test_empty_question_or_answer() -> None:
    found = inspect_samples([one("  ", "x", 1), one("Open on Sunday?", " ", 2)])
    assert kinds(found) == [("empty", 1, None), ("empty", 2, None)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What does the tent weigh?", "Please, what does the tent weigh?"),
        ("What does the tent weigh?", "what does the tnet weigh"),
        ("How long may I keep a rented stove?", "a rented stove, how long may we keep it?"),
    ],
)
def test_a_contradiction_in_another_manner_is_found(first: str, second: str) -> None:
    assert kinds(inspect_samples([one(first, "2 kg", 1), one(second, "three", 2)])) == [("contradiction", 2, 1)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What does the tent weigh?", "What does the stove weigh?"),
        ("When does order 1182 arrive by post?", "When does order 1183 arrive by post?"),
        ("May I send boots back?", "When may I send boots back?"),
        ("", "please"),
    ],
)
def test_other_questions_do_not_contradict(first: str, second: str) -> None:
    found = inspect_samples([one(first, "2 kg", 1), one(second, "three", 2)])
    assert [finding for finding in found if finding.kind == "contradiction"] == []


def test_an_answer_within_the_other_does_not_contradict() -> None:
    pair = [
        one("How long is the warranty?", "2 years", 1),
        one("How long is the warranty please?", "within 2 years", 2),
    ]
    assert [finding.kind for finding in inspect_samples(pair)] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ana.kern+x@mail.example.org today", "e-mail address"),
        ("DE89 3704 0044 0532 0130 00", "account number"),
        ("card 4111 1111 1111 1111 please", "card number"),
        ("ring +49 170 1234567", "phone number"),
        ("from 192.168.10.24", "internet address"),
        ("my number is 078-05-1120", "social security number"),
    ],
)
def test_personal_data_is_told_by_its_form(text: str, kind: str) -> None:
    assert [each.kind for each in find_personal(text)] == [kind]
    assert [each.kind for each in inspect_samples([one(text, "yes", 3)])] == ["personal data"]


@pytest.mark.parametrize(
    "text", ["order 20260114", "1,234,567.89 EUR", "version 1.2.3.400", "DE89 3704 0044 0532 0130 01"]
)
def test_other_numbers_are_not_personal(text: str) -> None:
    assert list(find_personal(text)) == []


@given(st.from_regex(r"[0-9]{12,17}", fullmatch=True))
def test_exactly_one_last_digit_makes_a_card_number(digits: str) -> None:
    assert sum(luhn_holds(digits + last) for last in "0123456789") == 1


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh")), max_size=12), st.sampled_from([0.3, 0.5, 0.75, 0.9, 1.0]))
def test_pairs_equal_those_of_comparing_all(sets: list[frozenset[str]], near: float) -> None:
    every = {
        (i, j)
        for j in range(len(sets))
        for i in range(j)
        if sets[i] and sets[j] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= near
    }
    assert set(similar_pairs(sets, near)) == every
