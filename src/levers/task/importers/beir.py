"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/<split>.tsv. They hold relevance, not answers."""

import math
from pathlib import Path
from typing import Any

from levers.errors import UserError
from levers.task.importers.records import Faults, Imported, document_name, missing, rows_of, text_of, texts
from levers.task.text import lines

_PARTITIONS = {"train": "dev", "dev": "dev", "validation": "dev", "test": "test"}


def read_beir(path: Path) -> Imported:
    """Read a BEIR folder. A query's relevant documents (score above 0) become its evidence, the splits partitions.

    Where a query's metadata hold answers (`answer` or `answers`) they are expected and graded by F1. Elsewhere nothing
    but retrieval can be judged: the citation grader scores whether an answer cites a relevant document.
    """
    needed = [path / "corpus.jsonl", path / "queries.jsonl"]
    tables = sorted((path / "qrels").glob("*.tsv")) if (path / "qrels").is_dir() else []
    absent = [missing(each, "a file") for each in needed if not each.is_file()]
    absent += [] if tables else [missing(path / "qrels", "a folder of .tsv files")]
    if absent:
        raise UserError(absent)
    found, faults = Imported(), Faults("corpus.jsonl")
    seen = dict[str, int]()
    for line, row in rows_of(needed[0]):
        name = _id(faults, row, line, seen)
        title, text = str(row.get("title") or "").strip(), row.get("text")
        if not isinstance(text, str):
            faults.add(line, "text", text if text is not None else "nothing", "a text")
            continue
        text = text.strip()
        found.documents[document_name(name)] = (f"# {title}\n\n{text}" if title else text) + "\n"
    faults.stop()
    queries, faults, seen = {}, Faults("queries.jsonl"), {}
    for line, row in rows_of(needed[1]):
        queries[_id(faults, row, line, seen)] = (faults.text(row, line, "text"), row.get("metadata") or {})
    faults.stop()
    for table in tables:
        _judgements(found, table, queries)
    answered = [case for case in found.cases if case.pop("answered")]
    if len(answered) == len(found.cases):
        found.graders = [{"kind": "f1"}, {"kind": "citation"}]
    else:
        found.graders = [{"kind": "citation"}]
        found.note("the set holds no answers: only citations of relevant documents are graded")
    return found


def _id(faults: Faults, row: dict[str, Any], line: int, seen: dict[str, int]) -> str:
    """Return a row's id; one that an earlier line of `seen` has is a problem, for one of the two would be lost."""
    name = faults.text(row, line, "_id")
    if name and seen.setdefault(name, line) != line:
        faults.add(line, "_id", name, "an id of its own", f"line {seen[name]} has the same")
    return name


def _judgements(found: Imported, table: Path, queries: dict[str, tuple[str, Any]]) -> None:
    """Turn one split's judgements into cases."""
    name = f"qrels/{table.name}"
    faults, relevant = Faults(name), dict[str, list[str]]()
    for line, row in lines(text_of(table)):
        cells = row.split("\t")  # nothing is quoted in qrels
        if line == 1 and not _number(cells[-1]):  # the header
            continue
        if len(cells) not in (3, 4) or not _number(cells[-1]):
            faults.add(line, "score", "\t".join(cells), "query-id, corpus-id and a score, parted by tabs")
            continue
        query, document = cells[0], cells[-2]  # TREC's own form has an unused column between
        if query not in queries:
            faults.add(line, "query-id", query, "an _id of queries.jsonl")
        if document_name(document) not in found.documents:
            faults.add(line, "corpus-id", document, "an _id of corpus.jsonl")
        if float(cells[-1]) > 0:
            relevant.setdefault(query, []).append(document)
    faults.stop()
    known = {case["id"] for case in found.cases}
    for query, documents in relevant.items():
        if query in known:
            found.note(f"query {query} and others are in several splits: the first one counts")
            continue
        text, metadata = queries[query]
        answers = texts(metadata.get("answers") or metadata.get("answer")) if isinstance(metadata, dict) else []
        case = {
            "id": query,
            "input": text,
            "expected": answers or documents,
            "evidence": [f"docs/{document_name(each)}" for each in documents],
            "answered": bool(answers),
        }
        partition = _PARTITIONS.get(table.stem)
        found.cases.append({**case, "partition": partition} if partition else case)


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
