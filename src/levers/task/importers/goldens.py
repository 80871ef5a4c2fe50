"""Evaluation sets of ragas and DeepEval: a question, a reference answer, and the passages it was written from."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levers.task.importers.records import (
    Faults,
    Imported,
    as_expected,
    csv_rows,
    fitting_graders,
    keep_passage,
    rows_of,
    texts,
)
from levers.task.records import SOURCE

_RAGAS_OLD = "question, ground_truth and contexts are the names of ragas before 0.2"


def read_ragas(path: Path) -> Imported:
    """Read a ragas EvaluationDataset or test set: JSON Lines, a JSON list or CSV.

    user_input, reference and reference_contexts; question, ground_truth and contexts of ragas before 0.2 too. What a
    system answered or retrieved then (response, retrieved_contexts) is left out. `user_input` may be a conversation.
    """
    found, faults = Imported(), Faults(path.name)
    for line, row in _rows(path):
        asked = _conversation(row.get("user_input")) or faults.text(row, line, "user_input", "question")
        wanted = texts(row.get("reference")) or texts(row.get("ground_truth")) or texts(row.get("ground_truths"))
        if not wanted:
            faults.add(line, "reference", "nothing", "the reference answer", _RAGAS_OLD)
        passages = _listed(row.get("reference_contexts")) or _listed(row.get("contexts"))
        tags = [str(row["synthesizer_name"])] if row.get("synthesizer_name") else []
        _add(found, line, asked, wanted, [keep_passage(found, text) for text in passages])
        found.cases[-1]["tags"] = tags
    faults.stop()
    return _done(found)


def read_deepeval(path: Path) -> Imported:
    """Read DeepEval goldens or test cases, JSON or CSV: input, expected_output, context, source_file.

    actual_output and retrieval_context, what a system said and found then, are left out. Conversational goldens
    (scenario and turns) have no single answer to compare with and are refused.
    """
    found, faults = Imported(), Faults(path.name)
    for line, row in _rows(path):
        if "scenario" in row and "input" not in row:
            faults.add(line, "scenario", "a conversational golden", "a golden with input and expected_output")
            continue
        asked = faults.text(row, line, "input")
        wanted = texts(row.get("expected_output") or row.get("expectedOutput"))
        if not wanted:
            hint = "goldens without an expected output cannot be graded: fill it in"
            faults.add(line, "expected_output", "nothing", "the expected answer", hint)
        named = texts(row.get("source_file") or row.get("sourceFile"))
        source = named[0] if named else None
        passages = _listed(row.get("context"))
        _add(found, line, asked, wanted, [keep_passage(found, text, source) for text in passages])
        found.cases[-1]["tags"] = [f"{SOURCE}{source}"] if source else []
    faults.stop()
    return _done(found)


def _add(found: Imported, line: int, asked: Any, wanted: list[str], evidence: list[str]) -> None:
    expected: Any = as_expected(wanted[0]) if len(wanted) == 1 else wanted
    found.cases.append({"id": f"q{line}", "input": asked, "expected": expected, "evidence": evidence})


def _done(found: Imported) -> Imported:
    found.graders = fitting_graders(found.cases)
    if found.documents:
        found.note(
            f"{len(found.documents)} reference passages became documents, one each: replace them by the documents they "
            "come from, or search has nothing else to find"
        )
    return found


def _conversation(value: Any) -> list[dict[str, str]] | None:
    """Turn ragas's multi-turn user_input into messages: its types are human, ai and tool."""
    if not isinstance(value, list):
        return None
    roles = {"human": "user", "user": "user", "ai": "assistant", "assistant": "assistant", "system": "system"}
    turns = [
        {"role": roles[kind], "content": each["content"]}
        for each in value
        if isinstance(each, dict)
        and (kind := str(each.get("type") or each.get("role"))) in roles
        and each.get("content")
    ]
    while turns and turns[-1]["role"] != "user":
        turns.pop()
    return turns or None


def _listed(value: Any) -> list[str]:
    """Return passages: a list; in CSV the text of a list, or texts joined by |."""
    if not isinstance(value, str):
        return texts(value)
    if value.strip().startswith("["):
        try:
            return texts(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            return texts(value)
    return texts(value.split("|"))


def _rows(path: Path) -> Sequence[tuple[int, dict[str, Any]]]:
    return csv_rows(path) if path.suffix.lower() == ".csv" else rows_of(path)
