"""Whole replies over kept connections: the key stays where it belongs, proxies are the environment's."""

from typing import Any

import pytest

pytest.importorskip("openai")
pytest.importorskip("aiohttp")

from levers.ledger import Message
from levers.model import Ask, open_model
from levers.model.hosted import HostedSettings
from levers.model.retry import Retries
from levers.model.transport import inner_error, proxy_for, refusal
from levers.testing import FakeServer, Scripted

QUICK = HostedSettings(timeout=10, concurrency=8, retries=Retries(tries=1, first=0.01, longest=0.02))


def ask(text: str) -> Ask:
    return Ask(messages=(Message(role="user", content=text),), max_tokens=4)


def test_a_redirect_is_not_followed_and_the_key_stays() -> None:
    with FakeServer() as other:
        moved = Scripted("moved", status=307, headers={"Location": f"{other.base_url}/chat/completions"})
        with FakeServer(lambda request: moved) as server:
            reply = open_model("openai/small", base_url=server.base_url, settings=QUICK).answer([ask("x")])[0]
        assert other.requests == []
    assert reply.finish == "error" and reply.tries == 1
    assert f"redirects to {other.base_url}" in (reply.error or "")
    assert "base_url" in (reply.error or "")


def test_a_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        model = open_model("openai/small", base_url="http://models.invalid/v1", settings=QUICK)
        assert model.answer([ask("x")])[0].text == "ok"
        assert proxy.paths == ["http://models.invalid/v1/chat/completions"]


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "inside.invalid,127.0.0.1")
    assert proxy_for("https://api.openai.com/v1/x") == "http://proxy.invalid:3128"
    assert proxy_for("https://models.inside.invalid/v1/x") is None
    assert proxy_for("https://127.0.0.1:8000/v1/x") is None
    assert proxy_for("ftp://api.openai.com/") is None


def test_connections_are_kept_and_no_more_are_under_way_than_allowed() -> None:
    asks = [ask(f"number {n}") for n in range(40)]
    with FakeServer(lambda request: Scripted("fine", delay=0.01)) as server:
        replies = open_model("openai/small", base_url=server.base_url, settings=QUICK).answer(asks)
        assert server.most_at_once <= 8
    assert [reply.text for reply in replies] == ["fine"] * 40


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error": {"message": "too long", "code": "context_length_exceeded", "param": "max_tokens"}}', "too long",
         "context_length_exceeded"),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}', "busy", "overloaded_error"),
        (b'{"error": "model not loaded"}', "model not loaded", None),
        (b'{"message": "no such route", "code": 404}', "no such route", "404"),
        (b"<html>bad gateway</html>", "Bad Gateway", None),
        (b"[1]", "Bad Gateway", None),
        (b"", "Bad Gateway", None),
    ],
)  # fmt: skip
def test_error_bodies_as_servers_write_them(body: bytes, message: str, code: str | None) -> None:
    failed = refusal(502, {"retry-after": "3"}, body, "Bad Gateway")
    assert (failed.status, failed.message, failed.code, failed.asked_wait) == (502, message, code, 3)


def test_what_is_no_error_object_is_empty() -> None:
    odd: list[Any] = [None, [], "text", 3]
    assert [inner_error(each) for each in odd] == [{}] * 4
