"""What instruct, structure and examples each change, alone, on held-out cases of three tasks; then all three.

Each lever is pulled as `levers run` would pull it, with everything it chooses chosen on dev; what it changed is
measured on test, case by case, against the same stack without it. The tasks: the shipped example as it starts and with
one passage found for each question; twelve intents of hwu64; short answers in JSON from XQuAD's English paragraphs.
"""

import csv
import gzip
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

import levers
from benchmarks import Row, Skipped, data_folder
from levers.diagnosis import Diagnosis
from levers.errors import MissingExtra, ModelError
from levers.lever import Situation, lever
from levers.loop import Project
from levers.stack import Stack
from levers.trial import Comparison, Trial, compare

DEV, TEST, SHOWN = 48, int(os.environ.get("LEVERS_PROMPTING_CASES", "120")), 60
LEVERS = ("instruct", "structure", "examples")
INTENTS = 12
LONGEST = 900  # characters of a paragraph: six of them are shown as examples beside the asked one
ALIKE = 85.0  # of 100
Case = tuple[str, str]


def measure() -> list[Row]:
    """Measure the levers on every task whose data are here."""
    rows: list[Row] = []
    missing: list[str] = []
    tasks: tuple[tuple[str, Callable[[Path], Path]], ...] = (("support", levers.init), *_PUBLIC.items())
    for name, write in tasks:
        with tempfile.TemporaryDirectory() as folder:
            try:
                project = Project(write(Path(folder) / name))
                rows += [row for what, base in _bases(name, project) for row in effects(what, project, base)]
            except FileNotFoundError as error:
                missing.append(str(error))
            except (MissingExtra, ModelError) as error:
                raise Skipped(str(error)) from error
    if not rows:
        raise Skipped("; ".join(missing))
    return rows


def _bases(name: str, project: Project) -> Iterator[tuple[str, Stack]]:
    start = project.start()
    yield (f"{name}, as it starts" if name == "support" else name), start
    if name == "support":
        found = lever("retrieve").pull(_situation(project, start), {"k": 1})
        yield f"{name}, with a passage", found.stack


def effects(what: str, project: Project, base: Stack) -> list[Row]:
    """Pull every lever alone on a stack, then all of them in turn; compare each with that stack on test."""
    before = project.bench.trial(base, "test", what)
    rows, all_three = [], base
    for name in LEVERS:
        rows.append(_row(f"{what}: {name}", project, before, _pull(project, name, base)))
        all_three = _pull(project, name, all_three)
    return [*rows, _row(f"{what}: {', '.join(LEVERS)}", project, before, all_three)]


def _pull(project: Project, name: str, stack: Stack) -> Stack:
    return lever(name).pull(_situation(project, stack), {}).stack


def _situation(project: Project, stack: Stack) -> Situation:
    """Return what a pull looks at; why cases fail is for quotes, and no experiment is made for it here."""
    trial = project.bench.trial(stack, "dev", "dev")
    unasked = Diagnosis(stack=stack.digest, measured=len(trial.outcomes), failures=0, needs={}, cases=(), headroom=())
    return Situation(project.bench.dev, project.workshop, stack, trial, unasked, index=lambda: project.index)


def _row(what: str, project: Project, before: Trial, stack: Stack) -> Row:
    after = project.bench.trial(stack, "test", what)
    passes, credit = (compare(before, after, of) for of in ("pass", "score"))
    told = f"passes {_said(passes)}, {passes.gained} gained, {passes.lost} lost; credit {_said(credit)}"
    cost = f"{_tokens(before):,.0f} to {_tokens(after):,.0f} tokens, {_p50(before):.0f} to {_p50(after):.0f} ms"
    return Row("prompting", what, after.quality, "without", before.quality, "of the cases pass", f"{told}; {cost}")


def _said(found: Comparison) -> str:
    low, high = found.interval.low, found.interval.high
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    return f"{found.difference:+.3f} ({low:+.3f} to {high:+.3f}, {p})"


def _tokens(trial: Trial) -> float:
    return (trial.usage.input + trial.usage.output) / len(trial.outcomes)


def _p50(trial: Trial) -> float:
    return trial.latency["total"].p50_ms


def hwu64(folder: Path) -> Path:
    """Write a project: the intents with most rows, dev and examples from the train split, test from the test split."""
    source = data_folder() / "hwu64"
    rows = {name: _shuffled(_tsv(source / f"{name}.tsv")) for name in ("train", "test")}
    counts = {label: sum(each == label for _, each in rows["train"]) for label in {label for _, label in rows["train"]}}
    intents = sorted(counts, key=lambda label: (-counts[label], label))[:INTENTS]
    train, test = ([row for row in rows[name] if row[1] in intents] for name in ("train", "test"))
    graders = [{"kind": "choice", "choices": sorted(intents)}]
    brief = "Say which intent a command to a home assistant has."
    return _write(folder, brief, graders, (train[:DEV], test[:TEST], train[DEV : DEV + SHOWN]))


def xquad(folder: Path) -> Path:
    """Write a project: questions about short paragraphs; no paragraph is in two of dev, test and examples."""
    with gzip.open(data_folder() / "xquad" / "xquad.en.json.gz", "rt", encoding="utf-8") as file:
        articles = json.load(file)["data"]
    paragraphs = [each for article in articles for each in article["paragraphs"] if len(each["context"]) <= LONGEST]
    random.Random(0).shuffle(paragraphs)
    asked = [
        (f"Passage: {each['context']}\n\nQuestion: {question['question']}", {"answer": question["answers"][0]["text"]})
        for each in paragraphs
        for question in each["qas"]
    ]
    cut = [_at_least(paragraphs, count) for count in (DEV, DEV + TEST)]
    cases = [(text, json.dumps(answer, ensure_ascii=False)) for text, answer in asked]
    folder.mkdir(parents=True)
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    (folder / "answer.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    graders = [{"kind": "schema", "schema": "answer.schema.json"}, {"kind": "f1", "field": "answer", "threshold": 0.8}]
    brief = "Answer the question from the passage, in as few of its words as possible."
    parts = (cases[:DEV], cases[cut[0] : cut[0] + TEST], cases[cut[1] : cut[1] + SHOWN])
    return _write(folder, brief, graders, parts)


_PUBLIC = {"hwu64": hwu64, "xquad": xquad}


def _at_least(paragraphs: Sequence[Any], count: int) -> int:
    """Return the number of questions of the first whole paragraphs that have at least so many."""
    total = 0
    for each in paragraphs:
        if total >= count:
            break
        total += len(each["qas"])
    return total


def _write(folder: Path, brief: str, graders: object, cases: tuple[list[Case], list[Case], list[Case]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    dev, test, shown = cases
    golden = [
        {"id": f"{part}-{place}", "input": text, "expected": _parsed(answer), "partition": part}
        for part, rows in (("dev", dev), ("test", test))
        for place, (text, answer) in enumerate(rows)
    ]
    pairs = [{"prompt": text, "completion": answer} for text, answer in shown if not _asked(text, [*dev, *test])]
    for name, lines in (("golden.jsonl", golden), ("examples.jsonl", pairs)):
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    (folder / "brief.md").write_text(f"{brief}\n", encoding="utf-8")
    config = {
        "name": folder.name,
        "instructions": "brief.md",
        "golden": "golden.jsonl",
        "examples": "examples.jsonl",
        "models": {"answer": "pocket"},
        "graders": graders,
    }
    (folder / "levers.yaml").write_text(json.dumps(config, indent=1), encoding="utf-8")
    return folder


def _asked(text: str, cases: Sequence[Case]) -> bool:
    """Tell whether nearly the same question is among the cases: then it may not be shown."""
    return any(fuzz.token_set_ratio(text.casefold(), other.casefold()) >= ALIKE for other, _ in cases)


def _parsed(answer: str) -> object:
    return json.loads(answer) if answer.startswith("{") else answer


def _tsv(path: Path) -> list[Case]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(text, label) for text, label in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def _shuffled(rows: list[Case]) -> list[Case]:
    kept = list({text.casefold(): (text, label) for text, label in rows}.values())
    random.Random(0).shuffle(kept)
    return kept
