import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from levers.errors import ModelError
from levers.ledger import Message, Replay
from levers.model import Absent, Ask, Replayed, ReplayedEmbedder, ReplayedReranker, Reply, Spared, Tool
from levers.model.contract import Compared
from levers.testing import HashEmbedder, ScriptedModel


def ask(text: str) -> Ask:
    return Ask(messages=(Message(role="user", content=text),))


def echo(each: Ask) -> str:
    return each.messages[-1].content.upper()


def test_equal_asks_are_asked_once_and_never_again(tmp_path: Path) -> None:
    inner = ScriptedModel(echo)
    model = Replayed(inner, Replay(tmp_path / "kept.db"))
    assert [reply.text for reply in model.answer([ask("a"), ask("b"), ask("a")])] == ["A", "B", "A"]
    assert len(inner.asked) == 2
    again = Replayed(ScriptedModel(lambda each: "never"), Replay(tmp_path / "kept.db"))
    assert again.answer([ask("b")])[0].text == "B"


def test_another_model_or_another_setting_is_another_key(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    Replayed(ScriptedModel(echo), replay).answer([ask("a")])
    other = ScriptedModel(lambda each: "other", name="other")
    assert Replayed(other, replay).answer([ask("a")])[0].text == "other"
    warm = ScriptedModel(lambda each: "warm")
    assert Replayed(warm, replay).answer([ask("a").model_copy(update={"temperature": 1.0})])[0].text == "warm"


def test_the_order_in_which_a_schema_asks_for_fields_is_another_key(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    fields = {"why": {"type": "string"}, "score": {"type": "integer"}}
    for name in ("json_schema", "tools"):
        model = ScriptedModel(echo)
        for ordered in (fields, dict(reversed(fields.items())), fields):
            schema = {"type": "object", "properties": ordered}
            value = (Tool(name="look", parameters=schema),) if name == "tools" else schema
            Replayed(model, replay).answer([ask("a").model_copy(update={name: value})])
        assert len(model.asked) == 2


def test_what_another_kept_first_is_the_reply(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")

    def late(each: Ask) -> str:
        if each.messages[-1].content == "a":
            Replayed(ScriptedModel(lambda each: "first"), elsewhere).answer([ask("a")])
        return "second"

    elsewhere = Replay(tmp_path / "kept.db")
    elsewhere.claim = lambda keys, owner: set(keys)  # type: ignore[method-assign]  # as after a lapsed claim
    assert [each.text for each in Replayed(ScriptedModel(late), replay).answer([ask("a"), ask("b")])] == [
        "first",
        "second",
    ]


def test_error_replies_are_not_kept(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    broken = ScriptedModel(lambda each: Reply(text="", finish="error", error="down", outage=True))
    model = Replayed(broken, replay)
    assert model.answer([ask("a"), ask("a")])[0].error == "down" and model.outages == 1
    assert Replayed(ScriptedModel(echo), replay).answer([ask("a")])[0].text == "A"


def test_a_break_loses_no_finished_chunk_and_chunks_stay_the_same(tmp_path: Path) -> None:
    asks = [ask(f"question {n}") for n in range(200)]
    whole: list[list[Ask]] = []
    undisturbed = ScriptedModel(echo)
    undisturbed.answer = lambda batch: (whole.append(list(batch)), [undisturbed._one(each) for each in batch])[1]  # type: ignore[method-assign]
    Replayed(undisturbed, Replay(tmp_path / "whole.db")).answer(asks)

    parts: list[list[Ask]] = []
    breaking = ScriptedModel(echo)

    def answer(batch: list[Ask]) -> list[Reply]:
        if len(parts) == 2:
            parts.append([])
            raise KeyboardInterrupt
        parts.append(list(batch))
        return [breaking._one(each) for each in batch]

    breaking.answer = answer  # type: ignore[method-assign,assignment]
    model = Replayed(breaking, Replay(tmp_path / "kept.db"))
    with pytest.raises(KeyboardInterrupt):
        model.answer(asks)
    replies = model.answer(asks)
    assert [reply.text for reply in replies] == [f"QUESTION {n}" for n in range(200)]
    assert [part for part in parts if part] == whole


def test_an_unseen_ask_of_a_recording_says_how_to_record(tmp_path: Path) -> None:
    replay = Replay(tmp_path / "kept.db")
    Replayed(ScriptedModel(echo, name="m"), replay).answer([ask("a")])
    model = Replayed(Absent("m"), replay)
    assert model.answer([ask("a")])[0].text == "A"
    with pytest.raises(ModelError, match="not in the record") as raised:
        model.answer([ask("new")])
    assert "record once" in raised.value.hint


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=12), max_size=12))
def test_replayed_vectors_are_the_embedders_own(tmp_path: Path, texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    embedder = HashEmbedder(16)
    replayed = ReplayedEmbedder(embedder, Replay(tmp_path / "vectors.db"))
    assert np.array_equal(replayed.embed(texts, "passage"), embedder.embed(texts, "passage"))
    assert np.array_equal(replayed.embed(texts, "passage"), embedder.embed(texts, "passage"))


class Slow(HashEmbedder):
    """Takes twenty milliseconds a batch."""

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        time.sleep(0.02)
        return super().embed(texts, kind)


def test_what_questions_took_to_embed_is_told_when_they_are_not_embedded_again(tmp_path: Path) -> None:
    spared, replay = Spared(), Replay(tmp_path / "vectors.db")
    replayed = ReplayedEmbedder(Slow(16), replay, spared)
    first = replayed.embed(["a", "b", "a"], "query")
    replayed.embed(["a page"], "passage")
    assert spared.seconds == 0.0
    assert np.array_equal(replayed.embed(["a", "b", "a"], "query"), first)
    assert 0.02 <= spared.seconds < 1
    replayed.embed(["a page"], "passage")
    once = spared.seconds
    ReplayedEmbedder(Slow(16), replay, spared).embed(["a"], "query")
    assert spared.seconds == pytest.approx(1.5 * once)


def test_what_scores_took_is_told_when_they_are_not_computed_again(tmp_path: Path) -> None:
    class Scorer:
        id = "scorer"

        def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
            time.sleep(0.02)
            return [np.ones(len(each.passages), dtype=np.float32) for each in asked]

    spared = Spared()
    replayed = ReplayedReranker(Scorer(), Replay(tmp_path / "scores.db"), spared)
    asked = [Compared("why", (("", "a"), ("", "b")), {})]
    first = replayed.score(asked)
    assert spared.seconds == 0.0
    assert np.array_equal(replayed.score(asked)[0], first[0]) and spared.seconds >= 0.02


def test_threads_may_share_one_ledger(tmp_path: Path) -> None:
    model = Replayed(ScriptedModel(echo), Replay(tmp_path / "kept.db"))
    found: list[str] = []
    work = [threading.Thread(target=lambda: found.append(model.answer([ask("a")])[0].text)) for _ in range(8)]
    for each in work:
        each.start()
    for each in work:
        each.join()
    assert found == ["A"] * 8
