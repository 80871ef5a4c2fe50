"""How good the forecasts of `levers run` are: every pull of several example tasks, realised against forecast.

    python -m benchmarks forecasts

The tasks are the shipped example and a small set of Wikipedia passages, both answered by pocket, and three tasks whose
reader is scripted: product documentation, Wikipedia and a classification. Sets that are absent are left out. The run on
the example takes minutes; `LEVERS_SUPPORT` names a project where it is finished, which then replays.

A forecast is *within* when the realised gain on dev lies in its 95 % interval, *short* when the product did less than
its probe, which is told case by case, and *beyond* when more came of the pull than was held possible: the forecast's
own fault. For accepted pulls the gain on test is set against the same interval.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import levers
from benchmarks import Row, Skipped
from benchmarks.planted.faults import LABELS, UNKNOWN, Fact
from benchmarks.planted.real import SETS
from levers.ledger import digest
from levers.loop import Run, forecasts
from levers.model.pocket import weights_path
from levers.testing import FakeServer

GOAL = 0.9
CASES, SMALL = 100, 60
NOISE = 0.05
TOLD = "is one of:"  # how written rules introduce labels
_SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "topic": {"type": "string", "enum": list(LABELS)}},
    "required": ["answer", "topic"],
    "additionalProperties": False,
}


def measure() -> list[Row]:
    """Run every task, and count."""
    rows, steps = [], []
    for name, run in _runs():
        found = [each for measure in ("pass", "score") if (each := forecasts(run.steps, measure))]
        for each in found:
            steps += each.steps
            rows.append(_row(f"{name}, {each.measure}", list(each.steps), _on_test(run, each.measure)))
    rows.append(_row("all tasks and both measures", steps, ""))
    return rows


def _row(what: str, steps: Sequence[Any], more: str) -> Row:
    counts = {hit: sum(each.hit == hit for each in steps) for hit in ("within", "short", "beyond")}
    table = [
        f"{each.step} {each.lever}: forecast {each.interval.low:+.3f} to {each.interval.high:+.3f}, realised "
        f"{each.realised:+.3f}: {each.hit}{'; ' + each.why if each.why else ''}"
        for each in steps
    ]
    note = ", ".join(f"{count} {hit}" for hit, count in counts.items()) + more
    told = "forecasts that were within, or short for reasons that the cases show"
    share = (len(steps) - counts["beyond"]) / len(steps)
    return Row("forecasts", f"{told}: {len(steps)} of {what}", share, "the goal", GOAL, "", note, "\n".join(table))


def _on_test(run: Run, measure: str) -> str:
    """Say how many accepted pulls gained on test what was forecast on dev, or came short of it."""
    pairs = []
    for step in run.steps:
        came = step.test_pass if measure == "pass" else step.test_score
        quote = step.plan.chosen if step.plan else None
        forecast = quote and (quote.forecast if measure == "pass" else quote.score_forecast)
        if step.verdict == "accepted" and came and forecast and quote and quote.saves is None:
            pairs.append((came.interval.low <= forecast.high and forecast.low <= came.interval.high, step.lever))
    return f"; on test the intervals of {sum(hit for hit, _ in pairs)} of {len(pairs)} accepted pulls agree"


def _runs() -> list[tuple[str, Run]]:
    found = []
    for name, make in TASKS.items():
        try:
            print(f"forecasts, {name} …", file=sys.stderr, flush=True)
            found.append((name, make()))
        except Skipped as error:
            print(f"forecasts, {name}: left out, {error}", file=sys.stderr)
    return found


def _support() -> Run:
    _needs_pocket()
    kept = os.environ.get("LEVERS_SUPPORT")
    with nullcontext() if kept else tempfile.TemporaryDirectory() as folder:
        return levers.run(levers.load(kept or levers.init(Path(str(folder)) / "support")))


def _small(name: str) -> Callable[[], Run]:
    """Facts of a set, read by pocket; the answer is plain text."""

    def run() -> Run:
        _needs_pocket()
        facts = [fact for fact in SETS[name].load(CASES) if len(fact.text) <= 600][:SMALL]
        with tempfile.TemporaryDirectory() as folder:
            config = _CONFIG.format(models="answer: pocket, embed: minilm", graders="  - {kind: contains}\n", more="")
            rows = [(fact.question, fact.answer) for fact in facts]
            return levers.run(levers.load(_write(Path(folder), facts, rows, config)))

    return run


def _scripted(name: str) -> Callable[[], Run]:
    """Facts of a set, read by a script that lacks facts, form and label, and errs on some prompts."""

    def run() -> Run:
        source = SETS[name]
        facts = source.load(CASES)
        reader = _Reader(facts)
        choices = [fact.answer for fact in facts] + [UNKNOWN]
        answer = f"{{kind: choice, field: answer, choices: {json.dumps(choices)}}}" if source.labels else _EXACT
        graders = f"  - {{kind: schema, schema: answer.json}}\n  - {answer}\n  - {_TOPIC}\n"
        with tempfile.TemporaryDirectory() as folder, FakeServer(reader) as server:
            models = f'answer: openai/scripted, embed: minilm, base_url: "{server.base_url}"'
            config = _CONFIG.format(models=models, graders=graders, more="prices: prices.yaml\n")
            rows = [(fact.question, _expected(place, fact)) for place, fact in enumerate(facts)]
            return levers.run(levers.load(_write(Path(folder), facts, rows, config)))

    return run


_EXACT = "{kind: exact, field: answer}"
_TOPIC = f"{{kind: choice, field: topic, choices: [{', '.join(LABELS)}]}}"
_CONFIG = """\
name: forecasts
instructions: brief.md
golden: golden.jsonl
knowledge: {{documents: docs/}}
models: {{{models}}}
graders:
{graders}targets: {{quality: 0.99}}
{more}"""


def _expected(place: int, fact: Fact) -> dict[str, str]:
    return {"answer": fact.answer, "topic": LABELS[place % len(LABELS)]}


def _write(folder: Path, facts: Sequence[Fact], rows: Sequence[tuple[str, Any]], config: str) -> Path:
    """Write a project: a document for each fact, three cases of five in dev."""
    (folder / "docs").mkdir()
    for place, fact in enumerate(facts):
        (folder / "docs" / f"c{place}.md").write_text(f"# Page {place}\n\n## Fact\n\n{fact.text}\n", encoding="utf-8")
    golden = [
        {
            "id": f"c{place}",
            "input": question,
            "expected": expected,
            "partition": "dev" if place % 5 < 3 else "test",
            "evidence": [f"docs/c{place}.md#fact"],
        }
        for place, (question, expected) in enumerate(rows)
    ]
    lines = "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in golden)
    (folder / "golden.jsonl").write_text(lines, encoding="utf-8")
    (folder / "brief.md").write_text("Answer from the passages with their shortest phrase, else say: not found\n")
    (folder / "prices.yaml").write_text("openai/scripted: {input: 0.1, output: 0.4}\n")
    (folder / "answer.json").write_text(json.dumps(_SCHEMA))
    (folder / "levers.yaml").write_text(config, encoding="utf-8")
    return folder


@dataclass(frozen=True)
class _Reader:
    """Writes JSON only where it is told to, names the topic only where topics are told, knows what it is shown."""

    facts: Sequence[Fact]

    def __call__(self, request: dict[str, Any]) -> str:
        """Answer one request."""
        turns = request["messages"]
        system = "\n".join(turn["content"] for turn in turns if turn["role"] == "system")
        given, _, question = turns[-1]["content"].rpartition("\n\nQuestion: ")
        place = next((n for n, fact in enumerate(self.facts) if _bare(fact.question) in _bare(question)), 0)
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
        shown = any(turn["role"] == "assistant" for turn in turns)
        answer = self.facts[place].answer
        said = answer if re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", f"{system}\n{given}") else UNKNOWN
        if int(digest([turns, request.get("temperature"), request.get("seed")], 8)[-8:], 16) < NOISE * 16**8:
            said = "something else"
        if not (schema or shown or "JSON object" in system):
            return f"I believe it is {said}, dear customer"
        enum = ((schema or {}).get("properties") or {}).get("topic", {}).get("enum", LABELS)
        told = len(enum) == 1 or TOLD in system
        topic = LABELS[place % len(LABELS)] if told else LABELS[0]
        return json.dumps({"answer": said, "topic": topic})


def _bare(text: str) -> str:
    return text.casefold().rstrip("?!. ")


def _needs_pocket() -> None:
    if not (weights_path() / "model.safetensors").is_file():
        raise Skipped("pocket's weights are not here")


TASKS: dict[str, Callable[[], Run]] = {
    "`support`, pocket": _support,
    "Wikipedia (squad2_dev), pocket": _small("Wikipedia (squad2_dev)"),
    "product documentation, scripted": _scripted("product documentation (product_docs_qa)"),
    "Wikipedia (xquad), scripted": _scripted("Wikipedia (xquad, English)"),
    "classification (banking77), scripted": _scripted("classification (banking77)"),
}
