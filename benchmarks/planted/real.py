"""Facts for planting out of public sets: one question for a passage, whose answer stands in that passage alone.

`LEVERS_DATA` names the folder of the sets (`shared/data` beside the checkout unless given).
"""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import Skipped
from benchmarks.planted.faults import Fact

DATA = Path(os.environ.get("LEVERS_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
_LONGEST = 1_000  # characters of a passage: the lists of two sets come as long as a chapter


def squad(count: int) -> list[Fact]:
    """Wikipedia passages with questions that people wrote for them (SQuAD 2.0 dev, the answerable ones)."""
    return _unique(_squad_pairs("squad2_dev/dev_half_a.json.gz"), count)


def xquad(count: int) -> list[Fact]:
    """Wikipedia passages of another choice (XQuAD, English)."""
    return _unique(_squad_pairs("xquad/xquad.en.json.gz"), count)


def musique(count: int) -> list[Fact]:
    """Questions over several hops; the passage is the last hop's (MuSiQue)."""
    return _unique(_musique_pairs(), count)


def _squad_pairs(name: str) -> Iterator[Fact]:
    for article in _read(name)["data"]:
        for paragraph in article["paragraphs"]:
            for each in paragraph["qas"]:
                if each["answers"]:
                    yield Fact(each["question"], each["answers"][0]["text"], paragraph["context"])


def _musique_pairs() -> Iterator[Fact]:
    for each in _read("musique_100/questions.json"):
        for paragraph in reversed(each["paragraphs"]):
            if paragraph["is_supporting"]:
                yield Fact(each["question"], each["answer"], paragraph["paragraph_text"])


def _unique(pairs: Iterator[Fact], count: int) -> list[Fact]:
    """Keep one question for each passage, with an answer that no other passage kept and no question holds."""
    kept: dict[str, Fact] = {}
    questions: set[str] = set()
    for fact in pairs:
        text = f"{fact.text}\n{fact.question}"
        clear = fact.answer in fact.text and fact.answer not in fact.question and len(fact.text) <= _LONGEST
        known = fact.text in kept or fact.question in questions
        if known or not clear or any(fact.answer in each.text or each.answer in text for each in kept.values()):
            continue
        kept[fact.text] = fact
        questions.add(fact.question)
        if len(kept) == count:
            break
    return list(kept.values())


def _read(name: str) -> Any:
    path = DATA / name
    if not path.is_file():
        raise Skipped(f"{path} is not there; LEVERS_DATA names the folder of the sets")
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)


SETS = {"Wikipedia (squad2_dev)": squad, "Wikipedia (xquad, English)": xquad, "several hops (musique_100)": musique}
