"""One model, in process and behind a server that speaks OpenAI's format: the same run, step by step."""

import importlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from model.conftest import save_tiny
from story import HUTS, TOPICS, Item, Story

from levers.ledger import Message
from levers.loop import Loop, Project, Run
from levers.model import Ask, Model, open_model
from levers.plan.records import EFFORTS, Quote
from levers.testing import FakeServer, Scripted
from levers.trial import Trial

pytest.importorskip("torch")
choose = importlib.import_module("levers.plan.choose")  # the room gives its function that name

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "maxLength": 4}, "topic": {"enum": list(TOPICS)}},
    "required": ["answer", "topic"],
    "additionalProperties": False,
}
FREE = "hf/*: {compute_hour: 0}\nopenai/tiny: {input: 0, output: 0}\n"


class Behind:
    """A local model as a server's script: every request becomes the ask that it was made of."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.lock = threading.Lock()

    def __call__(self, request: dict[str, Any]) -> Scripted:
        ask = Ask(
            messages=tuple(Message(role=turn["role"], content=turn["content"]) for turn in request["messages"]),
            max_tokens=request["max_tokens"],
            temperature=request["temperature"],
            seed=request["seed"],
            json_schema=request.get("response_format", {}).get("json_schema", {}).get("schema"),
        )
        with self.lock:
            reply = self.model.answer([ask])[0]
        return Scripted(reply.text, finish=reply.finish)


def project(folder: Path, models: str) -> Project:
    """Six dev and four test cases that no random model answers; a schema that one can be held to."""
    items = [Item(HUTS[at], "warden", frozenset(), "dev" if at < 6 else "test", evidence=()) for at in range(10)]
    with Story(folder, items, documents=False, examples=False) as story:
        config = (story.folder / "levers.yaml").read_text()
    lines = [f"models: {models}" if line.startswith("models:") else line for line in config.splitlines()]
    # No time for more calls: reasoning waits in both. A brief that is long by any count, for servers count otherwise.
    (folder / "levers.yaml").write_text("\n".join(lines).replace("quality: 0.95", "quality: 0.95, p95_ms: 0.001"))
    (folder / "brief.md").write_text("Answer the guests of our huts in a few plain words. " * 20)
    (folder / "answer.schema.json").write_text(json.dumps(SCHEMA))
    (folder / "prices.yaml").write_text(FREE)
    return Project(folder)


def answers(trial: Trial) -> list[tuple[str, float]]:
    return [(each.answer.text, each.score) for each in trial.outcomes]


def told(run: Run) -> list[object]:
    """What a run did and what came of it, without prices and times."""
    return [
        (step.lever, step.settings, step.verdict, step.stack.parts, step.p_value, answers(step.measured.dev))
        for step in run.steps
    ]


def cost_by_any_time(quote: Quote, answers_per_day: float) -> tuple[int, float, float]:
    """Rank as the plan does, but let any time added count: in process a fast machine rounds it to 0 ms."""
    year = round(choose.first_year(quote, answers_per_day))
    return EFFORTS.index(quote.effort), year, float(quote.latency_ms.value > 0)


def test_a_server_gives_the_steps_that_the_process_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "_cost", cost_by_any_time)
    weights = save_tiny(tmp_path / "tiny", window=2048)
    here = Loop(project(tmp_path / "here", f"{{answer: hf/{weights}, embed: minilm}}")).run()
    with FakeServer(Behind(open_model(f"hf/{weights}"))) as server:
        models = f'{{answer: openai/tiny, embed: minilm, base_url: "{server.base_url}"}}'
        there = Loop(project(tmp_path / "there", models)).run()
    assert told(here) == told(there)
    assert [(step.lever, step.verdict) for step in here.steps][:2] == [("start", "start"), ("structure", "accepted")]
    assert here.stopped == there.stopped
