import string
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.trial.text import clip, contains, first_number, normalise, token_f1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Within  3\n days. ", "within 3 days"),
        ("“Yes”", "yes"),
        ("(STRASSE)", "strasse"),
        ("-5.", "-5"),
        (".5", ".5"),
        ("?", "?"),
        ("3–5 days", "3-5 days"),  # noqa: RUF001
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("text", "part", "expected"),
    [
        ("It takes 3 days.", "3 days", True),
        ("It takes 13 days.", "3 days", False),
        ("It takes 3 daysish", "3 days", False),
        ("costs $5.50", "5", False),
        ("costs $5.50", "$5.50", True),
        ("costs $50", "$5", False),
        ("1,000 pieces", "000 pieces", False),
        ("It costs 5.", "5", True),
        ("within **30** days", "30 days", True),
        ("_30 days_", "30 days", True),
        ("在东京都", "东京", True),
        ("ราคาห้าบาท", "ห้า", True),
        ("anything", "", False),
        ("a.b", "a+b", False),
        ("-5 degrees", "5 degrees", False),
        ("-$5", "$5", False),
        ("-$5", "5", False),
        ("3-5 days", "5 days", True),
        ("costs 1.5", ".5", False),
        ("costs .5", ".5", True),
        ("\u0915\u093f\u0924\u093e\u092c", "\u0915", False),
        ("\u0915\u093f\u0924\u093e\u092c", "\u0915\u093f", False),
        ("\u0915\u093f\u0924\u093e\u092c", "\u0924\u093e\u092c", False),
        ("\u0915\u093f \u0939", "\u0915\u093f", True),
    ],
)
def test_contains(text, part, expected):
    assert contains(text, part) is expected


words = st.lists(st.text(string.ascii_letters + string.digits, min_size=1, max_size=6), min_size=1, max_size=5)


@given(words, words, words)
def test_a_text_contains_its_run_of_words_but_not_a_glued_one(before, part, after):
    needle = " ".join(part)
    assert contains(" ".join([*before, needle, *after]), needle.upper())
    assert not contains(f"q{needle}q", needle)


@pytest.mark.parametrize(
    ("found", "expected", "f1"),
    [
        ("within 30 days", "30 days", 0.8),  # precision 2/3, recall 1
        ("The 30 days!", "30 days", 1.0),
        ("a cat", "dog", 0.0),
        ("the", "", 1.0),
        ("", "dog", 0.0),
        ("dog dog", "dog", 2 / 3),
        ("1.50", "150", 0.0),
        ("-5", "5", 0.0),
        ("1,500.", "1500", 1.0),
        ("3-5", "35", 0.0),
        ("well-known (U.S.)", "wellknown us", 1.0),
        ("don\u2019t", "don't", 1.0),
        ("caf\u00e9", "cafe\u0301", 1.0),
    ],
)
def test_token_f1(found, expected, f1):
    assert token_f1(found, expected) == pytest.approx(f1)


@given(st.text(max_size=40), st.text(max_size=40))
def test_f1_is_symmetric_bounded_and_one_with_itself(left, right):
    assert token_f1(left, left) == 1
    assert 0 <= token_f1(left, right) == token_f1(right, left) <= 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,299.00 a pair", "1299.00"),
        ("3-5 days", "3"),
        ("-5 °C", "-5"),
        ("−5 °C", "-5"),  # noqa: RUF001
        ("A4 costs 2 EUR", "2"),
        ("model WX-200", "200"),
        ("USD30", "30"),
        ("v2.3 costs 5", "5"),
        ("about .5 l", "0.5"),
        ("1.5e3 g", "1500"),
        ("30km", "30"),
        ("1234,5678", "1234"),
        ("none", None),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("3-$5", "3"),
        ("- $5", "5"),
        ("5 million", "5000000"),
        ("1.5-billion", "1500000000"),
        ("5k", "5000"),
        ("300 K", "300"),
        ("$2.5bn", "2500000000"),
        ("5 m", "5"),
    ],
)
def test_first_number(text, number):
    assert first_number(text) == (None if number is None else Decimal(number))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_written_with_or_without_groups_is_read_back(number):
    assert first_number(f"it is {number:f} kg") == number
    assert first_number(f"{number:,f}kg") == number


@given(st.text())
def test_clipped_texts_are_short_lines_that_utf8_can_hold(text):
    clipped = clip(text + "\ud800")
    assert len(clipped) <= 80
    assert "\n" not in clipped
    clipped.encode()
