"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/<split>.tsv. They hold relevance, not answers."""

import csv
import io
from pathlib import Path
from typing import Any

from levers.errors import UserError
from levers.task.importers.records import Faults, Imported, document_name, missing, rows_of, text_of, texts

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
    for line, row in rows_of(needed[0]):
        name = faults.text(row, line, "_id")
        title, text = str(row.get("title") or "").strip(), str(row.get("text") or "").strip()
        found.documents[document_name(name)] = (f"# {title}\n\n{text}" if title else text) + "\n"
    faults.stop()
    queries, faults = {}, Faults("queries.jsonl")
    for line, row in rows_of(needed[1]):
        queries[faults.text(row, line, "_id")] = (faults.text(row, line, "text"), row.get("metadata") or {})
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


def _judgements(found: Imported, table: Path, queries: dict[str, tuple[str, Any]]) -> None:
    """Turn one split's judgements into cases."""
    name = f"qrels/{table.name}"
    faults, relevant = Faults(name), dict[str, list[str]]()
    for line, cells in enumerate(csv.reader(io.StringIO(text_of(table)), delimiter="\t"), start=1):
        if not cells or (line == 1 and not _number(cells[-1])):  # the header
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
        float(text)
    except ValueError:
        return False
    return True
