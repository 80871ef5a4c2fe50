"""What a question is shown: its nearest examples and never its own answer, passages in an order, parts of passages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.stack import Draft, Passage, Question, Retrieve, Shots, messages
from levers.stack.choosing import _SENTENCE, cut, lay, ordered, show
from levers.stack.prompt import shared_turns

PAIRS = (("price of the red lamp", "5"), ("opening hours on Sunday", "9"), ("price of the blue lamp", "6"))


def passages(*texts: str) -> tuple[Passage, ...]:
    return tuple(
        Passage(document=f"docs/{at}.md", section="s", heading="H", text=text, start=10, end=10 + len(text))
        for at, text in enumerate(texts)
    )


def draft(question: str) -> Draft:
    return Draft(question=Question(id="1", input=question))


def test_the_nearest_examples_are_shown_the_nearest_last() -> None:
    shown = show(Shots(pairs=PAIRS, nearest=2), draft("what is the price of a blue lamp?"))
    assert [answer for _, answer in shown.shots] == ["5", "6"]
    assert shared_turns(shown) == 0
    assert shared_turns(show(Shots(pairs=PAIRS), draft("x"))) == 6


def test_an_example_that_is_the_question_itself_is_not_shown() -> None:
    shown = show(Shots(pairs=PAIRS, nearest=2), draft("price of the red lamp"))
    assert "5" not in [answer for _, answer in shown.shots] and len(shown.shots) == 2


@given(
    st.lists(st.text("abc", min_size=1), max_size=9, unique=True), st.sampled_from(["best first", "best last", "ends"])
)
def test_every_order_keeps_every_passage(texts: list[str], order: str) -> None:
    found = ordered(passages(*texts), order)  # type: ignore[arg-type]
    assert sorted(each.text for each in found) == sorted(texts)


def test_ends_puts_the_best_at_both_ends() -> None:
    assert [each.text for each in ordered(passages("1", "2", "3", "4", "5"), "ends")] == ["1", "3", "5", "4", "2"]


@given(st.lists(st.text("ab .!?\n", max_size=12), min_size=1, max_size=6), st.integers(1, 4))
def test_what_is_cut_still_stands_where_it_says(parts: list[str], sentences: int) -> None:
    whole = passages(". ".join(parts))[0]
    kept = cut(whole, "ab a", sentences)
    assert whole.text[kept.start - 10 : kept.end - 10] == kept.text


def test_the_sentences_that_share_the_questions_words_are_kept() -> None:
    text = "We open at nine. Lamps cost five. Returns take a week. We love lamps and birds."
    part = Retrieve(index="i", k=2, sentences=1, order="best last")
    found = lay(part, passages(text, "Only one sentence."), "How long do returns take?")
    assert [each.text for each in found] == ["Only one sentence.", "Returns take a week."]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), st.integers(1, 30))
def test_a_budget_of_words_keeps_the_best_passages(lengths: list[int], words: int) -> None:
    found = passages(*(" ".join(["w"] * length) for length in lengths))
    kept = lay(Retrieve(index="i", k=9, words=words), found, "w")
    assert kept == found[: len(kept)] and kept
    assert len(kept) == 1 or sum(lengths[: len(kept)]) <= words
    assert len(kept) == len(found) or sum(lengths[: len(kept) + 1]) > words


def test_the_question_can_stand_on_both_sides() -> None:
    from dataclasses import replace

    asked = replace(draft("why?"), passages=passages("because"), around=True)
    content = messages(asked)[-1].content
    assert content.startswith("Question: why?\n\nPassages:") and content.endswith("\n\nQuestion: why?")


@pytest.mark.parametrize(
    ("text", "question", "kept"),
    [
        ("A tent costs 4.50 euros. Dogs are welcome. Keys hang here.", "What is the price of a tent?", "4.50 euros."),
        ("Use v2.1.0 of it... or not!? Ask a.b@c.de first. Bye.", "which address is asked first", "a.b@c.de first."),
        ("Wait.... so\n\nSee docs/a.md for it. Bye.", "where in docs", "See docs/a.md for it."),
    ],
)
def test_a_point_inside_a_figure_or_name_ends_no_sentence(text: str, question: str, kept: str) -> None:
    assert cut(passages(text)[0], question, 1).text.endswith(kept)


@given(st.text("ab .!?\n4", max_size=40))
def test_sentences_leave_nothing_out(text: str) -> None:
    spans = [found.span() for found in _SENTENCE.finditer(text)]
    assert "".join(text[start:end] for start, end in spans) == text
