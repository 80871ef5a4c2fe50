"""Reviewed examples from JSON Lines (OpenAI chat, prompt and completion), CSV and Parquet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from levers.errors import MissingExtra, Problem
from levers.ledger import Message
from levers.ledger.cells import BadCells, read_cells
from levers.task.golden import cap, read_rows
from levers.task.records import Example
from levers.task.text import read_text, show
from levers.task.wording import did_you_mean, explain

_SHAPES = ({"messages"}, {"prompt", "completion"})
_KNOWN = ("messages", "prompt", "completion", "evidence", "id")  # `id` is the user's own, for reference
_EXPECTED = '{"messages": […]} or {"prompt": "…", "completion": "…"}'
_ENDINGS = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")

Rows = tuple[list[tuple[int, dict[str, Any]]], list[Problem]]


def read_examples(path: Path, shown: str) -> tuple[tuple[Example, ...], tuple[Problem, ...]]:
    """Read the examples at `path`, named `shown` in problems, and what is wrong with them.

    Raises MissingExtra when a Parquet file is to be read and pyarrow is not installed.
    """
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        hint = "convert it, or rename it if only the ending is wrong"
        return (), (
            Problem(file=shown, found=f'the ending "{ending}"', expected=f"one of {', '.join(_ENDINGS)}", hint=hint),
        )
    rows, problems = _read_parquet(path, shown) if ending == ".parquet" else _read_text_rows(path, shown, ending)
    examples = []
    for number, row in rows:
        example, found = read_example(row, shown, number)
        problems += found
        if example:
            examples.append(example)
    problems.sort(key=lambda each: each.line or 0)
    return tuple(examples), tuple(cap(problems, shown))


def read_example(row: dict[str, Any], shown: str, number: int) -> tuple[Example | None, list[Problem]]:
    """Turn one object into an example, or say what is wrong with it."""
    problems = [
        Problem(
            file=shown,
            line=number,
            field=key,
            found=f'unknown key "{key}"',
            expected=_EXPECTED,
            hint=did_you_mean(key, _KNOWN),
        )
        for key in row
        if key not in _KNOWN
    ]
    if not problems and not any(shape <= row.keys() for shape in _SHAPES):
        missing = "completion" if "prompt" in row else "prompt" if "completion" in row else "messages"
        problems.append(
            Problem(
                file=shown, line=number, field=missing, found="nothing", expected=_EXPECTED, hint=f'add "{missing}"'
            )
        )
    if "messages" in row and {"prompt", "completion"} & row.keys():
        hint = "keep one of the two shapes"
        problems.append(Problem(file=shown, line=number, found="both shapes at once", expected=_EXPECTED, hint=hint))
    if problems:
        return None, problems
    turns: dict[str, Any] = {"messages": row["messages"]} if "messages" in row else _turns(row)
    return _validated(turns, row.get("evidence") or (), shown, number)


def _turns(row: dict[str, Any]) -> dict[str, Any]:
    """Return prompt and completion as one conversation; each may be a text or, as in TRL, a list of messages."""
    turns: list[Any] = []
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        value = row[key]
        turns += value if isinstance(value, list) else [{"role": role, "content": value}]
    return {"messages": turns}


class _Conversation(Example):
    """An example before its last turn is taken for the answer; exists to be validated."""

    answer: str = ""


def _validated(turns: dict[str, Any], evidence: Any, shown: str, number: int) -> tuple[Example | None, list[Problem]]:
    raw = {**turns, "evidence": evidence}
    try:
        talk = _Conversation.model_validate(raw)
    except ValidationError as error:
        return None, explain(error, _Conversation, raw, shown, lambda _: number)
    fault = _order(talk.messages)
    if fault:
        found, expected, hint = fault
        return None, [Problem(file=shown, line=number, field="messages", found=found, expected=expected, hint=hint)]
    answer = talk.messages[-1].content
    return Example(messages=talk.messages[:-1], answer=answer, evidence=talk.evidence, line=number), []


def _order(messages: tuple[Message, ...]) -> tuple[str, str, str] | None:
    """Say what is wrong with the order of turns: found, expected, hint."""
    roles = [message.role for message in messages]
    if roles[-1:] != ["assistant"]:
        last = f'"{roles[-1]}"' if roles else "nobody"
        return f"a last message by {last}", "a last message by assistant", "the last message is the answer to learn"
    if roles[-2:-1] != ["user"]:
        return "no question before the answer", "a user message before the answer", "put the question before the answer"
    if "system" in roles[1:]:
        return "a system message after the first turn", "the system message first", "move it to the front"
    empty = next((message.role for message in messages if not message.content.strip()), None)
    return (
        (f"an empty {empty} message", "a text in every message", "remove the example or fill it in") if empty else None
    )


def _read_text_rows(path: Path, shown: str, ending: str) -> Rows:
    text, problem = read_text(path, shown)
    if text is None or problem:
        return [], [problem] if problem else []
    if ending in (".jsonl", ".ndjson"):
        return read_rows(text, shown)
    return _read_csv(text, shown, "\t" if ending == ".tsv" else ",")


def _read_csv(text: str, shown: str, separator: str) -> Rows:
    """Read rows under a header of prompt, completion and, if wanted, evidence (references parted by blanks) and id."""
    rows: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    header: list[str] = []
    try:
        for number, cells in read_cells(text, separator):
            if not header:
                header = [cell.strip().lower() for cell in cells]
                problems = _check_header(header, shown, number, separator)
                if problems:
                    return [], problems
            elif len(cells) != len(header):
                found, hint = f"{len(cells)} cells", "put quotes around a cell that holds the separator"
                problems.append(
                    Problem(file=shown, line=number, found=found, expected=f"{len(header)} cells", hint=hint)
                )
            else:
                row: dict[str, Any] = dict(zip(header, cells, strict=True))
                rows.append((number, {**row, "evidence": row.get("evidence", "").split()}))
    except BadCells as error:
        hint = 'double a quote inside a cell: ""'
        problems.append(Problem(file=shown, line=error.line, found=str(error), expected="valid CSV", hint=hint))
    if not rows and not problems:
        problems.append(
            Problem(
                file=shown,
                line=1,
                found="no rows",
                expected="a header and rows",
                hint="the header is prompt,completion",
            )
        )
    return rows, problems


def _check_header(header: list[str], shown: str, number: int, separator: str) -> list[Problem]:
    names = ("prompt", "completion", "evidence", "id")
    known = ", ".join(names)
    problems = [
        Problem(
            file=shown,
            line=number,
            field=name,
            found=f'unknown column "{name}"',
            expected=f"columns {known}",
            hint=did_you_mean(name, names, known) or "remove the column: nothing reads it",
        )
        for name in header
        if name not in names
    ]
    problems += [
        Problem(
            file=shown,
            line=number,
            field=name,
            found="nothing",
            expected=f"a column {name}",
            hint=f'name a column "{name}"',
        )
        for name in names[:2]
        if name not in header
    ]
    if len(header) == 1 and any(other in header[0] for other in ",;\t"):
        hint = "part the columns by tabs, or name the file .csv" if separator == "\t" else "part the columns by commas"
        return [Problem(file=shown, line=number, found="one column", expected="prompt and completion", hint=hint)]
    if len(set(header)) < len(header):
        problems.append(
            Problem(file=shown, line=number, found="a column twice", expected="every column once", hint="rename one")
        )
    return problems


def _read_parquet(path: Path, shown: str) -> Rows:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtra("pyarrow", "local") from None
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0]
        return [], [Problem(file=shown, found=show(reason), expected="a Parquet file", hint="write the file again")]
    return list(_parquet_rows(table)), []


def _parquet_rows(table: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield rows numbered from 1; columns that are null in a row count as absent there."""
    for number, row in enumerate(table.to_pylist(), start=1):
        yield number, {key: value for key, value in row.items() if value is not None}
