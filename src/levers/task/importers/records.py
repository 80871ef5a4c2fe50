"""What every reader of another tool's files hands over, and what they share."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError
from levers.ledger.cells import BadCells, read_cells
from levers.ledger.yaml import parse_yaml
from levers.task.config import plain_data
from levers.task.golden import cap, read_rows
from levers.task.text import parse_json, read_text, show

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_FEW_LABELS = 30


@dataclass
class Imported:
    """Cases as rows of a golden set (without a partition where the source has none), and what comes with them.

    `documents` maps paths under `docs/` to text, `schemas` file names to JSON Schemas; `notes` say what could not be
    taken over as it was.
    """

    cases: list[dict[str, Any]] = field(default_factory=list)
    graders: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    instructions: str = ""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a note, once."""
        if text not in self.notes:
            self.notes.append(text)


def rows_of(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read JSON Lines, or one JSON list of objects, with line numbers (places from 1 for a list).

    Raises UserError naming every line that is no object.
    """
    text, problem = read_text(path, path.name)
    if text is None or problem:
        raise UserError(problem or missing(path, "a file"))
    if text.lstrip()[:1] == "[":
        value, problem = parse_json(text, path.name)
        if problem:
            raise UserError(problem)
        rows = list(enumerate(value, start=1))
        bad = [
            Problem(file=path.name, field=f"[{number - 1}]", found=show(row), expected="an object")
            for number, row in rows
            if not isinstance(row, dict)
        ]
        if bad or not rows:
            raise UserError(bad or Problem(file=path.name, found="an empty list", expected="at least one object"))
        return rows
    found, problems = read_rows(text, path.name)
    if problems:
        raise UserError(cap(problems, path.name))
    return found


def csv_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file's rows under its header, with the lines they start on.

    Raises UserError naming every row that has more or fewer cells than the header, or that there is no row.
    """
    rows: list[tuple[int, dict[str, str]]] = []
    problems: list[Problem] = []
    header: list[str] = []
    try:
        for line, cells in read_cells(text_of(path)):
            if not header:
                header = [cell.strip() for cell in cells]
            elif len(cells) == len(header):
                rows.append((line, dict(zip(header, cells, strict=True))))
            else:
                found, expected = f"{len(cells)} cells", f"{len(header)} as in the header"
                hint = "put quotes around a cell that holds a comma, and end every row"
                problems.append(Problem(file=path.name, line=line, found=found, expected=expected, hint=hint))
    except BadCells as error:
        hint = 'close the quotes, and double a quote inside a cell: ""'
        problems.append(Problem(file=path.name, line=error.line, found=str(error), expected="valid CSV", hint=hint))
    if not rows and not problems:
        problems = [Problem(file=path.name, line=1, found="no rows", expected="a header and rows")]
    if problems:
        raise UserError(cap(problems, path.name))
    return rows


def text_of(path: Path) -> str:
    """Read a text file. Raises UserError when it is not there or no UTF-8."""
    if not path.is_file():
        raise UserError(missing(path, "a file"))
    text, problem = read_text(path, path.name)
    if text is None or problem:
        raise UserError(problem or missing(path, "a file"))
    return text


def tree_of(path: Path) -> Any:
    """Read a YAML or JSON file as JSON's values, whatever YAML has beyond them as text. Raises UserError."""
    tree, problem = parse_yaml(text_of(path), path.name)  # JSON is YAML too
    if problem:
        raise UserError(problem)
    try:
        return json.loads(json.dumps(plain_data(tree), default=str))
    except RecursionError as error:
        hint = "write it with fewer levels"
        found = "values nested too deep"
        raise UserError(Problem(file=path.name, line=1, found=found, expected="a flatter file", hint=hint)) from error


def missing(path: Path, kind: str) -> Problem:
    """Say that a file or folder is not there."""
    return Problem(file=str(path), found="nothing there", expected=kind, hint="check the path")


class Faults:
    """Problems of one file, gathered so that all are told at once."""

    def __init__(self, file: str) -> None:
        """Gather for this file."""
        self.file = file
        self.problems: list[Problem] = []

    def add(self, line: int | None, field: str, found: Any, expected: str, hint: str = "") -> None:
        """Note one problem."""
        shown = found if isinstance(found, str) and found == "nothing" else show(found)
        self.problems.append(Problem(file=self.file, line=line, field=field, found=shown, expected=expected, hint=hint))

    def text(self, row: dict[str, Any], line: int, *names: str) -> str:
        """Return the first of these fields that holds a text; note it as a problem when none does."""
        for name in names:
            value = row.get(name)
            if isinstance(value, str) and value.strip():
                return value.strip()
        present = next((name for name in names if row.get(name) is not None), names[0])
        self.add(line, present, row.get(present) if row.get(present) is not None else "nothing", "a text")
        return ""

    def objects(self, line: int | None, field: str, value: Any) -> list[dict[str, Any]]:
        """Return a list of objects, an empty one where nothing stands; note anything else as a problem."""
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            return value
        if value is not None:
            self.add(line, field, value, "a list of objects")
        return []

    def stop(self) -> None:
        """Raise UserError if anything was noted."""
        if self.problems:
            raise UserError(cap(self.problems, self.file))


def texts(value: Any) -> list[str]:
    """Return a value's texts: a text, or a list of them, nested or not; everything else is left out."""
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, list | tuple):
        return [text for each in value for text in texts(each)]
    return []


def document_name(name: str) -> str:
    """Make a file name of any id; ids that differ only in unsafe characters stay apart."""
    safe = _UNSAFE.sub("-", name).strip("-.")[:80]
    return f"{safe}.md" if safe == name else f"{safe or 'document'}-{_short(name)}.md"


def keep_passage(into: Imported, text: str, source: str | None = None) -> str:
    """Keep a passage that has no name of its own as a document, and return its evidence reference."""
    stem = Path(source).stem if source else "passage"
    name = f"{_UNSAFE.sub('-', stem).strip('-.') or 'passage'}-{_short(text)}.md"
    into.documents.setdefault(name, text.strip() + "\n")
    return f"docs/{name}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def fitting_graders(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose graders by what is expected: few repeated texts are labels, JSON is compared by field, else F1."""
    expected = [case["expected"] for case in cases]
    if all(isinstance(each, dict) for each in expected):
        return [{"kind": "exact"}]
    labels = sorted({each for each in expected if isinstance(each, str)})
    if all(isinstance(each, str) for each in expected) and len(labels) <= min(_FEW_LABELS, len(cases) / 3):
        return [{"kind": "choice", "choices": labels}]
    return [{"kind": "f1"}]


def as_expected(text: str) -> Any:
    """Return an answer as a golden set holds it: a JSON object as an object, everything else as text."""
    if text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return value if isinstance(value, dict) and value else text
    return text


def common_system(rows: Iterable[Sequence[dict[str, str]]]) -> str:
    """Return the system message that all conversations start with, or an empty text."""
    found = {turns[0]["content"] if turns and turns[0]["role"] == "system" else "" for turns in rows}
    return found.pop() if len(found) == 1 else ""


def as_input(turns: Sequence[dict[str, str]]) -> Any:
    """Return turns as a case's input: a lone user turn as its text."""
    return turns[0]["content"] if len(turns) == 1 and turns[0]["role"] == "user" else list(turns)
