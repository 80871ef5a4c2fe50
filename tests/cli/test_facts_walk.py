"""A walk through the field's figures, sections 2 to 8 and 11: every row comes out of a command, with its source."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from levers.cli import app

# (section, table, the row's name, words or figures that it must hold, source)
ROWS: list[tuple[int, str, str, tuple[Any, ...], str]] = [
    (2, "signals", "facts", ("knowledge", "retrieve", "inline"), "S2, S0, S1, S4"),
    (2, "signals", "domain", ("knowledge, usually", "retrieve"), "S2"),
    (2, "signals", "schema", ("behaviour", "structure", "tune", "if more than 0.5 to 1 % still fails"), "S2, S0"),
    (2, "signals", "tone", ("behaviour", "examples", "tune"), "S2, S0"),
    (2, "signals", "brief", ("instruction", "instruct", "examples"), "S0, S2"),
    (2, "signals", "tools", ("tool use", "tune", "on tool demonstrations"), "S2"),
    (2, "signals", "prompt latency", ("context overhead", "cache", "tune"), "S2"),
    (2, "signals", "cost", ("model tier, context length", "cache", "route", "distill"), "S2, S0, S3, S4"),
    (2, "signals", "documents", ("retrieval", "retrieve", "sharpen"), "S2"),
    (2, "signals", "volatile", ("volatility", "query"), "S2"),
    (2, "signals", "drift", ("drift", "trial", "more epochs on the old data"), "S2"),
    (3, "scorecard", "data freshness", ("model's own", "live", "frozen"), "S3"),
    (3, "scorecard", "domain specificity", ("limited", "documents at query time", "learned patterns"), "S3"),
    (3, "scorecard", "setup cost", ("$0", "$5K to $50K", "$10K to $100K or more"), "S3"),
    (3, "scorecard", "per-query cost", ("prompt tokens", "embed, retrieve, longer prompt"), "S3"),
    (3, "scorecard", "latency", ("lowest", "200 to 500 ms more", "lowest with a small model"), "S3"),
    (3, "scorecard", "accuracy ceiling", ("medium", "high", "highest"), "S3"),
    (3, "scorecard", "team expertise", ("low", "medium", "high"), "S3"),
    (4, "gates", "style", (50, 500), "S1"),
    (4, "gates", "structured output", (200, 500), "S2"),
    (4, "gates", "classification", (500, 2000), "S1"),
    (4, "gates", "lora", (500, 2000), "S2"),
    (4, "gates", "extraction", (1000, 10_000), "S1"),
    (4, "gates", "embedding tuning", (1000, 10_000), "S2"),
    (4, "gates", "full tuning", (5000, 50_000, True), "S2, S1"),
    (4, "gates", "distillation", (10_000, 100_000), "S4"),
    (4, "gates", "golden set", (50, 100), "S2"),
    (4, "gates", "few-shot", (3, 10), "S2"),
    (4, "practice", "quality before quantity", (500, 5000, 10_000), "S1, S2"),
    (4, "practice", "edge partition", ("adversarial, out of domain, malformed", "before training"), "S2"),
    (5, "latencies", "prompt, small hosted model", (400, 900), "S2"),
    (5, "latencies", "prompt, large hosted model", (600, 1500), "S2"),
    (5, "latencies", "retrieval, end to end", (800, 2000), "S2"),
    (5, "latencies", "retrieval step", (300, 1200), "S2"),
    (5, "latencies", "reranking step", (200, 400), "S2"),
    (5, "latencies", "lora, self-hosted 7-8B", (150, 400), "S2"),
    (5, "latencies", "tuned small hosted model", (500, 1200), "S2"),
    (5, "latencies", "retrieval and tuned model", (900, 2200), "S2"),
    (5, "latencies", "tuned classifier", (10, 50), "S4"),
    (5, "latencies", "classifier through an API", (500, True), "S4"),
    (5, "latencies", "system prompt of 4,000 tokens, added", (200,), "S2"),
    (5, "latencies", "system prompt of 4,000 tokens, p95", (400,), "S2"),
    (5, "latencies", "pipeline of 900 ms on average, p95", (2400,), "S2"),
    (6, "thresholds", "inline", (10_000,), "S4, S1"),
    (6, "thresholds", "retrieval latency budget", (500,), "S2"),
    (6, "thresholds", "prompt wall", (50_000,), "S2"),
    (6, "thresholds", "schema failures, prompting", (0.01, 0.05), "S2"),
    (6, "walls", "retrieve", ("the data changes faster than it can be indexed again",), "S2"),
    (6, "walls", "retrieve", ("no knowledge to retrieve: style, classification, a decision procedure",), "S2"),
    (6, "walls", "instruct", ("the latency of a long prompt",), "S2"),
    (6, "walls", "inline", ("models use the start and the end of a long context best",), "S3"),
    (7, "costs", "cached input, read", (0.1,), "S0"),
    (7, "costs", "cached input, write", (1.25, "a small premium"), "S0"),
    (7, "costs", "GPT-4o input", (2.5,), "S2"),
    (7, "costs", "frontier model, prompting", (3, 15), "S4"),
    (7, "costs", "self-hosted LoRA", (0.02, 0.5), "S4"),
    (7, "costs", "distilled model", (0.02, 0.05), "S4"),
    (7, "costs", "hosted tuning", (0.8, 3), "S0, S2"),
    (7, "costs", "hosted tuning, GPT-4o", (25,), "S2"),
    (7, "costs", "H100", (2,), "S2"),
    (7, "projects", "lora, 7-8B", ([50, 300], [2000, 8000]), "S2"),
    (7, "projects", "lora, managed 7B", ([500, 2000], [3000, 10_000]), "S2"),
    (7, "projects", "full tuning, 70B", ([5000, 20_000], [15_000, 50_000], True), "S2"),
    (7, "projects", "hosted tuning, gpt-4o", ([5000, 30_000], True), "S2"),
    (7, "projects", "embedding tuning", ([100, 800], [2000, 6000]), "S2"),
    (7, "projects", "distillation", ([500, 2000], [20_000, 80_000]), "S4, S2"),
    (7, "costs", "LoRA training run, S1", (10, 1000), "S1"),
    (7, "costs", "LoRA training run, S4", (50, 500), "S4"),
    (7, "costs", "data curation", (2, 5), "S2"),
    (7, "costs", "data curation, outsourced", (10_000, 50_000), "S3"),
    (7, "costs", "managed retrieval, total", (270, 2500), "S2"),
    (7, "costs", "self-hosted retrieval, total", (200, 730), "S2"),
    (7, "costs", "maintenance cycle, prompt", ("minutes",), "S2"),
    (7, "costs", "maintenance cycle, retrieval", ("re-index",), "S2"),
    (7, "costs", "maintenance cycle, LoRA", (1, 2), "S2"),
    (7, "costs", "maintenance cycle, full tuning", (4, 8), "S2"),
    (7, "costs", "recall gained by embedding tuning", (15, 30), "S2"),
    (7, "costs", "small tuned model, times cheaper", (10, 100), "S1, S4"),
    (7, "costs", "distilled model, times cheaper", (10, 20), "S2"),
    (7, "thresholds", "simple questions", (0.8,), "S3"),
    *((7, "scenarios", f"support-{name}", (), "S3") for name in ("prompting", "retrieval", "tuning")),
    (8, "scenarios", "prompt-wall", (True,), "S2"),
    (8, "scenarios", "distillation-spend", (False,), "S2"),
    (8, "scenarios", "distillation-payback", (False,), "S2"),
    (8, "scenarios", "support-retrieval", (False,), "S3"),
    (8, "scenarios", "support-tuning", (False,), "S3"),
    (8, "scenarios", "lora-70b-memory", (False,), "S4"),
    (8, "scenarios", "qlora-70b-memory", (False,), "S4"),
    (8, "scenarios", "qlora-consumer-card", (False,), "S1"),
    (8, "scenarios", "qlora-65b-48gb", (True,), "S0"),
    (11, "profiles", "scratch", ("golden set of 50 to 100", "no tuning yet"), "S2"),
    (11, "profiles", "retrieval", ("Fix retrieval first",), "S2"),
    (11, "profiles", "tuned", ("compare with the untuned baseline on recent traffic",), "S2"),
    (11, "profiles", "choosing", ("closed model for hard reasoning", "LoRA for a narrow task at volume"), "S2"),
]
# One row may be several lines of a table (retrieval's monthly costs by part), and tables hold more than is asked here.
MORE = {
    "managed vector database": (70, 500), "managed embedding": (50, 300), "managed LLM inference": (100, 1500),
    "managed reranking": (50, 200), "self-hosted vector database": (30, 80), "self-hosted embedding": (0, 0),
    "self-hosted LLM inference": (150, 600), "self-hosted reranking": (20, 50),
}  # fmt: skip


@pytest.fixture(scope="module")
def told() -> dict[str, list[dict[str, Any]]]:
    """What `levers cost facts` says."""
    result = CliRunner().invoke(app, ["cost", "facts", "--json"], catch_exceptions=False)
    tables: dict[str, list[dict[str, Any]]] = json.loads(result.stdout)["tables"]
    return tables


@pytest.mark.parametrize(("section", "table", "name", "holds", "source"), ROWS)
def test_a_row(
    told: dict[str, list[dict[str, Any]]], section: int, table: str, name: str, holds: tuple[Any, ...], source: str
) -> None:
    key = next(iter(told[table][0]))
    rows = [row for row in told[table] if row[key] == name and row["source"] == source]
    assert any(all(_held(row, each) for each in holds) for row in rows), (section, rows)


def test_retrieval_by_the_month_part_by_part(told: dict[str, list[dict[str, Any]]]) -> None:
    found = {row["name"]: (row["low"], row["high"]) for row in told["costs"] if row["source"] == "S2"}
    assert {name: found[name] for name in MORE} == MORE


def test_every_section_is_walked_and_every_source_is_written_out(told: dict[str, list[dict[str, Any]]]) -> None:
    assert {section for section, *_ in ROWS} == {2, 3, 4, 5, 6, 7, 8, 11}
    titles = {row["source"] for row in told["sources"]}
    assert all(set(source.split(", ")) <= titles for *_, source in ROWS)


def test_no_price_is_shown_where_none_is_known(told: dict[str, list[dict[str, Any]]]) -> None:
    prices = {row["model"]: row for row in told["prices"]}
    assert "compute_hour" not in prices["openai/gpt-4o"] and "input" not in prices["pocket"]
    assert prices["gpu/h100"]["compute_hour"] == 2


def _held(row: dict[str, Any], wanted: Any) -> bool:
    if isinstance(wanted, str):
        return wanted in json.dumps(row, ensure_ascii=False)
    return any(value == wanted and isinstance(value, bool) == isinstance(wanted, bool) for value in row.values())
