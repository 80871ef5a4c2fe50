import time
from pathlib import Path
from typing import Any

import pytest

from levers.economics.usage import Usage
from levers.errors import BudgetError, ModelError
from levers.ledger import Message, Replay
from levers.model import Ask, Budget, Replayed, ReplayedEmbedder, open_embedder, open_model
from levers.testing import FakeServer, Scripted

pytest.importorskip("openai")

from levers.model.hosted import HostedSettings
from levers.model.retry import Retries, retry_after

QUICK = HostedSettings(retries=Retries(tries=3, first=0.01, longest=0.02, patience=5))


def ask(text: str, **more: Any) -> Ask:
    return Ask(messages=(Message(role="user", content=text),), **more)


def answers(server: FakeServer, asks: list[Ask], **more: Any) -> list[Any]:
    return open_model("openai/small", base_url=server.base_url, **{"settings": QUICK, **more}).answer(asks)


def last_word(request: dict[str, Any]) -> str:
    return str(request["messages"][-1]["content"].split()[-1])


def test_many_asks_keep_their_order_within_the_bound() -> None:
    def script(request: dict[str, Any]) -> Scripted:
        return Scripted(last_word(request), delay=0.02 if int(last_word(request)) % 2 else 0.0)

    with FakeServer(script) as server:
        settings = HostedSettings(concurrency=4, retries=QUICK.retries)
        replies = answers(server, [ask(f"number {n}") for n in range(30)], settings=settings)
        assert [reply.text for reply in replies] == [str(n) for n in range(30)]
        assert 1 < server.most_at_once <= 4


def test_usage_comes_in_four_buckets() -> None:
    with FakeServer(lambda request: Scripted("two words", cached=3)) as server:
        reply = answers(server, [ask("one two three four five")])[0]
        assert reply.usage == Usage(input=2, cache_read=3, output=2, calls=1)
        assert reply.seconds > 0


def test_what_is_sent() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}
    with FakeServer() as server:
        answers(server, [ask("x", max_tokens=7, temperature=0.5, seed=3, json_schema=schema)])
        sent = server.requests[0]
        assert (sent["model"], sent["max_tokens"], sent["temperature"], sent["seed"]) == ("small", 7, 0.5, 3)
        assert sent["response_format"]["json_schema"] == {"name": "answer", "schema": schema, "strict": True}


def test_retry_after_is_honoured() -> None:
    with FakeServer(lambda request: "fine") as server:
        turns = iter([Scripted("slow down", status=429, headers={"Retry-After": "1"}), Scripted("fine")])
        server._script = lambda request: next(turns)
        begun = time.perf_counter()
        assert answers(server, [ask("x")])[0].text == "fine"
        assert time.perf_counter() - begun >= 1.0


def test_who_stops_listening_waits_for_no_retry() -> None:
    def script(request: dict[str, Any]) -> Scripted:
        busy = last_word(request) == "busy"
        return Scripted("wait", status=429, headers={"Retry-After": "4"}) if busy else Scripted("fine", delay=0.3)

    with FakeServer(script) as server:
        model = open_model("openai/small", base_url=server.base_url, settings=QUICK)
        begun = time.perf_counter()
        replies = model.stream([ask("busy"), ask("quick")])  # type: ignore[attr-defined]
        assert next(replies)[1].text == "fine"
        replies.close()
        assert time.perf_counter() - begun < 3 and len(server.requests) == 2


def test_a_fatal_error_waits_for_no_retry_of_others() -> None:
    def script(request: dict[str, Any]) -> Scripted:
        busy = last_word(request) == "busy"
        wait = Scripted("wait", status=429, headers={"Retry-After": "4"})
        return wait if busy else Scripted("bad key", status=401, delay=0.3)

    with FakeServer(script) as server, pytest.raises(ModelError, match="refused the key"):
        begun = time.perf_counter()
        answers(server, [ask("busy"), ask("quick")])
    assert time.perf_counter() - begun < 3


def test_too_long_a_wait_is_an_error_reply() -> None:
    with FakeServer(lambda request: Scripted("come tomorrow", status=429, headers={"Retry-After": "9999"})) as server:
        reply = answers(server, [ask("x")])[0]
        assert reply.finish == "error"
        assert "429: come tomorrow" in (reply.error or "") and reply.outage
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("broken", "why"),
    [(Scripted("oops", status=500), "500: oops"), (Scripted("half", cut=True), "no connection|cannot be read")],
)
def test_a_call_that_stays_broken_is_an_error_reply_beside_good_ones(broken: Scripted, why: str) -> None:
    import re

    def script(request: dict[str, Any]) -> Scripted:
        return broken if last_word(request) == "bad" else Scripted("good")

    with FakeServer(script) as server:
        good, bad = answers(server, [ask("a good"), ask("a bad")], settings=QUICK.model_copy(update={"concurrency": 1}))
        assert (good.text, bad.finish) == ("good", "error")
        assert re.search(why, bad.error or "") and bad.outage and not good.outage
        assert len(server.requests) == 1 + QUICK.retries.tries + 1


def test_a_broken_call_recovers() -> None:
    turns = iter([Scripted("x", status=503), Scripted("x", cut=True), Scripted("back")])
    with FakeServer(lambda request: next(turns)) as server:
        assert answers(server, [ask("x")])[0].text == "back"


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_is_marked_and_loses_no_other_reply(stream: bool, tmp_path: Any) -> None:
    said = {"cut": "\ud83d", "whole": "fine", "tool": ""}
    calls = (("1", "look", '{"what": "\ud83d"}'),)

    def script(request: dict[str, Any]) -> Scripted:
        word = last_word(request)
        return Scripted(said[word], calls=calls if word == "tool" else ())

    with FakeServer(script) as server:
        settings = QUICK.model_copy(update={"stream": stream})
        model = open_model("openai/small", base_url=server.base_url, settings=settings)
        replies = Replayed(model, Replay(tmp_path / "kept.db")).answer([ask(word) for word in said])
        assert [reply.text for reply in replies] == ["\ufffd", "fine", ""]
        assert replies[2].calls[0].arguments == '{"what": "\ufffd"}'


def test_a_timeout_is_an_error_reply() -> None:
    settings = HostedSettings(timeout=0.1, retries=Retries(tries=1, first=0.01))
    with FakeServer(lambda request: Scripted("late", delay=0.4)) as server:
        reply = answers(server, [ask("x")], settings=settings)[0]
        assert reply.finish == "error"
        assert "0.1 seconds" in (reply.error or "") and reply.outage


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (Scripted("bad key", status=401), "refused the key", "LEVERS_API_KEY"),
        (Scripted("no model", status=404), "knows no model 'small'", "name"),
        (Scripted("broke", status=429, code="insufficient_quota"), "credit is spent", "credit"),
    ],
)
def test_what_no_ask_can_survive_is_a_model_error(answer: Scripted, words: str, hint: str) -> None:
    with FakeServer(lambda request: answer) as server, pytest.raises(ModelError, match=words) as raised:
        answers(server, [ask(str(n)) for n in range(5)])
    assert hint in raised.value.hint


def test_no_server_at_all_is_a_model_error() -> None:
    model = open_model("openai/small", base_url="http://127.0.0.1:9/v1", settings=QUICK)
    with pytest.raises(ModelError, match="no connection"):
        model.answer([ask("x"), ask("y")])


def test_bad_request_and_refusal_and_filter_are_data() -> None:
    def script(request: dict[str, Any]) -> Scripted:
        return {
            "long": Scripted("too many tokens", status=400),
            "rude": Scripted(refusal="I would rather not"),
            "filtered": Scripted("", finish="content_filter"),
            "cut": Scripted("and so", finish="length"),
        }[last_word(request)]

    with FakeServer(script) as server:
        replies = answers(server, [ask(word) for word in ("long", "rude", "filtered", "cut")])
        assert [reply.finish for reply in replies] == ["error", "refusal", "filter", "length"]
        assert replies[1].text == "I would rather not"


def test_a_setting_the_model_refuses_by_name_is_dropped() -> None:
    def script(request: dict[str, Any]) -> Scripted:
        if "temperature" in request:
            return Scripted("unsupported", status=400, param="temperature")
        return Scripted("fine")

    with FakeServer(script) as server:
        assert [r.text for r in answers(server, [ask("x"), ask("y")])] == ["fine", "fine"]


def test_the_key_goes_only_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "vendor-secret")
    monkeypatch.delenv("LEVERS_API_KEY", raising=False)
    with FakeServer() as server:
        answers(server, [ask("x")])
        monkeypatch.setenv("LEVERS_API_KEY", "own-secret")
        answers(server, [ask("x")])
        assert server.keys == ["none", "own-secret"]
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("LEVERS_API_KEY")
    with pytest.raises(ModelError, match="no key"):
        open_model("openai/small").answer([ask("x")])


def test_the_cap_is_never_exceeded_and_paid_replies_are_kept(tmp_path: Any) -> None:
    budget = Budget(cap=60, cost_of=lambda usage: float(usage.input + usage.output))
    with FakeServer(lambda request: "one two three") as server, pytest.raises(BudgetError) as raised:
        model = open_model("openai/small", base_url=server.base_url, settings=QUICK, budget=budget)
        replayed = Replayed(model, Replay(tmp_path / "kept.db"))
        replayed.answer([ask(f"question {n}", max_tokens=20) for n in range(40)])
    assert 0 < len(server.requests) < 40
    assert budget.spent == 5 * len(server.requests) <= 60
    assert "raise the cap" in raised.value.hint
    before = len(server.requests)
    with FakeServer(lambda request: "one two three") as again:
        model = open_model("openai/small", base_url=server.base_url, settings=QUICK)
        assert len(Replay(tmp_path / "kept.db")) == before
        assert again.requests == []


def test_it_works_inside_a_running_event_loop() -> None:
    import asyncio

    async def notebook(server: FakeServer) -> str:
        return str(answers(server, [ask("x")])[0].text)

    with FakeServer() as server:
        assert asyncio.run(notebook(server)) == "ok"


def test_embeddings_are_unit_vectors_in_order() -> None:
    import numpy as np

    with FakeServer() as server:
        embedder = open_embedder("openai/embed", base_url=server.base_url, settings=QUICK)
        texts = [f"text {n}" for n in range(300)]
        vectors = embedder.embed(texts, "passage")
        assert embedder.dimension == vectors.shape[1] == 64
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert np.allclose(vectors[250], embedder.embed(["text 250"], "query")[0])
        assert len(server.requests) == 4


def test_embeddings_are_paid_under_the_cap() -> None:
    budget = Budget(cap=3_000, cost_of=lambda usage: float(usage.input))
    with FakeServer() as server:
        embedder = open_embedder("openai/embed", base_url=server.base_url, settings=QUICK, budget=budget)
        embedder.embed(["two words"] * 128, "passage")
        assert budget.spent == 256  # as the server counts, not as was reserved: 12 a text
        with pytest.raises(BudgetError, match=r"256\.000000 of 3000\.000000 USD are spent"):
            embedder.embed(["a text of some more words, which could count for many tokens"] * 128, "passage")
        assert len(server.requests) == 1


def test_embeddings_that_were_paid_before_the_cap_are_kept(tmp_path: Path) -> None:
    budget = Budget(cap=4_000, cost_of=lambda usage: float(usage.input))
    texts = [f"text {n}" for n in range(128)] + [f"{n} " + "a text of some more words " * 3 for n in range(128)]
    with FakeServer() as server:
        behind = open_embedder("openai/embed", base_url=server.base_url, settings=QUICK, budget=budget)
        embedder = ReplayedEmbedder(behind, Replay(tmp_path / "kept.db"))
        with pytest.raises(BudgetError):
            embedder.embed(texts, "passage")
        assert [len(request["input"]) for request in server.requests] == [128]
        embedder.embed(texts[:128], "passage")
        assert len(server.requests) == 1


@pytest.mark.parametrize("vectors", [[[1.0], [1.0, 2.0]], [[1.0], None], [[1.0]], [[1.0], [float("nan")]], [1.0, 2.0]])
def test_a_response_without_vectors_counts_at_its_bound_and_names_the_server(
    vectors: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(cap=3_000, cost_of=lambda usage: float(usage.input))
    data = [{"object": "embedding", "index": place, "embedding": each} for place, each in enumerate(vectors)]
    with FakeServer() as server:
        monkeypatch.setattr(server, "_embeddings", lambda request: {"object": "list", "model": "embed", "data": data})
        embedder = open_embedder("openai/embed", base_url=server.base_url, settings=QUICK, budget=budget)
        with pytest.raises(ModelError, match="no embeddings from the server"):
            embedder.embed(["a b", "c d"], "passage")
        assert budget.spent == len(server.requests) * 2 * (3 // 2 + 8)


def test_retry_after_in_all_its_forms() -> None:
    assert retry_after("250", "9") == 0.25
    assert retry_after(None, "7") == 7
    assert retry_after(None, "Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after(None, "soon") is None
    assert retry_after(None, None) is None
