"""Hosted tuning against a server on loopback that checks every request against the SDK's own types."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from levers.errors import ModelError, UserError
from levers.ledger import Message
from levers.tuning import Sample
from levers.tuning.hosted import PLACES, HostedTuning, Provider, count_tokens, export, firectl
from levers.tuning.retirement import is_gone, shut_down, warnings
from levers.tuning.started import Claim, Started, digests
from levers.verbs.hosting import Hosting, hosted_start

pytest.importorskip("openai")


def samples(count: int) -> list[Sample]:
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="How long is it?"))
    return [Sample(messages=turns, answer=f"{number} days", line=number) for number in range(1, count + 1)]


class Tuner(ThreadingHTTPServer):
    """Keeps files and one job; each look at the job moves it on; some replies are lost, or refused as told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, list[Any]] = {}
        self.job: dict[str, Any] = {}
        self.looks = 0
        self.keys: list[str] = []
        self.faults: list[str] = []
        self.refusal: tuple[int, str] | None = None
        self.lost: dict[str, int] = {}
        self.jobs = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        from openai.types.fine_tuning import job_create_params

        TypeAdapter(job_create_params.JobCreateParams).validate_python(body)
        assert body["training_file"] in self.files
        self.jobs += 1
        self.job = {
            "id": "ftjob-1",
            "object": "fine_tuning.job",
            "created_at": 1,
            "hyperparameters": body["method"]["supervised"]["hyperparameters"],
            "model": body["model"],
            "organization_id": "org",
            "result_files": [],
            "seed": 0,
            "status": "queued",
            "training_file": body["training_file"],
        }
        return self.job

    def look(self) -> dict[str, Any]:
        self.looks += 1
        if self.looks > 1:
            self.job |= {"status": "succeeded", "fine_tuned_model": "ft:small:team", "trained_tokens": 1234}
            self.job["result_files"] = ["file-r"]
        return self.job


class _Handler(BaseHTTPRequestHandler):
    server: Tuner

    def log_message(self, format: str, *args: Any) -> None:
        return None

    def _send(self, found: Any, status: int = 200) -> None:
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        if self.server.refusal:
            status, text = self.server.refusal
            self._send({"error": {"message": text}}, status)
        elif self.path.startswith("/v1/fine_tuning/jobs/ftjob-1/events"):
            event = {
                "id": "e",
                "created_at": 1,
                "level": "info",
                "message": "step 1",
                "object": "fine_tuning.job.event",
            }
            self._send({"object": "list", "data": [event], "has_more": False})
        elif self.path == "/v1/fine_tuning/jobs/ftjob-1":
            self._send(self.server.look())
        elif self.path == "/v1/models/old":
            self._send({"id": "old", "object": "model", "created": 1, "owned_by": "o", "shutdown_date": "2026-01-02"})
        elif self.path == "/v1/files/file-r/content":
            self._send("step,loss")
        elif self.path == "/v1/finetune/download?ft_id=ft-1&checkpoint=adapter":
            self._send("weights")
        elif self.path == "/v1/fine-tunes/ft-1":
            self._send({"id": "ft-1", "model": "acme/seven", "status": "completed", "output_name": "me/seven-x"})
        else:
            self._send({"error": {"message": "no such job"}}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.keys.append(self.headers["Authorization"])
        try:
            found = self._answer(body)
            if self.server.lost.get(self.path):  # it was done, and the reply does not come
                self.server.lost[self.path] -= 1
                self._send({"error": {"message": "lost"}}, 500)
            else:
                self._send(found)
        except (AssertionError, KeyError, ValidationError) as error:
            self.server.faults.append(repr(error))
            self._send({"error": {"message": f"bad request: {error!r}"}}, 400)

    def _answer(self, body: bytes) -> dict[str, Any]:
        if self.path == "/v1/files":
            assert b'name="purpose"\r\n\r\nfine-tune\r\n' in body
            (content,) = re.findall(rb"\r\n\r\n(\{\"messages.*?\})\s+--", body, re.DOTALL)
            name = f"file-{len(self.server.files)}"
            self.server.files[name] = [json.loads(line) for line in content.splitlines()]
            made = {"bytes": len(content), "created_at": 1, "filename": "train.jsonl", "status": "processed"}
            return {"id": name, "object": "file", "purpose": "fine-tune", **made}
        if self.path == "/v1/fine_tuning/jobs":
            return self.server.create(json.loads(body))
        if self.path == "/v1/fine_tuning/jobs/ftjob-1/cancel":
            return {**self.server.job, "status": "cancelled"}
        if self.path == "/v1/fine-tunes/ft-1/cancel":
            return {"id": "ft-1", "model": "acme/seven", "status": "cancel_requested"}
        assert self.path == "/v1/fine-tunes"
        given = json.loads(body)
        assert given["training_file"] in self.server.files and given["training_type"] == {"type": "Lora"}
        return {"id": "ft-1", "model": given["model"], "status": "pending"}


@pytest.fixture
def tuner() -> Iterator[Tuner]:
    with Tuner() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def test_upload_start_watch_and_cancel(tuner: Tuner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "sk-here")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-sent")
    for name in ("train", "held"):
        export(samples(12), "openai", tmp_path / f"{name}.jsonl")
    hosted = HostedTuning("openai", tuner.url)
    job = hosted.start(tmp_path / "train.jsonl", "small", 3, "team", tmp_path / "held.jsonl")
    assert tuner.faults == []
    assert (job.id, job.state, job.said, job.tuned) == ("ftjob-1", "waiting", "queued", None)
    assert [len(lines) for lines in tuner.files.values()] == [12, 12]
    assert tuner.job["hyperparameters"] == {"n_epochs": 3}
    assert set(tuner.keys) == {"Bearer sk-here"}
    assert hosted.look("ftjob-1").events == ("step 1",)
    done = hosted.look("ftjob-1")
    assert (done.state, done.tuned, done.trained_tokens) == ("done", "ft:small:team", 1234)
    assert [path.read_bytes() for path in hosted.fetch("ftjob-1", tmp_path / "out")] == [b'"step,loss"']
    assert hosted.cancel("ftjob-1").state == "cancelled"


def test_waiting_ends_with_the_job(tuner: Tuner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from levers.verbs import hosting

    monkeypatch.setattr(hosting, "POLL", 0.0)
    export(samples(12), "openai", tmp_path / "train.jsonl")
    hosting.hosted_start(hosting.Hosting(model="small", base_url=tuner.url), tmp_path)
    assert hosting.hosted_look("openai", "ftjob-1", tuner.url, wait=True).state == "done"


def test_a_base_that_is_gone_is_not_tuned(tuner: Tuner, tmp_path: Path) -> None:
    from levers.verbs import hosting

    export(samples(12), "openai", tmp_path / "train.jsonl")
    with pytest.raises(ModelError, match="old went on 2026-01-02"):
        hosting.hosted_start(hosting.Hosting(model="old", base_url=tuner.url), tmp_path)
    assert tuner.files == {}


@pytest.mark.parametrize(
    ("model", "gone"),
    [
        ("gpt-4o-mini-2024-07-18", date(2027, 1, 14)),
        ("ft:gpt-4.1-mini-2025-04-14:team::x", date(2027, 1, 14)),
        ("gpt-4o-2024-05-13", date(2026, 10, 23)),
        ("gpt-4o2", None),
        ("acme/seven", None),
    ],
)
def test_dates_are_known_and_said(model: str, gone: date | None) -> None:
    assert shut_down(model) == gone
    lines = warnings(model, date(2026, 11, 21))
    assert ("2027-01-06" in lines[-1]) and (gone is None or str(gone) in lines[0])
    assert is_gone(model, date(2026, 11, 21)) == (gone == date(2026, 10, 23))
    assert "has started no tuning" in warnings(model, date(2027, 2, 1))[-1]


def test_together_has_its_own_endpoints(tuner: Tuner, tmp_path: Path) -> None:
    export(samples(2), "together", tmp_path / "train.jsonl")
    hosted = HostedTuning("together", tuner.url)
    assert hosted.start(tmp_path / "train.jsonl", "acme/seven", 1, "x").state == "waiting"
    found = hosted.look("ft-1")
    assert (found.state, found.tuned) == ("done", "me/seven-x")
    assert [path.name for path in hosted.fetch("ft-1", tmp_path / "out")] == ["ft-1.tar.zst"]
    assert hosted.cancel("ft-1").state == "cancelled"


def test_a_refusal_is_told_in_the_servers_words(tuner: Tuner, tmp_path: Path) -> None:
    hosted = HostedTuning("openai", tuner.url)
    with pytest.raises(ModelError, match="status 404: no such job"):
        hosted.look("ftjob-2")
    with pytest.raises(ModelError, match="could not be reached"):
        HostedTuning("openai", "http://127.0.0.1:9/v1").look("ftjob-1")


def test_a_refused_key_is_not_repeated(tuner: Tuner) -> None:
    tuner.refusal = (401, "Incorrect API key provided: sk-secret")
    with pytest.raises(ModelError, match=r"openai refused the key \(401\)") as told:
        HostedTuning("openai", tuner.url).look("ftjob-1")
    assert "sk-secret" not in f"{told.value} {told.value.hint}" and "OPENAI_API_KEY" in told.value.hint


def test_a_job_is_asked_for_once_and_its_files_again(tuner: Tuner, tmp_path: Path) -> None:
    export(samples(12), "openai", tmp_path / "train.jsonl")
    tuner.lost = {"/v1/files": 1, "/v1/fine_tuning/jobs": 1}
    with pytest.raises(ModelError, match="status 500"):
        HostedTuning("openai", tuner.url).start(tmp_path / "train.jsonl", "small", 1, "x")
    assert len(tuner.files) == 2, "a file may be sent twice: it costs nothing"
    assert tuner.lost == {"/v1/files": 0, "/v1/fine_tuning/jobs": 0} and tuner.jobs == 1


def test_what_was_started_is_not_started_twice(tuner: Tuner, tmp_path: Path) -> None:
    how = Hosting(model="small", base_url=tuner.url, suffix="mine")
    export(samples(12), "openai", tmp_path / "train.jsonl")
    tuner.lost = {"/v1/fine_tuning/jobs": 1}
    with pytest.raises(ModelError, match="status 500: lost; a job may have been made") as lost:
        hosted_start(how, tmp_path)
    assert "list of jobs at openai" in lost.value.hint and "--again" in lost.value.hint
    sent = len(tuner.files)
    with pytest.raises(UserError, match="no reply came: it may have been made"):
        hosted_start(how, tmp_path)
    assert (tuner.jobs, len(tuner.files)) == (1, sent)
    assert hosted_start(how, tmp_path, again=True).id == "ftjob-1"
    with pytest.raises(UserError, match="ftjob-1 at openai, started from these files for small as mine"):
        hosted_start(how, tmp_path)
    export(samples(13), "openai", tmp_path / "train.jsonl")
    assert hosted_start(how, tmp_path).id == "ftjob-1" and tuner.jobs == 3, "other examples are another job"
    (tmp_path / "started.json").write_text("{")
    with pytest.raises(UserError, match="it may have been made"):
        hosted_start(how, tmp_path)


def test_a_refused_job_was_not_started(tuner: Tuner, tmp_path: Path) -> None:
    export(samples(2), "together", tmp_path / "train.jsonl")
    hosted = HostedTuning("openai", tuner.url)
    for _ in range(2):
        with pytest.raises(ModelError, match="status 400: bad request") as refused:
            hosted.start(tmp_path / "train.jsonl", "small", "no number", "x")  # type: ignore[arg-type]
        assert "may have been made" not in str(refused.value)
    assert not (tmp_path / "started.json").exists()


def test_only_one_of_two_starts_at_once_asks(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text("{}\n")
    asked = Started(provider="openai", model="small", suffix="x", files=digests([tmp_path / "train.jsonl"]))
    claims = [Claim(tmp_path, asked)]
    with pytest.raises(UserError, match="it may have been made"):
        Claim(tmp_path, asked)
    claims[0].made("ftjob-1")
    Claim(tmp_path, asked, again=True).withdraw()
    with pytest.raises(UserError, match="ftjob-1"):
        Claim(tmp_path, asked)


@pytest.mark.parametrize("provider", list(PLACES))
def test_export_is_chat_lines_with_the_answer_last(provider: Provider, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    assert export(samples(10), provider, path) == 10
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [turn["role"] for turn in rows[0]["messages"]] == ["system", "user", "assistant"]
    assert rows[0]["messages"][-1]["content"] == "1 days"


def test_system_turns_at_the_front_become_one(tmp_path: Path) -> None:
    own = Message(role="system", content="Answer in French.")
    two = [each.model_copy(update={"messages": (each.messages[0], own, *each.messages[1:])}) for each in samples(10)]
    assert export(two, "openai", tmp_path / "train.jsonl") == 10
    first = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])
    assert [turn["role"] for turn in first["messages"]] == ["system", "user", "assistant"]
    assert first["messages"][0]["content"] == "Be brief.\n\nAnswer in French."


def test_what_a_provider_would_refuse_is_not_written(tmp_path: Path) -> None:
    late = Sample(messages=(*samples(1)[0].messages, Message(role="system", content="Now")), answer="x", line=7)
    with pytest.raises(UserError) as told:
        export([late], "openai", tmp_path / "train.jsonl")
    assert [problem.line for problem in told.value.problems] == [7, None]
    assert "take the system turn out" in told.value.problems[0].hint
    assert not list(tmp_path.iterdir())


def test_keys_and_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOGETHER_API_KEY", raising=False)
    with pytest.raises(ModelError, match=r"no key for https://api.together.xyz/v1"):
        HostedTuning("together")
    with pytest.raises(UserError, match="openai or together"):
        HostedTuning("fireworks")
    first, second = firectl("seven", Path("here/train.jsonl"), "support", 3)
    assert first == "firectl dataset create support train.jsonl" and "--epochs 3" in second


def test_tokens_are_a_quarter_of_the_characters() -> None:
    characters = 10 * (len("Be brief.") + len("How long is it?")) + sum(len(each.answer) for each in samples(10))
    assert count_tokens(samples(10)) == characters // 4
