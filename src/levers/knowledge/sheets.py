"""Read tables of data: Excel workbooks, CSV and JSON Lines. A row is a block that explains itself by its columns."""

import csv
import io
import itertools
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from levers.knowledge.optional import need
from levers.knowledge.reading import Unreadable, Writer, labelled, one_line, open_package
from levers.knowledge.records import Parsed

_DELIMITERS = ",;\t|"
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
    try:
        dialect: Any = csv.Sniffer().sniff(text[:20_000], delimiters=_DELIMITERS)
        dialect.doublequote = True  # what is looked at may hold no quote inside quotes, and the rest one
    except csv.Error:
        dialect = csv.excel
    reader = csv.reader(io.StringIO(text, newline=""), dialect, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        hint = "close the quotes, and double quotes inside quotes"
        raise Unreadable(f"a row that cannot be read ({error})", "delimited text", hint, reader.line_num) from error
    width = len(rows[0][1]) if rows else 0
    for line, row in rows:
        if len(row) != width:
            hint = "quote cells that hold the delimiter; the file may be cut"
            raise Unreadable(f"{len(row)} cells", f"{width} as in the first row", hint, line)
    writer = Writer()
    _table("", (row for _, row in rows), writer)
    return writer.done()


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
