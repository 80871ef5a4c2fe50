"""Latency budgets: which step breaks a target, what a long prompt costs, and the field's figures for the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.economics import StepTime, latency_budget, prompt_overhead, reference_step

times = st.integers(0, 5000).map(float)
steps = st.lists(
    st.builds(
        lambda name, p50, more: StepTime(name=name, p50=p50, p95=p50 + more, provenance="measured", source="a trial"),
        st.sampled_from(["retrieve", "rerank", "answer"]), times, times,
    ),
    min_size=1, max_size=5,
)  # fmt: skip


def a_step(name: str, p50: float, p95: float) -> StepTime:
    return StepTime(name=name, p50=p50, p95=p95, provenance="measured", source="a trial")


def test_the_slowest_step_breaks_the_target() -> None:
    found = latency_budget([a_step("retrieve", 40, 90), a_step("rerank", 200, 900), a_step("answer", 300, 500)], 1000)
    assert (found.p50, found.p95, found.met, found.to_save) == (540, 1490, False, 490)
    assert [row.step.name for row in found.steps if row.breaks] == ["rerank"]
    assert [round(row.budget) for row in found.steps] == [60, 604, 336]


def test_a_measured_total_counts_and_not_the_sum() -> None:
    found = latency_budget([a_step("a", 400, 700), a_step("b", 300, 500)], 1000, a_step("total", 690, 950))
    assert found.met and found.p95 == 950 and not any(row.breaks for row in found.steps)


def test_a_4000_token_system_prompt_costs_200_and_400_ms() -> None:
    """S2; facts, section 5."""
    found = prompt_overhead(4000)
    assert (found.p50, found.p95) == (200, 400)
    assert prompt_overhead(1000).p95 == 100 and found.provenance == "assumed" and "S2" in found.source


def test_a_reference_step_takes_its_tail_from_s2() -> None:
    found = reference_step("retrieval step", "retrieve")
    assert (found.p50, round(found.p95)) == (1200, 3200)
    assert reference_step("pipeline of 900 ms on average, p95").p50 == 2400


@settings(deadline=None, max_examples=50)
@given(steps, st.integers(1, 10_000))
def test_without_the_steps_that_break_it_the_rest_fits(some: list[StepTime], target: int) -> None:
    found = latency_budget(some, target)
    assert found.met == (found.p95 <= target) == (found.to_save == 0)
    assert any(row.breaks for row in found.steps) == (not found.met)
    assert sum(row.step.p95 for row in found.steps if not row.breaks) <= max(target, found.p95 * found.met)
    assert sum(row.budget for row in found.steps) == pytest.approx(target) or found.p95 == 0
