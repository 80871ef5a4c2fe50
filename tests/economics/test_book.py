"""The price book: what it lists, whose price comes first, and what it says about a model it does not know."""

from pathlib import Path

import pytest

from levers.economics import PriceBook, Usage, answer_cost, cost_figure, storage_cost, training_cost
from levers.economics.price import BUCKETS
from levers.errors import UserError


def book(tmp_path: Path, text: str) -> PriceBook:
    (tmp_path / "prices.yaml").write_text(text, encoding="utf-8")
    return PriceBook.load(tmp_path / "prices.yaml")


def test_every_listed_price_has_an_origin_for_every_bucket() -> None:
    listed = PriceBook.load().listed
    assert {"pocket", "minilm", "hf/*", "openai/gpt-4o"} <= set(listed)
    for name, price in listed.items():
        assert price.model == name
        priced = {bucket for bucket in BUCKETS if getattr(price, bucket)}
        assert priced <= set(price.origins), name
        assert all(origin.source and origin.date for origin in price.origins.values()), name


def test_gpt_4o_input_is_what_the_sources_say() -> None:
    """2.50 USD per 1M input tokens (facts, section 7)."""
    price = PriceBook.load().price("openai/gpt-4o")
    assert answer_cost(Usage(input=60_000), price) == 0.15
    assert cost_figure(Usage(input=60_000), price).provenance == "price book"


def test_local_models_cost_seconds_at_an_assumed_price() -> None:
    figure = cost_figure(Usage(input=300, output=20, compute_seconds=0.5), PriceBook.load().price("pocket"))
    assert figure.value == pytest.approx(0.10 * 0.5 / 3600)
    assert figure.provenance == "assumed"
    assert PriceBook.load().price("hf/some/model").compute_hour == 0.10


def test_an_unknown_model_is_told_how_to_be_priced() -> None:
    with pytest.raises(UserError) as caught:
        PriceBook.load().price("openai/gpt-4o-minni")
    (problem,) = caught.value.problems
    assert problem.field == "openai/gpt-4o-minni"
    assert '"openai/gpt-4o-minni": {input:' in problem.hint
    assert "did you mean openai/gpt-4o-mini?" in problem.hint
    assert PriceBook.load().find("openai/gpt-4o-minni") is None


def test_the_teams_price_comes_first(tmp_path: Path) -> None:
    own = book(tmp_path, "openai/gpt-4o: {input: 2, output: 8}\nhf/*: {compute_hour: 2.0}\n")
    price = own.price("openai/gpt-4o")
    assert (price.input, price.output, price.cache_read, price.cache_write) == (2.0, 8.0, 0.2, 2.5)
    assert price.origins["input"].source == "prices.yaml"
    assert price.origins["input"].provenance == "price book"
    assert price.origins["cache_read"].provenance == "assumed"
    assert own.price("hf/x").compute_hour == 2.0
    assert own.price("pocket").compute_hour == 0.10


def test_cache_prices_that_are_given_are_kept(tmp_path: Path) -> None:
    price = book(tmp_path, "openai/x: {input: 2, output: 8, cache_read: 0, cache_write: 3}").price("openai/x")
    assert (price.cache_read, price.cache_write) == (0.0, 3.0)
    assert {origin.provenance for origin in price.origins.values()} == {"price book"}


def test_the_longest_pattern_wins_and_an_exact_name_wins_over_it(tmp_path: Path) -> None:
    own = book(tmp_path, "hf/*: {compute_hour: 1}\nhf/big-*: {compute_hour: 2}\nhf/big-one: {compute_hour: 3}\n")
    assert [own.price(name).compute_hour for name in ("hf/a", "hf/big-two", "hf/big-one")] == [1, 2, 3]


def test_a_free_server_of_ones_own(tmp_path: Path) -> None:
    price = book(tmp_path, "openai/llama: {input: 0, output: 0}").price("openai/llama")
    assert answer_cost(Usage(input=10**6, cache_read=10**6, output=10**6), price) == 0.0


def test_training_and_storage_are_paid_at_their_own_price(tmp_path: Path) -> None:
    """GPT-4o: 25 USD per 1M training tokens (facts, section 7); 2M tokens over 3 epochs are 150 USD."""
    gpt = PriceBook.load().price("openai/gpt-4o")
    assert training_cost(gpt, 2_000_000).value == 150 and training_cost(gpt, 2_000_000).source.startswith("S2")
    kept = book(tmp_path, "store/mine: {storage: 0.25}").price("store/mine")
    assert storage_cost(kept, 40).value == 10
    with pytest.raises(UserError, match=r"prices\.yaml"):
        training_cost(kept, 1000)
    with pytest.raises(UserError, match="storage"):
        storage_cost(gpt, 1)
    with pytest.raises(UserError, match="tokens"):
        training_cost(gpt, -1)


def test_a_service_may_be_paid_by_the_call_alone(tmp_path: Path) -> None:
    own = book(tmp_path, "rerank/x: {request: 0.002}\nopenai/x: {input: 1, output: 2, cache_seconds: 600}\n")
    assert own.price("rerank/x").request == 0.002 and own.price("openai/x").cache_seconds == 600
    with pytest.raises(UserError, match="seconds, a number"):
        book(tmp_path, "openai/x: {input: 1, output: 2, cache_seconds: 5m}")
