"""A tuning run and an index: sums by hand, and the laws of sums."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.economics import Documents, PriceBook, index_cost, tuning_run
from levers.errors import UserError

BOOK = PriceBook.load()
EMBED = BOOK.price("openai/text-embedding-3-small")


def test_hosted_tuning_is_paid_by_the_token_and_a_machine_by_the_hour() -> None:
    hosted = tuning_run(BOOK.price("openai/gpt-4o"), 400_000)
    assert hosted.tokens == 1_200_000 and hosted.compute.value == 30.0  # 1.2M tokens at 25 USD (S2)
    assert (hosted.curation.low, hosted.curation.high) == (60, 150)  # 2 to 5 times (S2)
    assert (hosted.outsourced.low, hosted.outsourced.high) == (10_000, 50_000)  # S3
    machine = tuning_run(BOOK.price("gpu/h100"), 400_000, hours=4)
    assert machine.compute.value == 8.0 and "S2" in machine.compute.source
    with pytest.raises(UserError, match="--hours"):
        tuning_run(BOOK.price("gpu/h100"), 400_000)
    with pytest.raises(UserError, match="training"):
        tuning_run(BOOK.price("openai/gpt-4o-mini"), 400_000)


def test_an_index_is_embedded_once_again_as_documents_change_and_kept(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("store/mine: {storage: 0.5}\n")
    store = PriceBook.load(tmp_path / "prices.yaml").price("store/mine")
    found = index_cost(EMBED, Documents(tokens=3_000_000, dimensions=1000, changes_per_year=12, changed=0.1), store)
    assert found.once.value == 0.06 and found.per_month.value == pytest.approx(0.006)
    assert found.passages == 10_000 and found.gigabytes == pytest.approx((10_000 * 4000 + 12_000_000) / 1e9)
    assert found.kept is not None and found.kept.value == pytest.approx(0.5 * found.gigabytes)
    assert index_cost(EMBED, Documents(tokens=300)).kept is None
    with pytest.raises(UserError, match="--seconds"):
        index_cost(BOOK.price("minilm"), Documents(tokens=300))
    assert index_cost(BOOK.price("minilm"), Documents(tokens=300), seconds=360).once.value == pytest.approx(0.01)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 10**8), st.integers(0, 10**8), st.floats(0, 400), st.floats(0, 1))
def test_more_documents_and_more_changes_never_cost_less(tokens: int, more: int, rate: float, share: float) -> None:
    one = index_cost(EMBED, Documents(tokens=tokens, changes_per_year=rate, changed=share))
    other = index_cost(EMBED, Documents(tokens=tokens + more, changes_per_year=rate * 2, changed=share))
    assert other.once.value >= one.once.value and other.per_month.value >= one.per_month.value
    assert other.gigabytes >= one.gigabytes
