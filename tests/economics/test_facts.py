"""A walk through the field's figures, sections 4 to 8, row by row: each is data with its source."""

from typing import Any

import pytest

from levers.economics import PriceBook, cost, gate, gates, latency, project, scenarios, threshold

# (what is asked, name, low, high, source)
ROWS: list[tuple[Any, str, float, float, str]] = [
    # section 5
    (latency, "prompt, small hosted model", 400, 900, "S2"),
    (latency, "prompt, large hosted model", 600, 1500, "S2"),
    (latency, "retrieval, end to end", 800, 2000, "S2"),
    (latency, "retrieval step", 300, 1200, "S2"),
    (latency, "reranking step", 200, 400, "S2"),
    (latency, "retrieval, added", 200, 500, "S3"),
    (latency, "lora, self-hosted 7-8B", 150, 400, "S2"),
    (latency, "tuned small hosted model", 500, 1200, "S2"),
    (latency, "retrieval and tuned model", 900, 2200, "S2"),
    (latency, "tuned classifier", 10, 50, "S4"),
    (latency, "classifier through an API", 500, 500, "S4"),
    (latency, "system prompt of 4,000 tokens, added", 200, 200, "S2"),
    (latency, "system prompt of 4,000 tokens, p95", 400, 400, "S2"),
    (latency, "pipeline of 900 ms on average, p95", 2400, 2400, "S2"),
    # section 6
    (threshold, "inline", 10_000, 10_000, "S4, S1"),
    (threshold, "prompt wall", 50_000, 50_000, "S2"),
    (threshold, "schema failures, prompting", 0.01, 0.05, "S2"),
    (threshold, "schema failures, tuning", 0.005, 0.01, "S2"),
    (threshold, "retrieval latency budget", 500, 500, "S2"),
    # section 7
    (cost, "cached input, read", 0.1, 0.1, "S0"),
    (cost, "cached input, write", 1.0, 1.25, "S0"),
    (cost, "GPT-4o input", 2.5, 2.5, "S2"),
    (cost, "frontier model, prompting", 3, 15, "S4"),
    (cost, "self-hosted LoRA", 0.02, 0.5, "S4"),
    (cost, "distilled model", 0.02, 0.05, "S4"),
    (cost, "hosted tuning", 0.8, 3, "S0, S2"),
    (cost, "hosted tuning, GPT-4o", 25, 25, "S2"),
    (cost, "H100", 2, 2, "S2"),
    (cost, "LoRA training run, S1", 10, 1000, "S1"),
    (cost, "LoRA training run, S4", 50, 500, "S4"),
    (cost, "data curation", 2, 5, "S2"),
    (cost, "data curation, outsourced", 10_000, 50_000, "S3"),
    (cost, "managed vector database", 70, 500, "S2"),
    (cost, "managed embedding", 50, 300, "S2"),
    (cost, "managed LLM inference", 100, 1500, "S2"),
    (cost, "managed reranking", 50, 200, "S2"),
    (cost, "managed retrieval, total", 270, 2500, "S2"),
    (cost, "self-hosted vector database", 30, 80, "S2"),
    (cost, "self-hosted embedding", 0, 0, "S2"),
    (cost, "self-hosted LLM inference", 150, 600, "S2"),
    (cost, "self-hosted reranking", 20, 50, "S2"),
    (cost, "self-hosted retrieval, total", 200, 730, "S2"),
    (cost, "maintenance cycle, prompt", 0, 0, "S2"),
    (cost, "maintenance cycle, retrieval", 0, 0, "S2"),
    (cost, "maintenance cycle, LoRA", 1, 2, "S2"),
    (cost, "maintenance cycle, full tuning", 4, 8, "S2"),
    (cost, "recall gained by embedding tuning", 15, 30, "S2"),
    (cost, "small tuned model, times cheaper", 10, 100, "S1, S4"),
    (cost, "distilled model, times cheaper", 10, 20, "S2"),
    (threshold, "simple questions", 0.8, 0.8, "S3"),
]
PROJECTS = [
    ("lora, 7-8B", (50, 300), (2000, 8000), "S2"),
    ("lora, managed 7B", (500, 2000), (3000, 10_000), "S2"),
    ("full tuning, 70B", (5000, 20_000), (15_000, 50_000), "S2"),
    ("hosted tuning, gpt-4o", None, (5000, 30_000), "S2"),
    ("embedding tuning", (100, 800), (2000, 6000), "S2"),
    ("distillation", (500, 2000), (20_000, 80_000), "S4, S2"),
    ("retrieval", None, (5000, 50_000), "S3, S2"),
    ("prompting", (0, 0), (0, 0), "S3, S1"),
]


@pytest.mark.parametrize(("ask", "name", "low", "high", "source"), ROWS)
def test_a_figure(ask: Any, name: str, low: float, high: float, source: str) -> None:
    found = ask(name)
    assert (found.low, found.high, found.source) == (low, high, source)
    assert found.unit and found.range().low == low


@pytest.mark.parametrize(("name", "compute", "total", "source"), PROJECTS)
def test_a_project(name: str, compute: tuple[float, float] | None, total: tuple[float, float], source: str) -> None:
    found = project(name)
    assert (found.compute, found.project, found.source) == (compute, total, source)


def test_nothing_else_is_listed() -> None:
    """A figure that is added must be walked here too."""
    from levers.economics import costs, latencies, projects, thresholds

    listed = {*costs(), *latencies(), *thresholds()} - {name for _, name, *_ in ROWS}
    assert listed == {"set-up of retrieval, S4"}
    assert set(projects()) == {name for name, *_ in PROJECTS}
    assert len(gates()) == 10 and gate("few-shot").source == "S2"


def test_section_8_is_the_scenarios() -> None:
    assert {each.name for each in scenarios() if not each.agrees} == {
        "distillation-spend", "distillation-payback", "support-retrieval", "support-tuning", "lora-70b-memory",
        "qlora-70b-memory", "qlora-consumer-card",
    }  # fmt: skip


def test_the_price_book_is_dated_versioned_and_holds_more_than_tokens() -> None:
    book = PriceBook.load()
    assert book.version >= 2 and book.as_of
    assert book.price("openai/gpt-4o").training == cost("hosted tuning, GPT-4o").low
    assert book.price("gpu/h100").compute_hour == cost("H100").low
    sonnet = book.price("anthropic/claude-sonnet-4")
    assert (sonnet.cache_seconds, sonnet.cache_minimum, sonnet.cache_read) == (300, 1024, 0.3)
    for price in book.listed.values():
        told = price.model_dump(exclude={"model", "origins"}, exclude_none=True, exclude_defaults=True)
        assert set(told) <= set(price.origins), "every figure has an origin"
