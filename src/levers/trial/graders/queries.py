"""The sql grader: a query is right when running it gives what the accepted query gives."""

import math
import re
import sqlite3
import time
from collections import Counter
from typing import Any, NamedTuple

from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec
from levers.trial.graders.compared import compared
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.text import clip

_FENCE = re.compile(r"```(?:sql)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_INNER = re.compile(r"\([^()]*\)")
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
_SECONDS, _ROWS = 5.0, 10_000
_LONGEST = 10_000_000  # bytes of one value
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_FORBIDDEN_FUNCTIONS = {"load_extension", "writefile", "readfile", "edit", "fts3_tokenizer"}


def sql(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
    """Pass when the answer's query gives the same rows as an accepted one on `database` (default: the task's tables).

    Rows in any order, unless the accepted query ends in ORDER BY; column names do not matter, their number and order
    do; numbers may differ by 1e-9 of their size, but not two whole ones. A fenced block is taken out of its fence. The
    database is SQLite, opened read-only; anything but SELECT is refused, and so is a query of more than 5 seconds or
    10,000 rows.
    """
    name = spec.database or kit.tables
    if name is None:
        raise ValueError("the grader names no database, and the task has no tables")
    path = kit.file(name).resolve()  # a file's address has no relative form

    def check(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
        wanted = [(each, _table(path.as_uri(), each)) for each in accepted]
        try:
            found = _table(path.as_uri(), _query(text))
        except (sqlite3.Error, sqlite3.Warning, _TooMuch) as error:
            return Verdict.of(False, f"the query fails: {clip(str(error))}: {clip(text)}")
        same = any(_same(found, table, _ordered(query)) for query, table in wanted)
        return Verdict.of(same, f"expected {_shown(wanted[0][1])}, the query gives {_shown(found)}")

    return compared(check)(spec, case, answer, kit)


class _TooMuch(Exception):
    """The query takes too long or returns too much."""


class _Table(NamedTuple):
    """What a query gives."""

    columns: int
    rows: list[tuple[Any, ...]]


def _ordered(query: str) -> bool:
    """Tell whether a query orders its rows; an ORDER BY within brackets orders something else."""
    outer, before = query, ""
    while outer != before:
        outer, before = _INNER.sub("", outer), outer
    return _ORDERED.search(outer) is not None


def _query(text: str) -> str:
    fenced = _FENCE.search(text)
    return (fenced[1] if fenced else text).strip()


def _table(address: str, query: str) -> _Table:
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        connection.set_authorizer(_authorise)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)  # the clock is not looked at within one value
        deadline = time.monotonic() + _SECONDS
        connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        try:
            cursor = connection.execute(query)
            rows = cursor.fetchmany(_ROWS + 1)
        except sqlite3.OperationalError as error:
            if str(error) == "interrupted":
                raise _TooMuch(f"it runs longer than {_SECONDS:g} seconds") from None
            raise
        if cursor.description is None:
            raise sqlite3.ProgrammingError("there is no statement in it")
        if len(rows) > _ROWS:
            raise _TooMuch(f"it returns more than {_ROWS:,} rows")
        return _Table(len(cursor.description), rows)
    finally:
        connection.close()


def _authorise(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Let a query read and compute, nothing else; SQLite asks this while it parses."""
    if action == sqlite3.SQLITE_FUNCTION and second in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _same(first: _Table, second: _Table, ordered: bool) -> bool:
    found, wanted = first.rows, second.rows
    if first.columns != second.columns or len(found) != len(wanted):
        return False
    if ordered:
        return all(_equal(left, right) for left, right in zip(found, wanted, strict=True))
    if Counter(map(_rounded, found)) == Counter(map(_rounded, wanted)):
        return True
    key = repr  # numbers that differ in the last digits: match them in sorted order
    return all(_equal(a, b) for a, b in zip(sorted(found, key=key), sorted(wanted, key=key), strict=True))


def _equal(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) if _near_is_enough(a, b) else a == b
        for a, b in zip(left, right, strict=True)
    )


def _near_is_enough(a: Any, b: Any) -> bool:
    """Two whole numbers may be ids, which name different things however near they are."""
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    return numbers and (isinstance(a, float) or isinstance(b, float))


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(float(f"{value:.12g}") if isinstance(value, float) else value for value in row)


def _shown(table: _Table) -> str:
    rows = table.rows
    first = ", ".join(str(value) for value in rows[0]) if rows else ""
    return f"{len(rows)} row{'' if len(rows) == 1 else 's'}" + (f" ({clip(first)})" if rows else "")
