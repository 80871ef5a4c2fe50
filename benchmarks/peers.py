"""Other tools' trials over the same questions and the same server, each in an environment of its own.

    python -m venv peers/inspect-ai && peers/inspect-ai/bin/pip install inspect-ai openai
    python -m venv peers/deepeval && peers/deepeval/bin/pip install deepeval openai
    npm install --prefix peers/promptfoo promptfoo
    LEVERS_PEERS=peers python -m benchmarks concurrency

Each is timed from its first request to its last graded answer, its import and start left out, and asks as often at once
as levers does. Telemetry is off in all of them. A peer that is not there is left out.
"""

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(os.environ.get("LEVERS_PEERS", "peers"))
_QUIET = {
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
    "DEEPEVAL_NO_INSPECT_PROMPT": "1",
    "DEEPEVAL_PER_ATTEMPT_TIMEOUT_SECONDS_OVERRIDE": "600",
    "DEEPEVAL_PER_TASK_TIMEOUT_SECONDS_OVERRIDE": "1800",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
}


class Took(NamedTuple):
    """Seconds of a trial: on the clock, and of processor time."""

    wall: float
    cpu: float


Peer = Callable[[str, int, int], Took | None]
"""From the server's address, the number of cases and how many at once to the seconds; None where it is not there."""


def _python(name: str, script: str) -> Peer:
    def run(base_url: str, cases: int, at_once: int) -> Took | None:
        python = FOLDER / name / "bin" / "python"
        if not python.exists():
            return None
        values = json.dumps({"url": base_url, "cases": cases, "at_once": at_once})
        with tempfile.TemporaryDirectory() as folder:
            ended = _ended([str(python.absolute()), "-c", script, values], base_url, folder)
        return Took(*json.loads(ended.stdout.strip().splitlines()[-1]))

    return run


def _promptfoo(base_url: str, cases: int, at_once: int) -> Took | None:
    """Run its command on one case, which is its start, and on all of them; the difference is the trial."""
    command = FOLDER / "promptfoo" / "node_modules" / ".bin" / "promptfoo"
    if not command.exists():
        return None
    few, many = (_promptfoo_run(command.absolute(), base_url, count, at_once) for count in (1, cases))
    return Took(many.wall - few.wall, many.cpu - few.cpu)


def _promptfoo_run(command: Path, base_url: str, cases: int, at_once: int) -> Took:
    config: dict[str, Any] = {
        "prompts": ["Answer.\n{{question}}"],
        "providers": [{"id": "openai:chat:m", "config": {"apiBaseUrl": base_url, "max_tokens": 64}}],
        "tests": [
            {"vars": {"question": f"How long, {n}?"}, "assert": [{"type": "equals", "value": "30 days"}]}
            for n in range(cases)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "promptfooconfig.json"
        path.write_text(json.dumps(config))
        flags = ["-c", str(path), "-j", str(at_once), "--no-cache", "--no-progress-bar", "--no-table", "--no-write"]
        before, used = time.perf_counter(), _children()
        _ended([str(command), "eval", *flags], base_url, folder, {"PROMPTFOO_CONFIG_DIR": folder})
        return Took(time.perf_counter() - before, _children() - used)


def _ended(
    command: list[str], base_url: str, folder: str, more: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    own = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment = {**own, **_QUIET, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "none", **(more or {})}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=900, check=True)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


_INSPECT = """
import json, sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import exact
from inspect_ai.solver import generate
given = json.loads(sys.argv[1])
def run(count):
    samples = [Sample(input=f"How long, {n}?", target="30 days") for n in range(count)]
    task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=exact())
    begun, used = time.perf_counter(), time.process_time()
    logs = eval(task, model="openai/m", max_connections=given["at_once"], max_samples=given["at_once"],
                display="none", log_dir="logs", log_samples=False, model_args={"responses_api": False})
    assert logs[0].status == "success", logs[0].error
    metrics = logs[0].results.scores[0].metrics
    assert (metrics.get("accuracy") or metrics["mean"]).value == 1
    return time.perf_counter() - begun, time.process_time() - used
run(1)
print(json.dumps(run(given["cases"])))
"""

# deepeval grades answers that are there already; here a metric fetches each with deepeval's own client first.
_DEEPEVAL = """
import json, sys, time
from deepeval import evaluate
from deepeval.evaluate import AsyncConfig, CacheConfig, DisplayConfig
from deepeval.metrics import BaseMetric
from deepeval.models import LocalModel
from deepeval.test_case import LLMTestCase
given = json.loads(sys.argv[1])
class Asked(BaseMetric):
    threshold, async_mode, include_reason, strict_mode, evaluation_model = 1, True, False, False, "m"
    error = None
    skipped = False
    def __init__(self, model):
        self.model = model
    def measure(self, case, *a, **k):
        raise AssertionError("deepeval was told to measure asynchronously")
    async def a_measure(self, case, *a, **k):
        said, cost = await self.model.a_generate(case.input)
        self.score = float(said == case.expected_output)
        self.success = self.score == 1
        return self.score
    def is_successful(self):
        return self.success
    @property
    def __name__(self):
        return "asked"
def run(count):
    cases = [LLMTestCase(input=f"How long, {n}?", actual_output="", expected_output="30 days") for n in range(count)]
    model = LocalModel(model="m", api_key="none", base_url=given["url"], temperature=0)
    begun, used = time.perf_counter(), time.process_time()
    found = evaluate(cases, [Asked(model)], async_config=AsyncConfig(max_concurrent=given["at_once"]),
                     display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
                     cache_config=CacheConfig(write_cache=False))
    assert all(each.success for each in found.test_results)
    return time.perf_counter() - begun, time.process_time() - used
run(1)
print(json.dumps(run(given["cases"])))
"""

PEERS: dict[str, Peer] = {
    "inspect-ai": _python("inspect-ai", _INSPECT),
    "deepeval": _python("deepeval", _DEEPEVAL),
    "promptfoo": _promptfoo,
}
