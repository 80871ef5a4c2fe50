import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.trial.records import Clustered, Comparison, Interval
from levers.view.charts import ticks
from levers.view.words import (
    clip,
    duration,
    listed,
    milliseconds,
    money,
    p_by_test,
    p_value,
    percent,
    plain,
    points,
    quantity,
    span,
    volume,
)


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.005, "<1%"), (0.666, "67%"), (0.999, ">99%"), (1.0, "100%")]
)
def test_a_share_is_never_rounded_to_none_or_all(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("a_day", "text"), [(0, "0"), (3 / 7, "0.429"), (9.5, "9.5"), (10.4, "10"), (1e6, "1,000,000")]
)
def test_few_answers_a_day_are_not_none(a_day, text):
    assert volume(a_day) == text


@given(st.floats(0, 1))
def test_a_share_reads_back_within_half_a_point(share):
    text = percent(share)
    assert text in {"<1%", ">99%"} or abs(float(text[:-1]) / 100 - share) <= 0.00501


@given(st.floats(-1, 1))
def test_points_keep_the_sign_and_the_value(difference):
    text = points(difference).replace("\N{MINUS SIGN}", "-")
    assert abs(float(text) - difference * 100) <= 0.501
    assert text == "0" or text[0] == ("-" if difference < 0 else "+")


@given(st.floats(1e-8, 1e6))
def test_money_reads_back_within_five_per_cent(dollars):
    assert float(money(dollars).replace("$", "").replace(",", "")) == pytest.approx(dollars, rel=0.05)


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0"), (0.00021, "$0.00021"), (0.004, "$0.004"), (0.5, "$0.50"), (12, "$12.00"), (-1234, "−$1,234")],  # noqa: RUF001
)
def test_money(dollars, text):
    assert money(dollars) == text


def test_what_is_not_known_says_so():
    assert {money(None), milliseconds(None), p_value(None), percent(math.nan), points(math.inf)} == {"unknown"}
    assert quantity(None, "USD") == "not measured"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 ms"), (0.2, "<1 ms"), (42.4, "42 ms"), (999.7, "1.00 s"), (90_000, "1 min 30 s")]
)
def test_milliseconds(value, text):
    assert milliseconds(value) == text


def test_longer_times():
    assert [duration(each) for each in (41.7, 185, 7800, 100_000)] == ["42 s", "3 min 05 s", "2 h 10 min", "1 d 3 h"]


def test_targets_are_written_in_their_unit():
    units = ("share of test cases that pass", "USD", "ms", "s", "cases")
    assert [quantity(0.5, unit) for unit in units] == ["50%", "$0.50", "<1 ms", "0 s", "0.5 cases"]


def test_p_values_and_spans():
    assert [p_value(each) for each in (0.0001, 0.0123, 0.5)] == ["p < 0.001", "p = 0.012", "p = 0.50"]
    assert [p_value(each) for each in (0.0096, 0.0496, 0.01)] == ["p = 0.0096", "p = 0.0496", "p = 0.010"]
    assert span(Interval(low=0.1, high=0.345)) == "10\N{EN DASH}34%"


def test_lists_read_like_sentences():
    assert [listed(list(each)) for each in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


@given(st.text(st.characters(codec=None), max_size=60))
def test_plain_text_can_be_encoded_and_holds_no_controls(text):
    made = plain(text)
    made.encode("utf-8")
    assert not any(character < " " and character not in "\t\n" for character in made)


@given(st.text(max_size=80), st.integers(1, 40))
def test_clipping_says_how_much_is_gone(text, most):
    made = clip(text, most)
    assert made == text if len(text) <= most else made.endswith(f"({len(text) - most} more characters)")


@given(st.floats(1e-9, 1e9), st.integers(2, 6))
def test_ticks_are_few_even_and_reach_the_end(most, wanted):
    made = ticks(most, wanted)
    assert made[0] == 0 and made[-1] >= most * 0.999 and len(made) <= 2 * wanted + 2
    assert all(later > earlier for earlier, later in itertools.pairwise(made))


def test_ticks_of_nothing():
    assert ticks(0) == [0.0, 1.0]


def test_the_p_value_told_is_the_one_that_decides():
    found = Comparison(
        measure="pass", cases=20, before=0.0, after=0.5, difference=0.5, interval=Interval(low=0.2, high=0.7),
        p_value=0.002, gained=10, lost=0, decisive=False, detectable_difference=0.4,
    )  # fmt: skip
    assert p_by_test(found) == "p = 0.002 by exact McNemar"
    grouped = Clustered(clusters=3, mean=0.5, error=0.4, interval=Interval(low=-1, high=2), p_value=0.4)
    told = p_by_test(found.model_copy(update={"clustered": grouped}))
    assert told == "p = 0.40 by t over the 3 sources that cases share"
