"""Reads the training-marked data sets. Nothing marked for evaluation is opened here, except to leave its texts out."""

import functools
import gzip
import itertools
import json
import lzma
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


def data_folder() -> Path:
    """Return the folder of data sets: $LEVERS_DATA, or shared/data beside the checkout."""
    named = os.environ.get("LEVERS_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"


class Reading(NamedTuple):
    """One question about a passage; `start` is where `answer` stands in `passage`."""

    title: str
    passage: str
    question: str
    answer: str
    start: int


def _lines(path: Path) -> Iterator[Any]:
    openers = {".gz": gzip.open, ".xz": lzma.open}
    with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as stream:  # type: ignore[operator]
        for line in stream:
            yield json.loads(line)


def squeezed(text: str) -> str:
    """Return letters and digits only, in lower case: the key by which texts count as the same."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


@functools.cache
def evaluation_keys() -> frozenset[str]:
    """Return pieces of 60 squeezed characters of every evaluation passage (xquad, squad2_dev)."""
    texts = []
    root = data_folder()
    for article in json.loads(gzip.decompress((root / "xquad/xquad.en.json.gz").read_bytes()))["data"]:
        texts += [paragraph["context"] for paragraph in article["paragraphs"]]
    half_a = gzip.decompress((root / "squad2_dev/dev_half_a.json.gz").read_bytes()).decode()
    texts += re.findall(r'"context": *"((?:[^"\\]|\\.)*)"', half_a)
    texts += re.findall(r'"context": *"((?:[^"\\]|\\.)*)"', (root / "squad2_dev/dev_half_b.json").read_text())
    keys = set()
    for text in set(texts):
        bare = squeezed(text)
        keys.update(bare[at : at + 60] for at in range(0, max(1, len(bare) - 60), 60))
    return frozenset(keys)


def is_clean(text: str) -> bool:
    """Say whether a text shares no run of 60 characters with an evaluation passage."""
    bare, keys = squeezed(text), evaluation_keys()
    return not any(bare[at : at + 60] in keys for at in range(max(1, len(bare) - 59)))


def _best_answer(context: str, answers: list[dict[str, Any]]) -> tuple[str, int] | None:
    """Choose the shortest answer that another annotator's answer agrees with in part; trim stray punctuation."""
    found = []
    for answer in answers:
        text = answer["text"].strip().strip(".,;:!?\"'").strip()
        text = text.strip("()").strip() if text.count("(") != text.count(")") or text.startswith("(") else text
        if text.count("(") != text.count(")"):
            continue
        at = context.find(text, max(0, answer["answer_start"] - 2))
        if text and at >= 0:
            found.append((text, at))
    if not found:
        return None
    found.sort(key=lambda item: len(item[0]))
    return found[(len(found) - 1) // 2]


@functools.cache
def readings() -> tuple[Reading, ...]:
    """Return the questions of squadshifts with one short answer each."""
    out = []
    for name in ("new_wiki", "reddit", "amazon_reviews"):
        for paragraph in _lines(data_folder() / "squadshifts" / f"{name}.jsonl.gz"):
            context = paragraph["context"]
            if not is_clean(context):
                continue
            for item in paragraph["qas"]:
                best = _best_answer(context, item["answers"])
                if best and len(best[0]) <= 90:
                    out.append(Reading(paragraph["title"], context, item["question"].strip(), *best))
    return tuple(out)


@functools.cache
def snips() -> tuple[Any, ...]:
    """Return the SNIPS training commands: {intent, text, slots}."""
    return tuple(_lines(data_folder() / "snips_slots/train.jsonl.gz"))


@functools.cache
def entities() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return WNUT-17 training texts with their (type, text) entities."""
    out = []
    blocks = (data_folder() / "wnut17_ner/wnut17train.conll").read_text(encoding="utf-8").split("\n\n")
    for block in re.split(r"\n\t?\n", "\n\n".join(blocks)):
        pairs = [line.split("\t") for line in block.split("\n") if line.count("\t") == 1 and line.split("\t")[0]]
        found: list[tuple[str, str]] = []
        for word, tag in pairs:
            if tag.startswith("B-"):
                found.append((tag[2:], word))
            elif tag.startswith("I-") and found:
                found[-1] = (found[-1][0], f"{found[-1][1]} {word}")
        if pairs:
            out.append((" ".join(word for word, _ in pairs), tuple(found)))
    return tuple(out)


@functools.cache
def chunks() -> tuple[tuple[str, str], ...]:
    """Return (title, paragraph) of documentation texts: the 18F handbook and the CLAPNQ passages."""
    out = []
    for document in _lines(data_folder() / "handbook_18f_history/base.jsonl.xz"):
        for part in re.split(r"\n\s*\n", document["text"]):
            text = part.strip()
            if 80 <= len(text) <= 600 and not text.startswith(("---", "{%", "|")):
                out.append((document["title"] or document["path"], text))
    for name in ("answerable", "unanswerable"):
        for row in _lines(data_folder() / f"clapnq_dev/clapnq_dev_{name}.jsonl"):
            for passage in row["passages"]:
                text = passage["text"].strip()[:600]
                if len(text) > 80 and is_clean(text):
                    out.append((passage["title"], text))
    return tuple(out)


def _prose(text: str) -> Iterator[str]:
    """Yield stretches of running text of a Markdown page, 250 to 1,400 characters, without tables and code."""
    body = re.sub(r"\A---\n.*?\n---\n|```.*?```", "", text, flags=re.DOTALL)
    held = ""
    for part in re.split(r"\n\s*\n", body):
        piece = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", part.strip())
        plain = len(piece) > 60 and not re.match(r"[|<#>{:\-*\d]|\s{4}", piece) and "|" not in piece
        if plain and len(held) + len(piece) < 1400:
            held = f"{held}\n\n{piece}" if held else piece
            continue
        if len(held) >= 250:
            yield held
        held = piece if plain and len(piece) < 1400 else ""
    if len(held) >= 250:
        yield held


def paragraphs() -> Iterator[tuple[str, str]]:
    """Yield (title, text) of passages without questions: documentation, and the passages of the reading sets."""
    yield from {(item.title.replace("_", " "), item.passage) for item in readings()}
    yield from chunks()
    root = data_folder()
    pages = (
        ("handbook_18f_history/base.jsonl.xz", 1),
        ("powershell_docs_history/base.jsonl.xz", 1),
        ("peps_history/base.jsonl.xz", 1),
        ("win32_docs/part-02.jsonl.xz", 3),
        ("win32_docs/part-05.jsonl.xz", 3),
    )
    for name, step in pages:
        for document in itertools.islice(_lines(root / name), 0, None, step):
            for text in _prose(document["text"]):
                yield document["title"] or document["path"], text


@functools.cache
def unanswered() -> tuple[tuple[str, str, str], ...]:
    """Return (question, title, passage) of CLAPNQ's questions whose passage does not answer them."""
    out = []
    for row in _lines(data_folder() / "clapnq_dev/clapnq_dev_unanswerable.jsonl"):
        for passage in row["passages"]:
            if is_clean(passage["text"]):
                out.append((row["input"].strip(), passage["title"], passage["text"].strip()))
    return tuple(out)


def plain_texts() -> Iterator[str]:
    """Yield the texts whose spelling the vocabulary is fitted to."""
    yield from (item.question for item in readings())
    yield from {item.passage: None for item in readings()}
    for _, text in chunks():
        yield text
    for document in _lines(data_folder() / "peps_history/base.jsonl.xz"):
        yield document["text"]
    for document in _lines(data_folder() / "handbook_18f_history/base.jsonl.xz"):
        yield document["text"]
