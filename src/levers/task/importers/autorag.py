"""AutoRAG's two tables: qa.parquet (qid, query, retrieval_gt, generation_gt) and corpus.parquet (doc_id, contents)."""

from pathlib import Path
from typing import Any

from levers.errors import MissingExtra, Problem, UserError
from levers.task.importers.records import Faults, Imported, document_name, fitting_graders, missing, texts


def read_autorag(path: Path) -> Imported:
    """Read a folder that holds qa.parquet and corpus.parquet.

    retrieval_gt is a list of lists of document ids ("and" between the lists, "or" within one); all of them become
    evidence. Raises MissingExtra where pyarrow is not installed.
    """
    questions, corpus = path / "qa.parquet", path / "corpus.parquet"
    absent = [missing(each, "a Parquet file") for each in (questions, corpus) if not each.is_file()]
    if absent:
        raise UserError(absent)
    found, faults = Imported(), Faults("qa.parquet")
    names: dict[str, str] = {}
    for row in _table(corpus, ("doc_id", "contents")):
        names[str(row["doc_id"])] = document_name(str(row["doc_id"]))
        found.documents[names[str(row["doc_id"])]] = str(row["contents"]).strip() + "\n"
    for line, row in enumerate(_table(questions, ("qid", "query", "retrieval_gt", "generation_gt")), start=1):
        named = list(dict.fromkeys(texts(_lists(row["retrieval_gt"]))))
        for each in named:
            if each not in names:
                faults.add(line, "retrieval_gt", each, "a doc_id of corpus.parquet")
        wanted = texts(_lists(row["generation_gt"]))
        if not wanted:
            faults.add(line, "generation_gt", "nothing", "at least one answer")
        found.cases.append(
            {
                "id": str(row["qid"]),
                "input": faults.text(row, line, "query"),
                "expected": wanted[0] if len(wanted) == 1 else wanted,
                "evidence": [f"docs/{names[each]}" for each in named if each in names],
            }
        )
    faults.stop()
    found.graders = fitting_graders(found.cases)
    return found


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "local") from error
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise UserError(Problem(file=path.name, found=str(error).split("\n")[0], expected="a Parquet file")) from None
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        known = ", ".join(table.column_names)
        raise UserError(
            [
                Problem(file=path.name, field=name, found=f"the columns {known}", expected=f"a column {name}")
                for name in lacking
            ]
        )
    rows: list[dict[str, Any]] = table.select(list(columns)).to_pylist()
    return rows


def _lists(value: Any) -> Any:
    """Parquet gives lists; some files hold a single id or answer instead."""
    return value.tolist() if hasattr(value, "tolist") else value
