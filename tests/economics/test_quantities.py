"""Quantities with their units: what is read, and that a missing unit, a negative or a share above 1 is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.economics import DAYS_PER_YEAR, Reader, often
from levers.errors import UserError


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        ("number", "2.5M", 2_500_000), ("number", "60,000", 60_000), ("number", "1e3", 1000), ("number", "10k", 10_000),
        ("whole", "4k", 4000), ("share", "80%", 0.8), ("share", "0.8", 0.8), ("share", "0", 0), ("share", "100%", 1),
        ("seconds", "5m", 300), ("seconds", "800ms", 0.8), ("seconds", "1h", 3600), ("seconds", "90 s", 90),
        ("bytes", "24GB", 24e9), ("bytes", "80GiB", 80 * 2**30), ("per_day", "10k/day", 10_000),
        ("per_day", "3M/month", 100_000), ("per_day", "2/s", 172_800), ("per_day", "70/week", 10),
        ("per_year", "quarterly", 4), ("per_year", "never", 0), ("per_year", "6/year", 6), ("per_year", "1/month", 12),
    ],
)  # fmt: skip
def test_what_is_read(read: str, text: str, value: float) -> None:
    reader = Reader()
    assert getattr(reader, read)("x", text) == pytest.approx(value, rel=1e-12)
    reader.done()


@pytest.mark.parametrize(
    ("read", "text", "hint"),
    [
        ("per_day", "10000", "write 10000/day"), ("per_day", "10k/fortnight", "write 10k/day"),
        ("per_day", "-5/day", "never negative"), ("share", "80", "write 0.8 or 80%"), ("share", "1.2", "write 0.012"),
        ("share", "120%", "part of a whole"), ("share", "-0.1", "part of a whole"), ("seconds", "5", "write 5m"),
        ("seconds", "5 lightyears", "units: ms"), ("bytes", "24", "write 24GB"), ("bytes", "24 apples", "units: MB"),
        ("number", "ten", "without a unit"), ("number", "nan", "without a unit"), ("number", "-1", "never negative"),
        ("number", "0,015", "write 0.015"), ("share", "0,8", "write 0.8"), ("seconds", "2,5s", "write 2.5s"),
        ("bytes", "1,5GB", "write 1.5GB"), ("per_day", "1,5k/day", "write 1.5k/day"),
        ("per_year", "0,5/year", "write 0.5"),
        ("number", "3000,5000", "parts thousands"), ("number", "1,2,3", "parts thousands"),
        ("number", "0,500", "write 0.500"), ("number", "1_0,000", "parts thousands"),
        ("number", "1,000,00", "parts thousands"), ("number", "1.500,5", "parts thousands"),
        ("whole", "1.5", "counted"), ("per_year", "often", "how often"), ("per_year", "4", "how often"),
    ],
)  # fmt: skip
def test_what_is_refused_names_itself_and_the_way_out(read: str, text: str, hint: str) -> None:
    reader = Reader()
    getattr(reader, read)("--it", text)
    with pytest.raises(UserError) as caught:
        reader.done()
    (problem,) = caught.value.problems
    assert problem.file == "--it" and text in problem.found and hint in problem.hint


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("number", "1e308"), ("number", "1e400"), ("whole", "2e15"), ("per_day", "1e11/s"), ("per_year", "1e14/day"),
        ("seconds", "1e14h"), ("milliseconds", "1e13s"), ("bytes", "1e10TB"), ("span", "1..1e16"),
        ("number", "1e-320"), ("per_day", "1e-14/year"), ("seconds", "1e-13ms"), ("share", "1e-14%"),
        ("share", "1e400%"), ("span", "1e-20..1"),
    ],
)  # fmt: skip
def test_what_no_case_has_is_refused_in_whatever_unit(read: str, text: str) -> None:
    reader = Reader()
    found = reader.span("--it", text, "USD") if read == "span" else getattr(reader, read)("--it", text)
    assert [problem.file for problem in reader.problems] == ["--it"] and found is not None
    assert reader.number("--it", "1e15") == 1e15 and reader.number("--it", "1e-15") == 1e-15
    assert len(reader.problems) == 1


def test_too_many_are_not_called_negative() -> None:
    reader = Reader()
    reader.whole("--tools", "20000", high=1000)
    (problem,) = reader.problems
    assert problem.expected == "a number, between 0 and 1000" and not problem.hint


def test_a_range_is_two_ends_in_order() -> None:
    reader = Reader()
    assert (reader.span("x", "15000..30000", "USD").low, reader.span("x", "$5k", "USD").high) == (15_000, 5_000)
    reader.span("x", "30..15", "USD")
    reader.span("x", "a..b", "USD")
    assert [problem.hint for problem in reader.problems] == ["write 15..30", "write 15000 or 15000..30000"]
    reader.span("x", "0,5..1,5", "USD")
    assert "write 0.5..1.5" in reader.problems[-1].hint


def test_all_problems_show_at_once() -> None:
    reader = Reader()
    reader.share("--hit-rate", "2")
    reader.per_day("--volume", "-1/day")
    with pytest.raises(UserError) as caught:
        reader.done()
    assert [problem.file for problem in caught.value.problems] == ["--hit-rate", "--volume"]


READS: list[Callable[[Reader], Any]] = [
    lambda reader: reader.number, lambda reader: reader.whole, lambda reader: reader.share,
    lambda reader: reader.seconds, lambda reader: reader.bytes, lambda reader: reader.per_day,
    lambda reader: reader.per_year, lambda reader: lambda name, text: reader.span(name, text, "USD"),
]  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=12) | st.from_regex(r"[-+]?[0-9.,_e]{1,6}[kmMG]?(B|/day|%|s)?", fullmatch=True))
def test_garbage_is_a_problem_and_never_a_traceback(text: str) -> None:
    for read in READS:
        reader = Reader()
        read(reader)("x", text)
        assert all(problem.expected for problem in reader.problems)


@settings(deadline=None, max_examples=50)
@given(st.integers(min_value=0, max_value=10**9))
def test_plain_numbers_come_back(value: int) -> None:
    reader = Reader()
    assert reader.whole("x", str(value)) == value and reader.whole("x", f"{value:,}") == value
    assert reader.per_day("x", f"{value}/day") == value
    assert not reader.problems


@given(st.from_regex(r"[0-9]{1,4}(,[0-9]{1,4}){1,3}(\.[0-9]{1,3})?", fullmatch=True))
def test_a_comma_parts_thousands_or_is_refused(text: str) -> None:
    reader = Reader()
    value = reader.number("x", text)
    whole = text.partition(".")[0]
    if f"{int(whole.replace(',', '')):,}" == whole:
        assert value == float(text.replace(",", "")) and not reader.problems
    else:
        (problem,) = reader.problems
        assert text in problem.found and "parts thousands" in problem.hint


def test_one_calendar_for_all_money() -> None:
    """Months of 30 days, twelve to a year, in volumes, rates and years alike (S2, S3)."""
    reader = Reader()
    assert reader.per_day("v", "36000/year") == pytest.approx(100) and reader.per_day("v", "3k/month") == 100
    assert reader.per_year("c", "daily") == reader.per_year("c", "1/day") == DAYS_PER_YEAR == 360
    assert reader.per_year("c", "weekly") * 7 == pytest.approx(360) and reader.per_year("c", "hourly") == 8640
    assert [often(reader.per_year("c", text)) for text in ("weekly", "never", "6/year")] == [
        "weekly", "never", "6 times a year",
    ]  # fmt: skip
    assert not reader.problems
