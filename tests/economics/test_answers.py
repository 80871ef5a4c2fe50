"""An answer that takes several calls: hand-computed bills, the laws of sums, and prices that are not known."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.economics import AnswerShape, Call, PriceBook, Usage, answer_cost, bill, calls_of, routed, shape_problems
from levers.economics.caching import hit_rate_needed
from levers.errors import UserError

BOOK = PriceBook.load()
GPT, MINI, SONNET = "openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4"
EMBED = "openai/text-embedding-3-small"

shapes = st.builds(
    AnswerShape,
    model=st.sampled_from([GPT, MINI, SONNET]),
    input=st.integers(2000, 50_000),
    output=st.integers(0, 4000),
    prefix=st.integers(1024, 2000),
    hit_rate=st.none() | st.sampled_from([0.0, 0.25, 0.9, 1.0]),
    context=st.integers(0, 5000),
    embed=st.sampled_from([None, EMBED]),
    question=st.integers(1, 100),
    retries=st.sampled_from([0.0, 0.05, 1.0]),
    tools=st.integers(0, 3),
    tool_tokens=st.integers(0, 1000),
)


def total(shape: AnswerShape) -> float:
    return bill(calls_of(shape), BOOK).total.value


def test_prompt_only() -> None:
    # 2,000 x 2.50 / 1M + 200 x 10 / 1M
    assert total(AnswerShape(model=GPT, input=2000, output=200)) == 0.007


def test_caching_bills_four_buckets() -> None:
    """A read is billed as a read and a write as a write; peers bill both as input."""
    shape = AnswerShape(model=SONNET, input=10_000, output=100, prefix=8000, hit_rate=0.9)
    # 0.9 x (8,000 x 0.30 + 2,000 x 3) + 0.1 x (8,000 x 3.75 + 2,000 x 3) + 100 x 15, per 1M
    assert total(shape) == pytest.approx((0.9 * 8400 + 0.1 * 36_000 + 1500) / 1e6, abs=1e-15)
    plain = shape.model_copy(update={"hit_rate": None})
    assert total(plain) == (10_000 * 3 + 1500) / 1e6
    assert total(shape.model_copy(update={"hit_rate": 0.0})) > total(plain), "a cache that is only written costs more"


def test_retrieval_pays_for_embedding_reranking_and_a_longer_prompt(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("rerank/one: {request: 0.002}\n")
    book = PriceBook.load(tmp_path / "prices.yaml")
    shape = AnswerShape(model=GPT, input=500, output=200, context=1500, embed=EMBED, question=50, rerank="rerank/one")
    found = bill(calls_of(shape), book)
    assert [item.name for item in found.items] == ["embed the question", "rerank", "answer"]
    assert found.total.value == pytest.approx(50 * 0.02 / 1e6 + 0.002 + 0.007, abs=1e-15)


def test_tool_rounds_read_what_was_said_before() -> None:
    shape = AnswerShape(model=GPT, input=1000, output=100, tools=2, tool_tokens=400)
    # prompts of 1,000, 1,500 and 2,000 tokens, 100 written each time
    assert total(shape) == pytest.approx((4500 * 2.5 + 300 * 10) / 1e6, abs=1e-15)


def test_retries_ask_the_model_again_and_nothing_else() -> None:
    shape = AnswerShape(model=GPT, input=1000, output=100, embed=EMBED, question=50)
    again = shape.model_copy(update={"retries": 0.1})
    assert total(again) - total(shape) == pytest.approx(0.1 * 0.0035, abs=1e-15)


def test_a_routed_mix_is_the_mean_of_its_ways() -> None:
    """S3 expects about 80 % of questions to be simple."""
    small, big = (calls_of(AnswerShape(model=name, input=1000, output=100)) for name in (MINI, GPT))
    router = [Call(name="router", model=MINI, usage=Usage(input=100, output=1))]
    found = bill(routed([(0.8, small), (0.2, big)], router), BOOK).total.value
    parts = [bill(each, BOOK).total.value for each in (small, big, router)]
    assert found == pytest.approx(0.8 * parts[0] + 0.2 * parts[1] + parts[2], rel=1e-12)
    with pytest.raises(UserError, match=r"shares of 0\.9"):
        routed([(0.8, small), (0.1, big)])


def test_what_has_no_price_is_an_error_that_says_how_to_give_one() -> None:
    calls = [
        Call(name="a", model="openai/unheard-of", usage=Usage(input=1)),
        Call(name="b", model="pocket", usage=Usage(input=1)),
        Call(name="c", model=GPT, usage=Usage()),
    ]
    with pytest.raises(UserError) as caught:
        bill(calls, BOOK)
    unknown, slow, empty = caught.value.problems
    assert '"openai/unheard-of": {input:' in unknown.hint
    assert slow.found == "no time" and "--seconds" in slow.hint
    assert empty.found == "no price per call" and "request" in empty.hint


def test_a_service_by_the_call_is_not_free_by_the_token(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("rerank/one: {request: 0.002}\n")
    with pytest.raises(UserError, match="no price for input"):
        bill([Call(name="x", model="rerank/one", usage=Usage(input=5))], PriceBook.load(tmp_path / "prices.yaml"))


def test_shapes_that_cannot_be() -> None:
    short = AnswerShape(model=GPT, input=2000, output=1, prefix=500, hit_rate=0.5)
    long = AnswerShape(model=GPT, input=2000, output=1, prefix=5000)
    assert "1,024 tokens or more" in shape_problems(short, BOOK)[0].expected
    assert "2,000 tokens of --input" in shape_problems(long, BOOK)[0].expected
    assert shape_problems(short.model_copy(update={"prefix": 1024}), BOOK) == []
    assert shape_problems(short.model_copy(update={"prefix": 0}), BOOK)[0].hint == "or leave --hit-rate out"


@settings(deadline=None, max_examples=50)
@given(shapes, st.integers(1, 500))
def test_more_of_anything_never_costs_less(shape: AnswerShape, more: int) -> None:
    for name in ("input", "output", "context", "tool_tokens", "tools"):
        added = min(more, 2) if name == "tools" else more
        assert total(shape.model_copy(update={name: getattr(shape, name) + added})) >= total(shape)


@settings(deadline=None, max_examples=50)
@given(st.lists(shapes, min_size=1, max_size=4))
def test_bills_add_up_over_calls(several: list[AnswerShape]) -> None:
    calls = [call for shape in several for call in calls_of(shape)]
    assert math.isclose(bill(calls, BOOK).total.value, sum(total(shape) for shape in several), rel_tol=1e-12)


@settings(deadline=None, max_examples=50)
@given(shapes)
def test_the_total_is_the_sum_of_its_lines(shape: AnswerShape) -> None:
    found = bill(calls_of(shape), BOOK)
    assert math.isclose(found.total.value, sum(item.cost.value for item in found.items), rel_tol=1e-12)
    assert found.total.provenance == "assumed" and all(item.cost.source for item in found.items)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 50))
def test_splitting_a_batch_changes_nothing(tokens: int, output: int, pieces: int) -> None:
    whole = Call(name="all", model=GPT, usage=Usage(input=tokens * pieces, output=output * pieces))
    part = Call(name="part", model=GPT, usage=Usage(input=tokens, output=output))
    assert bill([whole], BOOK).total.value == bill([part] * pieces, BOOK).total.value
    many = part.model_copy(update={"per_answer": float(pieces)})
    assert bill([many], BOOK).total.value == bill([whole], BOOK).total.value


def test_measured_usage_at_a_listed_price_is_marked_so() -> None:
    usage = Usage(input=1000, output=10)
    found = bill([Call(name="answer", model=GPT, usage=usage)], BOOK, measured=True)
    assert found.total.provenance == "price book"
    assert found.total.value == answer_cost(usage, BOOK.price(GPT))


def test_rounds_and_retries_of_one_answer_find_the_prefix_it_left_in_the_cache() -> None:
    """They follow within seconds: only an answer's first call can miss."""
    shape = AnswerShape(model=SONNET, input=8000, output=100, prefix=8000, hit_rate=0.0, tools=1, retries=1.0)
    used = [call.usage for call in calls_of(shape)]
    assert [(each.cache_write, each.cache_read) for each in used] == [(8000, 0), (0, 8000), (0, 8000), (0, 8000)]
    # written once at 3.75, read three times at 0.30; the second and fourth prompts hold 100 tokens more; 4 x 100 out
    assert total(shape) == pytest.approx((8000 * 3.75 + 3 * 8000 * 0.30 + 2 * 100 * 3 + 400 * 15) / 1e6, abs=1e-15)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([SONNET, GPT]), st.integers(2000, 9000), st.floats(0, 1))
def test_a_cached_answer_costs_no_more_exactly_from_the_break_even_on(model: str, tokens: int, rate: float) -> None:
    plain = AnswerShape(model=model, input=tokens, output=100, prefix=2000)
    needed = hit_rate_needed(BOOK.price(model))
    assert needed is not None
    cached = total(plain.model_copy(update={"hit_rate": rate}))
    if rate >= needed + 1e-9:
        assert cached <= total(plain)
    elif rate <= needed - 1e-9:
        assert cached > total(plain)
