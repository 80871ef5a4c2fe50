"""Read tables of data: Excel workbooks, CSV and JSON Lines. A row is a block that explains itself by its columns."""

import itertools
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from levers.knowledge.optional import need
from levers.knowledge.reading import Unreadable, Writer, labelled, one_line, open_package
from levers.knowledge.records import Parsed
from levers.ledger.cells import BadCells, read_cells

_DELIMITERS = ";\t|,"  # the likelier first where a header holds as many: a comma may be prose or a decimal sign
_TITLES = ("title", "name", "heading", "subject", "id", "_id")
_TEXTS = ("text", "content", "body", "contents")


def read_xlsx(data: bytes) -> Parsed:
    """Read a workbook: a heading for each sheet, its first filled row names the columns; values, no formulas."""
    package = open_package(data, ".xlsx")
    openpyxl = need("openpyxl")
    writer = Writer()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of drawings and styles it leaves out
            book = openpyxl.load_workbook(package, read_only=True, data_only=True)
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # a wrong <dimension> would cut the sheet
                rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
                _table(str(sheet.title), rows, writer)
            book.close()
    except Unreadable:
        raise
    except Exception as error:  # XML of a damaged sheet fails in many ways
        reason = one_line(str(error))[:120] or type(error).__name__
        found = f"a damaged .xlsx file ({reason})"
        raise Unreadable(found, "a .xlsx file", "save or fetch it again") from error
    return writer.done()


def read_csv(text: str) -> Parsed:
    """Read delimited text; comma, semicolon, tab or bar, found by looking. The first row names the columns."""
    writer = Writer()
    _table("", _even_rows(text), writer)
    return writer.done()


def _even_rows(text: str) -> list[list[str]]:
    """Return the rows by the delimiter that gives all of them as many cells, more than one; else say what is uneven.

    `csv.Sniffer` would not do: it takes apostrophes for quotes, and for delimiters what stands beside them.
    """
    head = text.lstrip().partition("\n")[0]
    likely = sorted(_DELIMITERS, key=head.count, reverse=True)
    # Blanks before a quote are hardly ever part of the cell; where a row cannot be read so, they are.
    for delimiter, trim in itertools.product((each for each in likely if each in text), (True, False)):
        try:
            rows = _rows(text, delimiter, trim)
        except Unreadable:
            continue
        if rows and len(rows[0]) > 1:
            return rows
    return _rows(text, likely[0] if likely[0] in head else ",", trim=False)


def _rows(text: str, delimiter: str, trim: bool) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for line, row in read_cells(text, delimiter, trim):
            if rows and len(row) != len(rows[0]):
                hint = "quote cells that hold the delimiter; the file may be cut"
                raise Unreadable(f"{len(row)} cells", f"{len(rows[0])} as in the first row", hint, line)
            rows.append(row)
    except BadCells as error:
        hint = "close the quotes, and double quotes inside quotes"
        raise Unreadable(f"a row that cannot be read ({error})", "delimited text", hint, error.line) from error
    return rows


def read_jsonl(text: str) -> Parsed:
    """Read JSON Lines: an object on a line is a section, named by its title, name or id, with its text and fields."""
    writer = Writer()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).split(":", 1)[0]
            hint = "one whole JSON object on each line; the file may be cut"
            raise Unreadable(f"a line that is not JSON ({reason})", "a JSON object", hint, number) from error
        if not isinstance(row, dict):
            raise Unreadable(f"a JSON {type(row).__name__}", "a JSON object", "write {…} on each line", number)
        _record(row, number, writer)
    return writer.done()


def _record(row: dict[str, Any], number: int, writer: Writer) -> None:
    named = next((key for key in _TITLES if isinstance(row.get(key), str | int) and str(row[key]).strip()), None)
    body = next((key for key in _TEXTS if isinstance(row.get(key), str) and row[key].strip()), None)
    rest = {key: value for key, value in row.items() if key not in (body, named)}
    told = labelled(rest.keys(), map(_cell, rest.values()))
    if named is None and body is None and not told:
        return
    writer.heading(f"Row {number}" if named is None else str(row[named]), 2)
    if body is not None:
        for part in str(row[body]).split("\n\n"):
            writer.write(part.strip())
    writer.write(told, "table")


def _table(name: str, rows: Iterable[Sequence[str]], writer: Writer) -> None:
    filled: Iterator[Sequence[str]] = (row for row in rows if any(cell.strip() for cell in row))
    names = next(filled, None)
    if names is None:
        return
    if name:
        writer.heading(name, 2)
    first = next(filled, None)
    if first is None:  # a row alone is data, not names
        writer.write(labelled(itertools.repeat(""), names), "table")
        return
    for row in itertools.chain([first], filled):
        writer.write(labelled(itertools.chain(names, itertools.repeat("")), row), "table")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
