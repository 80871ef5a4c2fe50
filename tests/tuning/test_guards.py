"""Guards: what is wrong with examples is found, by line, and honest examples pass."""

from hypothesis import given
from hypothesis import strategies as st

from levers.ledger import Message
from levers.tuning import Finding, Sample, inspect_samples
from levers.tuning.guards import similar_pairs


def one(question: str, answer: str, line: int) -> Sample:
    return Sample(messages=(Message(role="user", content=question),), answer=answer, line=line)


def kinds(findings: list[Finding]) -> list[tuple[str, int, int | None]]:
    return [(finding.kind, finding.line, finding.other) for finding in findings]


def test_honest_examples_pass() -> None:
    samples = [one("May I send boots back?", "yes", 1), one("What does the tent weigh?", "2 kg", 2)]
    assert inspect_samples(samples, ["Who runs the store in Riga?"]) == []


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


def test_leaks_equal_near_and_quoted() -> None:
    held = "which stove boils a litre of water fastest in the cold"
    samples = [
        one(held.upper() + "?", "the small one", 1),
        one(held + " wind", "the small one", 2),
        one(f"A customer wrote: '{held}', then asked for the price of a mat and of two ropes.", "9 EUR", 3),
        one("What does the mat cost today?", "9 EUR", 4),
    ]
    leaks = [finding.line for finding in inspect_samples(samples, [held], near=0.9) if finding.kind == "leak"]
    assert leaks == [1, 2, 3]


def test_short_forbidden_texts_do_not_match_inside_others() -> None:
    assert inspect_samples([one("Hello there, is the tent in stock?", "yes", 1)], ["hello there"]) == []


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh")), max_size=12), st.sampled_from([0.3, 0.5, 0.75, 0.9, 1.0]))
def test_pairs_equal_those_of_comparing_all(sets: list[frozenset[str]], near: float) -> None:
    every = {
        (i, j)
        for j in range(len(sets))
        for i in range(j)
        if sets[i] and sets[j] and len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= near
    }
    assert set(similar_pairs(sets, near)) == every
