"""The same `levers run` in process, through `transformers serve`, and through a LiteLLM proxy before it.

`pocket` answers in all three. The servers are not ours, and run as processes of their own: `transformers serve` with
the interpreter of $LEVERS_SERVE_PYTHON (this one unless set; it needs transformers[serving]), and the proxy of
$LEVERS_LITELLM, the path of its `litellm` command. One that is not there is left out.

The task is the shipped example's, with the answer as plain text and no form to impose: `transformers serve` takes no
schema and says so only in its log. Its cases are those that `pocket` answers once it reads the evidence. A run is
compared by its steps: lever, settings, verdict, stack, p-value, and every answer on dev with its score. Prices and
times are the server's own business.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import levers
from benchmarks import Row, Skipped
from levers.loop import Loop, Project, Run, Step
from levers.model.pocket import weights_path
from levers.stack import Given

DEV, TEST = int(os.environ.get("LEVERS_SERVERS_CASES", "24")), 16
PATIENCE = 300  # seconds for a server to start
NAME, HERE = "served-pocket", "{answer: pocket, embed: minilm}"
BRIEF = "Answer from our documents only, with the shortest phrase that answers, word for word. "
PRICES = "pocket: {compute_hour: 0}\nopenai/*: {input: 0, output: 0}\n"
# `transformers serve` looks for a model's class among transformers' own.
SERVE = """
import transformers
from levers.model.pocket import register
from levers.model.pocket.modeling import PocketForCausalLM
register()
transformers.PocketForCausalLM = PocketForCausalLM
from transformers.cli.transformers import main
main()
"""


def measure() -> list[Row]:
    """Run in process, then through every server that is there."""
    os.environ["LEVERS_API_KEY"] = f"sk-{secrets.token_urlsafe(24)}"
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as servers:
        folder = Path(scratch)
        weights = folder / NAME
        shutil.copytree(weights_path(), weights)
        addresses = dict(_addresses(weights, folder, servers))
        chosen = _answerable(folder / "all")
        here = _run(folder / "here", HERE, chosen)
        rows = []
        for name, (model, address) in addresses.items():
            begun = time.perf_counter()
            models = f'{{answer: "openai/{model}", embed: minilm, base_url: "{address}"}}'
            there = _run(folder / name, models, chosen)
            rows.append(_row(name, here, there, time.perf_counter() - begun))
        return rows


def _addresses(weights: Path, folder: Path, servers: ExitStack) -> Iterator[tuple[str, tuple[str, str]]]:
    python = os.environ.get("LEVERS_SERVE_PYTHON", sys.executable)
    if python == sys.executable and not all(map(find_spec, ("fastapi", "uvicorn"))):
        raise Skipped("transformers[serving] is not installed: set LEVERS_SERVE_PYTHON to a Python that has it")
    options = ["--dtype", "float32", "--device", "cpu", "--host", "127.0.0.1"]
    serve = servers.enter_context(_process([python, "-c", SERVE, "serve", str(weights), *options], "/health"))
    yield "transformers serve", (str(weights), f"{serve}/v1")
    if litellm := os.environ.get("LEVERS_LITELLM"):
        backend = {"model": f"openai/{weights}", "api_base": f"{serve}/v1", "api_key": "none"}
        config = folder / "proxy.yaml"
        config.write_text(json.dumps({"model_list": [{"model_name": NAME, "litellm_params": backend}]}))
        command = [litellm, "--config", str(config), "--host", "127.0.0.1", "--telemetry", "False"]
        yield "LiteLLM", (NAME, servers.enter_context(_process(command, "/health/liveliness")))


@contextmanager
def _process(command: list[str], health: str) -> Iterator[str]:
    """Run a server on a free port; give its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    offline = {"HF_HUB_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    offline["LITELLM_MASTER_KEY"] = os.environ["LEVERS_API_KEY"]  # the proxy does not start without one
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env={**os.environ, **offline}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _await(f"http://127.0.0.1:{port}{health}", process, lambda: _tail(log))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _await(url: str, process: subprocess.Popen[bytes], said: Callable[[], str]) -> None:
    begun = time.monotonic()
    while process.poll() is None and time.monotonic() - begun < PATIENCE:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise Skipped(f"{process.args[0]} did not start: {said()}")  # type: ignore[index]


def _tail(log: Any) -> str:
    log.seek(0)
    return str(log.read().decode(errors="replace")[-600:])


def _run(folder: Path, models: str, chosen: frozenset[str]) -> Run:
    return Loop(Project(_write(folder, models, chosen))).run()


def _write(folder: Path, models: str, chosen: frozenset[str] | None = None) -> Path:
    """Write the shipped example as a task of plain answers: the chosen cases, or enough to choose from."""
    levers.init(folder)
    golden = folder / "golden.jsonl"
    cases = [case for case in map(json.loads, golden.read_text(encoding="utf-8").splitlines()) if case["evidence"]]
    kept: list[dict[str, Any]] = []
    for part, count in (("dev", DEV), ("test", TEST)):
        here = [case for case in cases if case["partition"] == part and "staff" not in str(case["evidence"])]
        kept += here[: 3 * count] if chosen is None else [case for case in here if case["id"] in chosen][:count]
    for case in kept:
        case["expected"] = case["expected"]["answer"]
    golden.write_text("".join(f"{json.dumps(each)}\n" for each in kept), encoding="utf-8")
    (folder / "brief.md").write_text(BRIEF * 4, encoding="utf-8")
    (folder / "prices.yaml").write_text(PRICES, encoding="utf-8")
    config = {
        "name": "served",
        "instructions": "brief.md",
        "golden": "golden.jsonl",
        "knowledge": {"documents": "docs/", "access": "access.yaml"},
        "graders": [{"kind": "contains"}],
        "targets": {"quality": 0.5},
        "prices": "prices.yaml",
    }
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())
    (folder / "levers.yaml").write_text(f"models: {models}\n{text}", encoding="utf-8")
    return folder


def _answerable(folder: Path) -> frozenset[str]:
    """Return the cases that pocket answers once it reads their evidence: what they lack is nothing but facts.

    Of others the diagnosis draws samples, and no two programs draw alike; reasoning, which pocket is not asked to do in
    process, would be tried through a server.
    """
    project = Project(_write(folder, HERE))
    right: set[str] = set()
    for part in ("dev", "test"):
        cases = project.task.partition(part)
        given = Given(passages={case.id: project.bench.library.evidence(case) for case in cases})
        outcomes = project.bench.outcomes(project.start().with_part(given), cases, "read the evidence")
        right |= {each.case for each in outcomes if each.passed}
    return frozenset(right)


def told(step: Step) -> tuple[object, ...]:
    """Return what a step did and what came of it, without prices and times."""
    answers = [(each.answer.text, each.score) for each in step.measured.dev.outcomes]
    return step.lever, step.settings, step.verdict, step.stack.parts, step.p_value, answers


def _row(name: str, here: Run, there: Run, seconds: float) -> Row:
    pairs = list(zip(here.steps, there.steps, strict=False))
    same = sum(told(one) == told(other) for one, other in pairs)
    texts = [
        one.answer.text == other.answer.text
        for mine, theirs in pairs
        for one, other in zip(mine.measured.dev.outcomes, theirs.measured.dev.outcomes, strict=True)
    ]
    steps = ", ".join(f"{step.lever} {step.verdict}" for step in here.steps)
    return Row(
        "servers",
        f"{name}: steps of `levers run` that are the same ({steps})",
        float(same),
        "steps in process",
        float(max(len(here.steps), len(there.steps))),
        "steps",
        f"{sum(texts)} of {len(texts)} answers the same, word for word; {seconds:.0f} s",
    )
