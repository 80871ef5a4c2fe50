"""Reading a user's text file: its text, or the problem that keeps it from being text, with the line."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_DEEPEST = 100  # levels of nesting; deeper data would exhaust the stack of whatever walks it later
_SHOWN = 60


class _Unwelcome(ValueError):
    """JSON that parses but must not be accepted; the message says what was found."""


def show(value: Any) -> str:
    """Return a value as the user wrote it, near enough, in at most 60 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = str(type(value).__name__)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def read_text(path: Path, shown: str) -> tuple[str | None, Problem | None]:
    """Read a UTF-8 file (a byte order mark is tolerated). `shown` is how problems name it. One of the two is None."""
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = "a folder" if path.is_dir() else (error.strerror or str(error)).lower()
        return None, Problem(
            file=shown, found=reason, expected="a readable file", hint="check its name and permissions"
        )
    if data.startswith(_UTF16_MARKS):
        return None, _encoding(shown, 1, "UTF-16 text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        likely = bytes([byte]).decode("cp1252", "replace")
        return None, _encoding(shown, line, f'byte 0x{byte:02X} (in Windows-1252 "{likely}")')
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        return None, Problem(
            file=shown,
            line=line,
            found="a NUL byte",
            expected="text",
            hint="this looks like binary data: export it again",
        )
    return text, None


def refuse_halves(text: str, shown: str, field: str) -> None:
    """Raise UserError where a text holds a half character: bytes of a command line that are not UTF-8 become such."""
    if _halved(text):
        found = "a byte that is not UTF-8, or half of a surrogate pair"
        raise UserError(Problem(file=shown, field=field, found=found, expected="text", hint="type or paste it anew"))


def _halved(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _encoding(shown: str, line: int, found: str) -> Problem:
    return Problem(file=shown, line=line, found=found, expected="UTF-8 text", hint="save the file as UTF-8")


def lines(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield (number from 1, line) of the lines that are not blank; only \n ends a line, as in JSON Lines."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def parse_json(text: str, shown: str, first_line: int = 1) -> tuple[Any, Problem | None]:
    """Parse JSON that starts on `first_line` of the file `shown`. The value is None where there is a problem.

    Stricter than `json.loads`: no NaN or Infinity, no key twice in one object, no half of a surrogate pair.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
        _examine(value)
    except json.JSONDecodeError as error:
        return None, _syntax_problem(error, shown, first_line)
    except _Unwelcome as error:
        return None, _json_problem(shown, first_line, str(error))
    except RecursionError:
        return None, _json_problem(shown, first_line, f"more than {_DEEPEST} levels of nesting")
    except ValueError as error:  # integers of thousands of digits
        return None, _json_problem(shown, first_line, str(error).split(";")[0])
    return value, None


def _syntax_problem(error: json.JSONDecodeError, shown: str, first_line: int) -> Problem:
    before, after = error.doc[: error.pos], error.doc[error.pos :]
    if not after.strip():
        before = before.rstrip()  # behind the last line there is none to look at
    line = first_line + before.count("\n")
    near = after[:20].split("\n")[0]
    if error.msg.startswith("Unterminated") or (error.msg.startswith("Invalid control") and not near.strip()):
        return _json_problem(shown, line, "a quote that is never closed")
    found = (show(near) if near.strip() else "the end of the line") + f" at column {error.colno}"
    if not after.strip() and error.lineno > 1:
        found = "the end of the file"
    return _json_problem(shown, line, found, f"valid JSON ({error.msg.lower()})")


def _json_problem(shown: str, line: int, found: str, expected: str = "valid JSON") -> Problem:
    hint = "look at quotes, commas and brackets on this line; line breaks inside a text are written \\n"
    return Problem(file=shown, line=line, found=found, expected=expected, hint=hint)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Unwelcome(f"the key {show(twice)} twice in one object")
    return result


def _constant(name: str) -> Any:
    raise _Unwelcome(f"{name}, which JSON does not have")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Unwelcome(f"the number {text[:20]}, too large to hold")
    return value


def _examine(value: Any, depth: int = 0) -> None:
    """Refuse nesting and half surrogates that would break whatever stores or prints the value later."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        if _halved(value):
            raise _Unwelcome("half of a surrogate pair (a broken emoji or symbol)")
    elif isinstance(value, dict):
        for key, item in value.items():
            _examine(key, depth)
            _examine(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _examine(item, depth + 1)
