"""Data sets for retrieval in the form of BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`, packed or not.

One thing is added: a document's id in the qrels may end in `#<start>-<end>`, the characters of its text that answer.
Thakur et al., "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of Information Retrieval Models", 2021.
"""

import gzip
import hashlib
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from levers.errors import Problem, UserError
from levers.knowledge.library import File, Opened
from levers.knowledge.outline import markdown_blocks, text_blocks
from levers.knowledge.reading import whole
from levers.knowledge.records import Document

_GRADE = re.compile(r"-?[0-9]{1,9}")
_SPAN = re.compile(r"(.+)#(\d+)-(\d+)")
_DAMAGED = (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error)
_OPENERS: dict[str, Callable[..., IO[Any]]] = {"": open, ".gz": gzip.open, ".xz": lzma.open}


class Judged(NamedTuple):
    """A data set: documents as (title, text) by id, queries by id, and for each query its documents' grades.

    `spans` holds for each query the answering characters, where the set names them: (document, start, end).
    """

    corpus: dict[str, tuple[str, str]]
    queries: dict[str, str]
    grades: dict[str, dict[str, int]]
    spans: dict[str, tuple[tuple[str, int, int], ...]] = {}  # noqa: RUF012


class Corpus(NamedTuple):
    """A data set's documents as a source for an index."""

    corpus: dict[str, tuple[str, str]]

    def files(self) -> list[File]:
        """Return the documents, sorted by id."""
        return [File(Path(name), name) for name in sorted(self.corpus)]

    def look(self, file: File) -> tuple[int, int]:
        """Return a number that changes with the content, in place of size and time."""
        return int(self._sha(file.name)[:12], 16), 1

    def open(self, file: File) -> Opened:
        """Return a document."""
        title, text = self.corpus[file.name]
        body = text if text.strip() else title
        blocks = markdown_blocks(body, 0) if file.name.endswith((".md", ".markdown")) else text_blocks(body)
        document = Document(id=file.name, text=body, blocks=blocks, title=title or None)
        return Opened(document if document.blocks else None, sha=self._sha(file.name))

    def _sha(self, name: str) -> str:
        return hashlib.sha256("\n".join(self.corpus[name]).encode()).hexdigest()


def read_beir(folder: Path, split: str = "test") -> Judged:
    """Read a data set; queries without a graded document in the split are left out.

    Raises UserError with every problem of the three files.
    """
    problems: list[Problem] = []
    corpus = {name: (row["title"], row["text"]) for name, row in _rows(folder, "corpus", problems)}
    queries = {name: row["text"] for name, row in _rows(folder, "queries", problems)}
    graded = _grades(folder, split, problems)
    grades, spans = _parted(graded, corpus)
    if not problems:
        problems += _dangling(Judged(corpus, queries, grades, spans), split)
    if problems:
        raise UserError(problems)
    return Judged(corpus, {name: queries[name] for name in grades}, grades, spans)


def _dangling(judged: Judged, split: str) -> list[Problem]:
    """Return the first query whose line names what is not there."""
    for query, documents in judged.grades.items():
        lost = [f"document {name!r}" for name in documents if name not in judged.corpus]
        for name, start, end in judged.spans.get(query, ()):
            if not start < end <= len(judged.corpus.get(name, ("", ""))[1]):
                lost.append(f"characters {start} to {end} of {name!r}")
        if query not in judged.queries:
            lost.insert(0, f"query {query!r}")
        if lost:
            expected = "ids of queries.jsonl and corpus.jsonl, characters inside the text"
            return [Problem(file=f"qrels/{split}.tsv", found=f"{lost[0]}, which is nowhere", expected=expected)]
    return []


def _parted(
    graded: dict[str, dict[str, int]], corpus: dict[str, tuple[str, str]]
) -> tuple[dict[str, dict[str, int]], dict[str, tuple[tuple[str, int, int], ...]]]:
    """Take the spans out of the graded ids; a document has the best grade of its spans."""
    grades: dict[str, dict[str, int]] = {}
    spans: dict[str, tuple[tuple[str, int, int], ...]] = {}
    for query, documents in graded.items():
        held = grades.setdefault(query, {})
        for name, grade in documents.items():
            found = None if name in corpus else _SPAN.fullmatch(name)
            if found:
                spans[query] = (*spans.get(query, ()), (found[1], int(found[2]), int(found[3])))
            document = found[1] if found else name
            held[document] = max(grade, held.get(document, 0))
    return grades, spans


def _find(folder: Path, name: str) -> Path | None:
    return next((path for end in _OPENERS if (path := folder / f"{name}{end}").is_file()), None)


def _lines(path: Path) -> Iterator[str]:
    packed = path.suffix if path.suffix in _OPENERS else ""
    with _OPENERS[packed](path, "rt", encoding="utf-8") as file:
        yield from file


def _rows(folder: Path, name: str, problems: list[Problem]) -> Iterator[tuple[str, dict[str, str]]]:
    path = _find(folder, f"{name}.jsonl")
    if path is None:
        hint = "a BEIR folder holds corpus.jsonl, queries.jsonl and qrels/<split>.tsv"
        problems.append(Problem(file=str(folder / f"{name}.jsonl"), found="no file", hint=hint))
        return
    seen: dict[str, int] = {}
    try:
        for number, line in enumerate(_lines(path), start=1):
            row = _row(line)
            if row is None:
                expected = 'a line like {"_id": "…", "text": "…"}'
                problems.append(Problem(file=path.name, line=number, found=line[:60].strip(), expected=expected))
                return
            first = seen.setdefault(row[0], number)
            if first != number:
                told = f"the _id {row[0]!r} of line {first} again"
                problems.append(Problem(file=path.name, line=number, found=told, expected="an _id of its own"))
                return
            yield row
    except _DAMAGED as error:
        problems.append(Problem(file=path.name, found=str(error) or "a damaged file", hint="fetch it again"))


def _row(line: str) -> tuple[str, dict[str, str]] | None:
    """Return a line's id, and its text and title; None for a line that does not say them."""
    try:
        row = json.loads(line)
        name, text, title = row["_id"], row["text"], row.get("title") or ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if isinstance(name, bool) or not isinstance(name, str | int) or not isinstance(text, str):
        return None
    return whole(str(name)), {"text": whole(text), "title": whole(str(title))}


def _grades(folder: Path, split: str, problems: list[Problem]) -> dict[str, dict[str, int]]:
    path = _find(folder / "qrels", f"{split}.tsv")
    if path is None:
        known = sorted(each.name.split(".")[0] for each in (folder / "qrels").glob("*.tsv*"))
        expected = f"one of the splits {', '.join(known)}" if known else "a qrels folder"
        problems.append(Problem(file=f"qrels/{split}.tsv", found="no file", expected=expected))
        return {}
    grades: dict[str, dict[str, int]] = {}
    name, count = f"qrels/{split}.tsv", len(problems)
    try:
        for number, line in enumerate(_lines(path), start=1):
            cells = line.rstrip("\r\n").split("\t")
            if len(cells) == 3 and _GRADE.fullmatch(cells[2]):
                if int(cells[2]) > 0:
                    grades.setdefault(cells[0], {})[cells[1]] = int(cells[2])
            elif number > 1:  # the first line names the columns
                expected = "query, document and grade between tabs"
                problems.append(Problem(file=name, line=number, found=line[:60].strip(), expected=expected))
                break
    except _DAMAGED as error:
        problems.append(Problem(file=f"qrels/{path.name}", found=str(error) or "a damaged file", hint="fetch it again"))
    if not grades and len(problems) == count:
        expected = "a grade above 0 for at least one document"
        problems.append(Problem(file=name, found="none", expected=expected, hint="is it cut, or another split?"))
    return grades
