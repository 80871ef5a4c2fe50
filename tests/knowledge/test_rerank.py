"""Reranking inside search: order and scores, what the reader may not see, and what the reranker is told."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge.conftest import HashingEmbedder, write
from numpy.typing import NDArray

from levers.knowledge import Access, Found, Index, Rule, build
from levers.knowledge.fuse import rerank
from levers.model.contract import Compared


class Longest:
    """Prefers long passages, and remembers what it was shown."""

    id = "longest"

    def __init__(self) -> None:
        self.shown: list[Compared] = []

    def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
        self.shown += asked
        return [np.array([len(text) for _, text in each.passages], dtype=np.float32) for each in asked]


def a_passage(at: int, score: float) -> Found:
    return Found(document="d", section="", heading="", text=str(at), start=at, end=at + 1, score=score)


@given(st.lists(st.floats(0, 1), max_size=12), st.lists(st.floats(-1, 1), max_size=12))
def test_reranking_orders_the_head_and_keeps_the_tail(own: list[float], scores: list[float]) -> None:
    scores = scores[: len(own)]
    ranked = [a_passage(at, score) for at, score in enumerate(sorted(own, reverse=True))]
    found = rerank(ranked, scores)
    assert sorted(each.start for each in found) == list(range(len(ranked)))
    head, tail = found[: len(scores)], found[len(scores) :]
    assert [each.start for each in tail] == list(range(len(scores), len(ranked)))
    assert [each.score for each in head] == sorted((each.score for each in head), reverse=True)
    assert all(0 <= each.score <= 1 for each in head) and not any(each.score for each in tail)


def test_equal_scores_change_nothing() -> None:
    ranked = [a_passage(at, 1 - at / 10) for at in range(5)]
    assert [each.start for each in rerank(ranked, [0.3] * 5)] == [0, 1, 2, 3, 4]
    assert rerank([], []) == [] and rerank(ranked, [0, 0, 0, 0, 1])[0].start == 4


@pytest.fixture
def index(tmp_path: Path) -> Index:
    pages: dict[str, str | bytes] = {f"docs/p{at}.md": f"tent {'and rope ' * at}" for at in range(6)}
    write(tmp_path, {**pages, "docs/staff/secret.md": "tent " + "margin " * 40})
    access = Access(groups={"staff": ("ana",)}, rules=(Rule(path="staff/**", groups=("staff",)),))
    return build(tmp_path / "docs", "docs", access, HashingEmbedder(), tmp_path / "indexes")


def test_search_and_ranks_follow_the_reranker(index: Index) -> None:
    plain, closely = index, index.reranked(Longest())
    assert plain.reranker is None and index.reranked(None) is index and closely.digest == index.digest
    assert plain.search(["tent"])[0][0].document == "docs/p0.md"
    assert closely.search(["tent"])[0][0].document == "docs/p5.md"
    assert closely.rank_of("tent", "docs/p5.md") == 1 and closely.reranked(None).rank_of("tent", "docs/p0.md") == 1
    assert closely.search(["", "tent"], mode="bm25")[0] == []


def test_a_reranker_is_shown_only_what_the_reader_may_see(index: Index) -> None:
    reranker = Longest()
    for user, told in ((None, False), ("eva", False), ("ana", True)):
        reranker.shown.clear()
        found = index.reranked(reranker).search(["tent margin"], users=[user], k=10)[0]
        assert any("margin" in text for each in reranker.shown for _, text in each.passages) is told
        assert any(each.document.endswith("secret.md") for each in found) is told


def test_the_weights_of_words_are_counted_over_what_the_reader_may_see(index: Index) -> None:
    reranker = Longest()
    index.reranked(reranker).ranking(["The Tent rope margin"] * 2, users=[None, "ana"])
    public, staff = (each.weights for each in reranker.shown)
    assert list(public) == ["the", "tent", "rope", "margin"]
    assert public["the"] == 0.3 and public["rope"] < public["margin"]
    assert public["margin"] > staff["margin"]  # nobody else can tell that a hidden page holds the word
