"""The field's figures are carried whole, with their sources, and cannot be changed by a reader."""

import pytest

from levers.economics import (
    cost,
    costs,
    gate,
    gates,
    latencies,
    latency,
    project,
    projects,
    source_title,
    threshold,
    thresholds,
)
from levers.errors import LeversError


@pytest.mark.parametrize(
    ("goal", "minimum", "maximum", "source"),
    [
        ("style", 50, 500, "S1"),
        ("structured output", 200, 500, "S2"),
        ("classification", 500, 2_000, "S1"),
        ("lora", 500, 2_000, "S2"),
        ("extraction", 1_000, 10_000, "S1"),
        ("embedding tuning", 1_000, 10_000, "S2"),
        ("full tuning", 5_000, 50_000, "S2, S1"),
        ("distillation", 10_000, 100_000, "S4"),
        ("golden set", 50, 100, "S2"),
        ("few-shot", 3, 10, "S2"),
    ],
)
def test_data_gates(goal: str, minimum: int, maximum: int, source: str) -> None:
    found = gate(goal)
    assert (found.minimum, found.maximum, found.source) == (minimum, maximum, source)
    assert found.open == (goal == "full tuning")
    assert [found.missing(count) for count in (0, minimum - 1, minimum, maximum + 1)] == [minimum, 1, 0, 0]


def test_latencies_thresholds_and_projects() -> None:
    assert (latency("lora, self-hosted 7-8B").low, latency("lora, self-hosted 7-8B").high) == (150, 400)
    assert (threshold("inline").high, threshold("prompt wall").high, cost("H100").low) == (10_000, 50_000, 2)
    assert project("lora, 7-8B").compute == (50, 300)
    assert project("distillation").project == (20_000, 80_000)
    assert project("retrieval").compute is None


def test_every_figure_is_a_range_with_a_source_that_can_be_written_out() -> None:
    figures = [*latencies().values(), *thresholds().values(), *costs().values()]
    assert all(0 <= row.low <= row.high for row in figures)
    assert all(row.minimum <= row.maximum for row in gates().values())
    for row in [*figures, *gates().values(), *projects().values()]:
        assert source_title(row.source) != row.source
        assert row.source.count("S") == source_title(row.source).count("(2026)")
    ranges = [part for row in projects().values() for part in (row.compute, row.project, row.per_month) if part]
    assert all(low <= high for low, high in ranges)


def test_a_source_without_a_code_stays_as_it_is() -> None:
    assert source_title("prices.yaml") == "prices.yaml"


@pytest.mark.parametrize("pick", [gate, latency, threshold, cost, project])
def test_an_unknown_name_lists_the_known_ones(pick: object) -> None:
    with pytest.raises(LeversError) as caught:
        pick("no such thing")  # type: ignore[operator]
    assert "known: " in caught.value.hint


def test_readers_get_copies() -> None:
    gates().clear()
    assert gate("style").minimum == 50
