"""What a project charges its models: by the call or the token, never by the hour, and each at its own cache's price."""

import json
from pathlib import Path

import pytest

from levers import verbs
from levers.errors import BudgetError, UserError
from levers.loop import Project
from levers.loop.check import check
from levers.stack import Retrieve
from levers.testing import FakeServer, Scripted

WORDS = 8000


def project(folder: Path, models: str, prices: str = "") -> Project:
    """Two questions, whose instructions are long enough to be worth keeping."""
    cases = [
        {"id": name, "input": f"Where is {name}?", "expected": "no", "partition": name} for name in ("dev", "test")
    ]
    (folder / "golden.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (folder / "brief.md").write_text("Answer shortly. " * 2000)
    (folder / "prices.yaml").write_text(prices)
    config = (
        f"name: priced\ninstructions: brief.md\ngolden: golden.jsonl\ngraders: [{{kind: contains}}]\nmodels: {models}"
    )
    (folder / "levers.yaml").write_text(config + ("\nprices: prices.yaml\n" if prices else "\n"))
    return Project(folder)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    with FakeServer(lambda request: Scripted(text="no", written=WORDS)) as running:
        yield running


def test_a_call_that_has_a_price_of_its_own_is_paid_and_capped(tmp_path: Path, server: FakeServer) -> None:
    models = f'{{answer: openai/mine, cap: 0.05, base_url: "{server.base_url}"}}'
    made = project(tmp_path, models, "openai/mine: {request: 0.02}\n")
    assert verbs.ask(made, "Where?").cost == 0.02
    assert verbs.ask(made, "When?").cost == 0.02
    assert verbs.ledger(made).spent == 0.04
    with pytest.raises(BudgetError, match=r"0\.040000 of 0\.050000 USD are spent"):
        verbs.ask(made, "Why?")


def test_embeddings_are_capped_too(tmp_path: Path, server: FakeServer) -> None:
    models = f'{{embed: openai/embed, cap: 0.05, base_url: "{server.base_url}"}}'
    made = project(tmp_path, models, "openai/embed: {request: 0.02}\n")
    embedder = made.workshop.embedder()
    embedder.embed(["where it is"], "query")
    embedder.embed(["where it is", "where it was"], "query")
    assert verbs.ledger(made).spent == 0.04
    with pytest.raises(BudgetError, match=r"0\.040000 of 0\.050000 USD are spent"):
        embedder.embed(["where it will be"], "query")


def test_what_a_capped_workshop_searches_is_embedded_under_its_cap(tmp_path: Path, server: FakeServer) -> None:
    made = project(
        tmp_path, f'{{embed: openai/embed, base_url: "{server.base_url}"}}', "openai/embed: {request: 0.02}\n"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "where.md").write_text("It is here.\n")
    index = made.workshop.build(tmp_path / "docs", "docs")
    _, capped = made.capped(0.03)
    finder, part = capped.finder(index.digest), Retrieve(index=index.digest, k=1)
    assert finder.find(["Where is it?"], None, part)
    assert capped.spent == 0.02
    with pytest.raises(BudgetError, match=r"0\.020000 of 0\.030000 USD are spent"):
        capped.finder(index.digest).find(["Where was it?"], None, part)


def test_documents_are_embedded_under_a_diagnosis_own_cap(tmp_path: Path, server: FakeServer) -> None:
    config = f'{{embed: openai/embed, base_url: "{server.base_url}"}}\nknowledge: {{documents: docs}}'
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "where.md").write_text("It is here.\n")
    made = project(tmp_path, config, "openai/embed: {request: 0.02}\n")
    with pytest.raises(BudgetError, match=r"of 0\.010000 USD"):
        verbs.diagnose(made, cap=0.01)
    assert not server.requests
    _, capped = made.capped(0.03)
    assert capped.spent == 0.02 and made.index is not None and len(server.requests) == 1
    assert made.workshop.embedder().embed(["another, beyond that cap", "and another"], "query").shape[0] == 2


def test_an_hours_price_charges_no_server(tmp_path: Path, server: FakeServer) -> None:
    models = f'{{answer: openai/mine, cap: 5, base_url: "{server.base_url}"}}'
    made = project(tmp_path, models, "openai/mine: {compute_hour: 4}\n")
    assert "only a price by the hour for openai/mine" in str(check(tmp_path).problems[0])
    with pytest.raises(UserError, match=r"in prices\.yaml write .* in its place"):
        verbs.ask(made, "Where?")


def test_every_stack_is_charged_for_as_long_as_its_own_prompts_are_kept(tmp_path: Path, server: FakeServer) -> None:
    made = project(tmp_path, f'{{answer: anthropic/claude-sonnet-4, cap: 5, base_url: "{server.base_url}"}}')
    start = made.start()
    hour = start.model_copy(update={"model": start.model.model_copy(update={"cache": "1h"})})
    kept = verbs.ask(made, "Where?", stack=hour)
    price = made.prices.price("anthropic/claude-sonnet-4")
    assert kept.usage.cache_write == WORDS
    assert kept.cost == pytest.approx(WORDS * 2 * price.input / 1e6, rel=0.02)  # twice the input's price for an hour
    assert verbs.ledger(made).spent == pytest.approx(kept.cost)
    assert verbs.trial(made, hour).trial.cost_per_answer == pytest.approx(kept.cost)
