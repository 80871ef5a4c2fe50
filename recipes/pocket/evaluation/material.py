"""What pocket is measured on: evaluation-marked sets, each in an order drawn once and for all."""

import functools
import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sources import data_folder

DISTRACTOR_LIMIT = 900  # characters; four of these and a long passage still fit the window


class Asked(NamedTuple):
    """A question about a passage; no `answers` where the passage has none."""

    title: str
    passage: str
    question: str
    answers: tuple[str, ...]


class Command(NamedTuple):
    """A home-assistant command and its intent."""

    text: str
    label: str


def _squad(path: Path) -> list[Asked]:
    articles: list[dict[str, Any]] = json.loads(gzip.decompress(path.read_bytes()))["data"]
    return [
        Asked(
            article.get("title", "document").replace("_", " "),
            paragraph["context"],
            item["question"],
            tuple(dict.fromkeys(answer["text"] for answer in item["answers"])),
        )
        for article in articles
        for paragraph in article["paragraphs"]
        for item in paragraph["qas"]
    ]


@functools.cache
def xquad() -> tuple[Asked, ...]:
    """Return the 1,190 English questions of XQuAD."""
    rows = _squad(data_folder() / "xquad/xquad.en.json.gz")
    random.Random(1).shuffle(rows)
    return tuple(rows)


@functools.cache
def squad2() -> tuple[Asked, ...]:
    """Return the 6,078 labelled questions of SQuAD 2.0's dev set: half a. Half b is published without labels."""
    rows = _squad(data_folder() / "squad2_dev/dev_half_a.json.gz")
    random.Random(1).shuffle(rows)
    return tuple(rows)


@functools.cache
def answerable() -> tuple[Asked, ...]:
    """Return the questions of `squad2` that have answers."""
    return tuple(row for row in squad2() if row.answers)


@functools.cache
def unanswerable() -> tuple[Asked, ...]:
    """Return the questions of `squad2` that have none."""
    return tuple(row for row in squad2() if not row.answers)


@functools.cache
def passages(rows: Sequence[Asked]) -> tuple[tuple[str, str], ...]:
    """Return the (title, passage) pairs of some questions that are short enough to stand beside another."""
    return tuple(sorted({(row.title, row.passage) for row in rows if len(row.passage) <= DISTRACTOR_LIMIT}))


def among_others(row: Asked, pool: Sequence[tuple[str, str]], count: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """Return a question's passage among `count` others, in an order drawn from the question, and its place.

    A passage that holds one of the accepted answers is no distractor.
    """
    rng = random.Random(f"{row.question}/{count}")
    shown: list[tuple[str, str]] = []
    while len(shown) < count:
        other = rng.choice(pool)
        if other[1] != row.passage and other not in shown and not any(text in other[1] for text in row.answers):
            shown.append(other)
    place = rng.randint(0, count)
    shown.insert(place, (row.title, row.passage))
    return tuple(shown), place


@functools.cache
def commands(split: str) -> tuple[Command, ...]:
    """Return the commands of HWU64's `train` or `test` split, in file order."""
    lines = (data_folder() / f"hwu64/{split}.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(Command(*line.rsplit("\t", 1)) for line in lines if "\t" in line)
