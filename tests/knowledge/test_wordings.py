"""Several wordings of one question: each is ranked, the rankings are merged, under the same reader's rights."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, Index, Rule, build
from levers.knowledge.fuse import pooled
from levers.knowledge.store import Hits

PAGES = {
    "parcels.md": "# Parcels\n\nConsignments reach Norway after nine days.\n",
    "fees.md": "# Fees\n\nA late fee of two euros is charged.\n",
    "noise.md": "# Post\n\nHow long is the post in the garden?\n",
    "staff/parcels.md": "# Consignments\n\nConsignments to Norway are insured in secret.\n",
}
QUESTION = "How long is the post?"
WORDING = "days until consignments reach Norway"


def hits(*found: tuple[int, float]) -> Hits:
    return Hits(np.array([place for place, _ in found], np.int64), np.array([score for _, score in found], float))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("wordings")
    write(folder / "docs", dict(PAGES))
    access = Access(groups={"staff": ("mira",)}, rules=(Rule(path="staff/**", groups=("staff",)),))
    return build(folder / "docs", "docs", access, HashingEmbedder(), folder / "indexes")


def test_the_mean_of_both_rankings_by_hand() -> None:
    found = pooled([hits((3, 4.0), (7, 1.0)), hits((9, 0.5), (7, 0.4))])
    assert list(zip(*found, strict=True)) == [(7, 0.525), (3, 0.5), (9, 0.5)]


SCORES = st.dictionaries(st.integers(0, 5), st.floats(0.01, 9), min_size=1)


@given(st.lists(SCORES, min_size=1, max_size=4))
def test_the_order_of_the_wordings_changes_nothing_and_one_ranking_stays(held: list[dict[int, float]]) -> None:
    rankings = [hits(*sorted(each.items(), key=lambda pair: (-pair[1], pair[0]))) for each in held]
    if len(rankings) == 1:
        assert pooled(rankings) is rankings[0]
    found = [dict(zip(*pooled(list(order)), strict=True)) for order in itertools.permutations(rankings)]
    assert all(each == pytest.approx(found[0], abs=2e-6) for each in found)
    assert set(found[0]) == {place for each in held for place in each}


def test_another_wording_finds_what_the_question_does_not(index: Index) -> None:
    for mode in ("hybrid", "bm25", "dense"):
        alone, both = (index.search([query], k=1, mode=mode)[0] for query in (QUESTION, (QUESTION, WORDING, WORDING)))  # type: ignore[arg-type]
        assert [each.document for each in alone] == ["docs/noise.md"]
        assert [each.document for each in both] == ["docs/parcels.md"]


def test_a_query_of_one_wording_is_that_text(index: Index) -> None:
    assert index.search([(QUESTION,), QUESTION], k=4)[0] == index.search([QUESTION], k=4)[0]


@pytest.mark.parametrize("hops", [1, 2])
def test_no_wording_finds_what_the_asker_may_not_read(index: Index, hops: int) -> None:
    asked = (QUESTION, "secret insured consignments", WORDING)
    found = index.search([asked, asked, asked], users=["mira", "ana", None], k=9, hops=hops)
    assert ["docs/staff/parcels.md" in {each.document for each in passages} for passages in found] == [
        True,
        False,
        False,
    ]
