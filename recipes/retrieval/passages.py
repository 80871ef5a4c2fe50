"""Write two public sets in BEIR's form with the answering characters named, so that chunkings can be compared on them.

    python recipes/retrieval/passages.py OUT [DATA]
    levers bench chunkings OUT/product_docs_qa
    levers bench chunkings OUT/code_chunks_retrieval

DATA is the folder of the sets; $LEVERS_DATA, or shared/data beside the checkout, unless given. The sections of
product_docs_qa become Markdown pages again, one for each address. The files of code_chunks_retrieval stay as they are.
"""

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def product(folder: Path) -> tuple[list[Row], list[Row], list[tuple[str, str]]]:
    """Return corpus, queries and qrels of product_docs_qa."""
    pages: dict[str, str] = {}
    places: dict[str, str] = {}
    for row in json.loads((folder / "docs_chunks.json").read_text(encoding="utf-8")):
        name = row["chunk_link"].partition("#")[0].partition("/en/")[2] + ".md"
        heading = " ".join(row["chunk_heading"].split())
        body = row["text"].removeprefix(row["chunk_heading"]).strip()
        before = pages.get(name, "") + f"## {heading}\n\n"
        pages[name] = f"{before}{body}\n\n"
        if body:
            places.setdefault(row["chunk_link"], f"{name}#{len(before)}-{len(before) + len(body)}")
    asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    corpus = [{"_id": name, "title": "", "text": text} for name, text in pages.items()]
    queries = [{"_id": row["id"], "text": row["question"]} for row in asked]
    grades = [(row["id"], places[link]) for row in asked for link in row["correct_chunks"] if link in places]
    return corpus, queries, grades


def code(folder: Path) -> tuple[list[Row], list[Row], list[tuple[str, str]]]:
    """Return corpus, queries and qrels of code_chunks_retrieval."""
    corpus, places = [], {}
    for file in json.loads((folder / "codebase_chunks.json").read_text(encoding="utf-8")):
        text, name = file["content"], file["doc_id"]
        corpus.append({"_id": name, "title": "", "text": text})
        for piece in file["chunks"]:
            start = text.index(piece["content"])
            places[file["original_uuid"], piece["original_index"]] = f"{name}#{start}-{start + len(piece['content'])}"
    queries, grades = [], []
    with gzip.open(folder / "evaluation_set.jsonl.gz", "rt", encoding="utf-8") as lines:
        for at, row in enumerate(map(json.loads, lines)):
            queries.append({"_id": f"q{at}", "text": row["query"]})
            grades += [(f"q{at}", places[uuid, index]) for uuid, index in row["golden_chunk_uuids"]]
    return corpus, queries, grades


def write(folder: Path, corpus: list[Row], queries: list[Row], grades: list[tuple[str, str]]) -> None:
    """Write one set."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    lines = ["query-id\tcorpus-id\tscore", *(f"{query}\t{place}\t1" for query, place in dict.fromkeys(grades))]
    (folder / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write both sets below the folder that is named."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    data = Path(arguments[1] if len(arguments) > 1 else os.environ.get("LEVERS_DATA") or beside)
    for name, convert in (("product_docs_qa", product), ("code_chunks_retrieval", code)):
        write(Path(arguments[0]) / name, *convert(data / name))


if __name__ == "__main__":
    main(sys.argv[1:])
