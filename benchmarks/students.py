"""Students on Banking77: right answers on its test split, time of one answer, cost against a priced teacher.

And whether a pilot on 30 % of the questions foresaw the result of all.

The set is looked for under $LEVERS_DATA. ENCODER_EPOCHS above 0 tunes an encoder too, which takes many minutes.
"""

import csv
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import Row, Skipped
from levers.economics import PriceBook, Usage, answer_cost
from levers.ledger import Message
from levers.model import open_embedder, open_model
from levers.model.contract import Ask
from levers.tuning.pilot import Point, forecast, pilot
from levers.tuning.students import Lesson, Pair, Taught, fit_linear, share_right, teach

ENCODER_EPOCHS = int(os.environ.get("LEVERS_ENCODER_EPOCHS", "0"))
TEACHER = "openai/gpt-4o"
# Assumed of the teacher's prompt: the names of 77 labels at about 5 tokens, a brief and the question; a label back.
TEACHER_TOKENS = Usage(input=77 * 5 + 100, output=5)
HEAD_GOAL, ENCODER_GOAL, TIME_GOAL = 0.88, 0.925, 0.010
_ONES = 200
_STRENGTH = 10.0


def measure() -> list[Row]:
    """Teach on the train split, measure on the test split."""
    train, test = (_read(name) for name in ("train", "test"))
    embedder = open_embedder("minilm")
    kinds = ["head", *(["encoder"] if ENCODER_EPOCHS else [])]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind in kinds:
            lesson = Lesson.model_validate({"kind": kind, "epochs": ENCODER_EPOCHS or 1})
            taught = teach(train, lesson, embedder, Path(scratch))
            rows += _student(kind, taught, test)
    vectors = [embedder.embed([pair.text for pair in pairs], "query") for pairs in (train, test)]
    return [*rows, *_foreseen(train, test, vectors)]


def _student(kind: str, taught: Taught, test: Sequence[Pair]) -> list[Row]:
    model = open_model("student", adapter=taught.folder)
    asks = [Ask(messages=(Message(role="user", content=pair.text),)) for pair in test]
    replies = model.answer(asks)
    right = sum(reply.text == pair.label for reply, pair in zip(replies, test, strict=True)) / len(test)
    wall, busy = [], []
    for ask in asks[:_ONES]:
        begun, used = time.perf_counter(), time.process_time()
        model.answer([ask])
        wall.append(time.perf_counter() - begun)
        busy.append(time.process_time() - used)
    goal = HEAD_GOAL if kind == "head" else ENCODER_GOAL
    book = PriceBook.load(None, None)
    dear = answer_cost(TEACHER_TOKENS, book.price(TEACHER))
    cheap = answer_cost(Usage(compute_seconds=median(busy)), book.price("pocket"))
    one = f"one answer, median of {_ONES}; the processor's own time is {median(busy) * 1e3:.1f} ms"
    return [
        Row("students", f"{kind}: right on {len(test)} test questions", right, "goal", goal, "share", "above 1: met"),
        Row("students", f"{kind}: {one}", median(wall) * 1e3, "goal", TIME_GOAL * 1e3, "ms", "below 1: met"),
        Row(
            "students",
            f"{kind}: cost of a thousand answers",
            cheap * 1e3,
            f"{TEACHER}, price book, {TEACHER_TOKENS.input} + {TEACHER_TOKENS.output} tokens assumed",
            dear * 1e3,
            "USD",
            "one over this: times cheaper",
        ),
    ]


def _foreseen(train: Sequence[Pair], test: Sequence[Pair], vectors: Sequence[np.ndarray]) -> list[Row]:
    def learn(places: Sequence[int]) -> float:
        known = [train[at].label for at in places]
        return share_right(fit_linear(vectors[0][list(places)], known, _STRENGTH), vectors[1], test)

    points: tuple[Point, ...] = pilot(len(train), len(test), learn)
    found = forecast(points, len(train))
    reached = learn(range(len(train)))
    held = "holds it" if found.low <= reached <= found.high else "misses it"
    what = f"head: forecast from {points[-1].examples} of {len(train)} questions, {found.low:.3f} to {found.high:.3f}"
    return [Row("students", what, found.right, "reached with all", reached, "share", f"the interval {held}")]


def _read(name: str) -> list[Pair]:
    folder = Path(os.environ.get("LEVERS_DATA", "shared/data")) / "banking77"
    if not folder.is_dir():
        raise Skipped("banking77 is not under $LEVERS_DATA")
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [Pair(text=row["text"], label=row["category"]) for row in csv.DictReader(file)]
