"""Facts for planting out of real sets: one question for a passage, whose answer stands in that passage alone.

The shipped example is always there; `LEVERS_DATA` names the folder of the public sets (`shared/data` beside the
checkout unless given).
"""

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import levers
from benchmarks import Skipped, data_folder
from benchmarks.planted.faults import Fact
from levers.knowledge import Access, read_library
from levers.knowledge.chunk import sections

EXAMPLE = Path(levers.__file__).parent / "examples" / "support"
_LONGEST = 1_000  # characters of a passage: the lists of two sets come as long as a chapter
_LEAST_WORDS = 4  # of a phrase that a written answer shares with its section
_MESSAGES = 3  # customers' messages that stand in a label's entry
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Source:
    """Where facts come from; with `labels` the answers are the labels of a classification."""

    load: Callable[[int], list[Fact]]
    labels: bool = False


def support(count: int) -> list[Fact]:
    """The shipped example: its dev questions, and the sections of its documents that they name as evidence."""
    library = read_library(EXAMPLE / "docs", "docs/", Access())
    texts = {
        (document.id, section.slug): "\n".join(document.text[each.start : each.end] for each in section.blocks)
        for document in library.documents
        for section in sections(document)
    }
    return _unique(_support_pairs(texts), count)


def _support_pairs(texts: dict[tuple[str, str], str]) -> Iterator[Fact]:
    for line in (EXAMPLE / "golden.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        accepted = case["expected"]["answer"]
        for reference in case["evidence"] if case["partition"] == "dev" else ():
            document, _, slug = reference.partition("#")
            text = texts.get((document, slug), "")
            for answer in [accepted] if isinstance(accepted, str) else accepted:
                yield Fact(case["input"], answer, text)


def products(count: int) -> list[Fact]:
    """Sections of a product's documentation; the answer is the longest phrase that the written one shares with it."""
    return _unique(_product_pairs(), count)


def _product_pairs() -> Iterator[Fact]:
    held = {each["chunk_link"]: each["text"] for each in _read("product_docs_qa/docs_chunks.json")}
    for each in _read("product_docs_qa/questions.json"):
        for link in each["correct_chunks"]:
            text = held.get(link, "")
            if phrase := _shared(each["correct_answer"], text):
                start = max(0, text.index(phrase) - _LONGEST // 2)
                yield Fact(each["question"], phrase, text[start : start + _LONGEST - len(phrase)])


def _shared(answer: str, text: str) -> str:
    """Return the longest run of words that two texts share, without what ends a sentence; empty when it is short."""
    one, other = list(_WORD.finditer(answer)), list(_WORD.finditer(text))
    matcher = SequenceMatcher(None, [each[0] for each in one], [each[0] for each in other], autojunk=False)
    found = matcher.find_longest_match()
    if found.size < _LEAST_WORDS:
        return ""
    return text[other[found.b].start() : other[found.b + found.size - 1].end()].strip(".,;:!? ")


def squad(count: int) -> list[Fact]:
    """Wikipedia passages with questions that people wrote for them (SQuAD 2.0 dev, the answerable ones)."""
    return _unique(_squad_pairs("squad2_dev/dev_half_a.json.gz"), count)


def xquad(count: int) -> list[Fact]:
    """Wikipedia passages of another choice (XQuAD, English)."""
    return _unique(_squad_pairs("xquad/xquad.en.json.gz"), count)


def musique(count: int) -> list[Fact]:
    """Questions over several hops; the passage is the last hop's (MuSiQue)."""
    return _unique(_musique_pairs(), count)


def banking(count: int) -> list[Fact]:
    """A classification: customers' messages, and a guide with an entry for each of the 77 labels (Banking77).

    An entry holds three messages of the training split; the question is one of the test split.
    """
    messages: dict[str, list[str]] = {}
    for text, label in _rows("banking77/train.csv"):
        messages.setdefault(label, []).append(text)
    questions = {label: text for text, label in _rows("banking77/test.csv")}
    entries = {
        label: f"The label {label} is for messages such as: {' | '.join(texts[:_MESSAGES])}"
        for label, texts in messages.items()
    }
    pairs = (Fact(questions[label], label, entry) for label, entry in entries.items())
    return _unique(pairs, count)


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
    raw = _there(name).read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)


def _rows(name: str) -> list[tuple[str, str]]:
    with _there(name).open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _there(name: str) -> Path:
    path = data_folder() / name
    if not path.is_file():
        raise Skipped(f"{path} is not there; LEVERS_DATA names the folder of the sets")
    return path


SETS = {
    "the example `support`": Source(support),
    "product documentation (product_docs_qa)": Source(products),
    "Wikipedia (squad2_dev)": Source(squad),
    "Wikipedia (xquad, English)": Source(xquad),
    "several hops (musique_100)": Source(musique),
    "classification (banking77)": Source(banking, labels=True),
}
