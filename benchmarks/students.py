"""Students of Banking77's 77 intents and of Snips' slots, and what one answer takes and costs beside a large model's.

The sets are looked for under $LEVERS_DATA. LEVERS_ENCODER_EPOCHS above 0 tunes an encoder and an extractor too, which
takes many minutes.
"""

import csv
import gzip
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import Row, Skipped, data_folder
from levers.economics import PriceBook, Usage, answer_cost
from levers.ledger import Message
from levers.model import Model, open_embedder, open_model
from levers.model.contract import Ask
from levers.model.extract import values_of
from levers.tuning.students import Lesson, Pair, Taught, teach

ENCODER_EPOCHS = int(os.environ.get("LEVERS_ENCODER_EPOCHS", "0"))
TEACHER = "openai/gpt-4o"
# Assumed of the teacher's prompt: the names of 77 labels at about 5 tokens, a brief and the question; a label back.
TEACHER_TOKENS = Usage(input=77 * 5 + 100, output=5)
HEAD_GOAL, ENCODER_GOAL, SLOT_GOAL, TIME_GOAL = 0.88, 0.925, 0.90, 0.010
_ONES = 200
Values = dict[str, list[str]]


def measure() -> list[Row]:
    """Teach on the train split, measure on the test split."""
    train, test = (read_banking(name) for name in ("train", "test"))
    embedder = open_embedder("minilm")
    kinds = ["head", *(["encoder"] if ENCODER_EPOCHS else [])]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind in kinds:
            lesson = Lesson.model_validate({"kind": kind, "epochs": ENCODER_EPOCHS or 1})
            taught = teach(train, lesson, embedder, Path(scratch))
            rows += _student(kind, taught, test)
    return [*rows, *(_extraction() if ENCODER_EPOCHS else [])]


def _student(kind: str, taught: Taught, test: Sequence[Pair]) -> list[Row]:
    model = open_model("student", adapter=taught.folder)
    asks = [Ask(messages=(Message(role="user", content=pair.text),)) for pair in test]
    replies = model.answer(asks)
    right = sum(reply.text == pair.label for reply, pair in zip(replies, test, strict=True)) / len(test)
    wall, busy = _one_by_one(model, asks)
    goal = HEAD_GOAL if kind == "head" else ENCODER_GOAL
    book = PriceBook.load(None, None)
    dear = answer_cost(TEACHER_TOKENS, book.price(TEACHER))
    cheap = answer_cost(Usage(compute_seconds=busy), book.price("pocket"))
    one = f"one answer, median of {_ONES}; the processor's own time is {busy * 1e3:.1f} ms"
    return [
        Row("students", f"{kind}: right on {len(test)} test questions", right, "goal", goal, "share", "above 1: met"),
        Row("students", f"{kind}: {one}", wall * 1e3, "goal", TIME_GOAL * 1e3, "ms", "below 1: met"),
        Row(
            "students",
            f"{kind}: cost of a million answers, {dear / cheap:,.0f} times less than the teacher's",
            cheap * 1e6,
            f"{TEACHER}, price book, {TEACHER_TOKENS.input} + {TEACHER_TOKENS.output} tokens assumed",
            dear * 1e6,
            "USD",
            "machine time at the price book's rate",
        ),
    ]


def _extraction() -> list[Row]:
    """Teach an extractor intents and slots, and measure F1 over slots of new questions, a slot's name and words."""
    train, test = (read_snips(name) for name in ("train.jsonl.gz", "validate.jsonl"))
    with tempfile.TemporaryDirectory() as scratch:
        lesson = Lesson(kind="extractor", epochs=ENCODER_EPOCHS, batch_size=16, learning_rate=3e-4)
        taught = teach(train, lesson, open_embedder("minilm"), Path(scratch))
        model = open_model("student", adapter=taught.folder)
        asks = [Ask(messages=(Message(role="user", content=pair.text),)) for pair in test]
        found = [values_of(reply.text) or {} for reply in model.answer(asks)]
        wall, _ = _one_by_one(model, asks)
    wanted = [values_of(pair.label) or {} for pair in test]
    intents = sum(one.get("intent") == other["intent"] for one, other in zip(found, wanted, strict=True)) / len(test)
    what = f"extractor: slot F1 on {len(test)} new Snips questions, {intents:.1%} of intents right"
    one = f"extractor: one answer, median of {_ONES}"
    return [
        Row("students", what, slot_f1(found, wanted), "goal", SLOT_GOAL, "F1", "above 1: met"),
        Row("students", one, wall * 1e3, "goal", TIME_GOAL * 1e3, "ms", "below 1: met"),
    ]


def slot_f1(found: Sequence[Values], wanted: Sequence[Values]) -> float:
    """Return F1 over the values of all fields but the intent, over all questions together."""

    def slots(each: Values) -> Counter[tuple[str, str]]:
        return Counter((name, value) for name, own in each.items() if name != "intent" for value in own)

    pairs = [(slots(one), slots(other)) for one, other in zip(found, wanted, strict=True)]
    right = sum((one & other).total() for one, other in pairs)
    return 2 * right / max(1, sum(one.total() + other.total() for one, other in pairs))


def _one_by_one(model: Model, asks: Sequence[Ask]) -> tuple[float, float]:
    """Return the median seconds of an answer asked alone, by the clock and of the processor."""
    wall, busy = [], []
    for ask in asks[:_ONES]:
        begun, used = time.perf_counter(), time.process_time()
        model.answer([ask])
        wall.append(time.perf_counter() - begun)
        busy.append(time.process_time() - used)
    return median(wall), median(busy)


def read_snips(name: str) -> list[Pair]:
    """Read questions of Snips: the label is a JSON object of the intent and each slot's values."""
    folder = data_folder() / "snips_slots"
    if not folder.is_dir():
        raise Skipped("snips_slots is not under $LEVERS_DATA")
    raw = (folder / name).read_bytes()
    pairs = []
    for line in (gzip.decompress(raw) if name.endswith(".gz") else raw).decode().splitlines():
        row = json.loads(line)
        label: dict[str, Any] = {"intent": row["intent"]}
        for slot in row["slots"]:
            label.setdefault(slot["name"], []).append(slot["value"])
        pairs.append(Pair(text=row["text"], label=json.dumps(label, ensure_ascii=False)))
    return pairs


def read_banking(name: str) -> list[Pair]:
    """Read questions of Banking77 with their classes."""
    folder = data_folder() / "banking77"
    if not folder.is_dir():
        raise Skipped("banking77 is not under $LEVERS_DATA")
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [Pair(text=row["text"], label=row["category"]) for row in csv.DictReader(file)]
