"""The golden set: JSON Lines into cases, every faulty line named."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from levers.errors import Problem
from levers.task.records import PARTITIONS, Case, Partition
from levers.task.text import lines, parse_json, read_text, show
from levers.task.wording import explain

MOST_PROBLEMS = 200  # of one file; after that many the file is plainly something else

_ROLE_HINT = "end with the turn that is to be answered"


@dataclass(frozen=True)
class Golden:
    """The readable cases, the line each came from, what is wrong with the file, and all evidence with its line."""

    file: str
    cases: tuple[Case, ...]
    lines: tuple[int, ...]
    problems: tuple[Problem, ...]
    references: tuple[tuple[int, str], ...] = ()

    def line(self, case: Case) -> int:
        """Return the line of a case of this set."""
        return next(line for each, line in zip(self.cases, self.lines, strict=True) if each is case)


def read_golden(path: Path, shown: str) -> Golden:
    """Read the golden set at `path`, named `shown` in problems."""
    text, problem = read_text(path, shown)
    if text is None or problem:
        return Golden(shown, (), (), (problem,) if problem else ())
    rows, problems = read_rows(text, shown)
    unread = bool(problems)
    cases, numbers = [], []
    seen: dict[str, int] = {}
    for number, row in rows:
        case, found = read_case(row, shown, number)
        problems += found
        name = row.get("id")
        if isinstance(name, str) and seen.setdefault(name, number) != number:
            hint, where = "give every case its own id", f"{show(name)}, which line {seen[name]} has too"
            problems.append(
                Problem(file=shown, line=number, field="id", found=where, expected="an id used once", hint=hint)
            )
        elif case is not None:
            cases.append(case)
            numbers.append(number)
    named = [row.get("partition") for _, row in rows]
    if named and not unread and all(each in PARTITIONS for each in named):  # else a faulty line may be what lacks
        problems += _partitions(named, shown)
    problems.sort(key=lambda each: each.line or 0)
    return Golden(shown, tuple(cases), tuple(numbers), tuple(cap(problems, shown)), tuple(_references(rows)))


def _references(rows: Sequence[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, str]]:
    """Yield the evidence of all lines, faulty ones too, so that whoever mends them need not check again for it."""
    for number, row in rows:
        named = row.get("evidence")
        for reference in named if isinstance(named, list) else ():
            if isinstance(reference, str) and reference.split("#")[0].strip() and not reference.endswith("#"):
                yield number, reference


def read_rows(text: str, shown: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Problem]]:
    """Parse JSON Lines into (line, object) pairs, and name the lines that are no JSON object."""
    rows: list[tuple[int, dict[str, Any]]] = []
    problems: list[Problem] = []
    if text.lstrip()[:1] == "[" and parse_json(text, shown)[1] is None:
        hint = "write each object of the list on a line of its own, without brackets and commas around"
        return [], [Problem(file=shown, line=1, found="one JSON list", expected="one JSON object a line", hint=hint)]
    for number, line in lines(text):
        value, problem = parse_json(line, shown, number)
        if problem:
            problems.append(problem)
        elif not isinstance(value, dict):
            hint = 'a line looks like {"id": "q1", …}'
            problems.append(Problem(file=shown, line=number, found=show(value), expected="a JSON object", hint=hint))
        else:
            rows.append((number, value))
    if not rows and not problems:
        problems.append(
            Problem(
                file=shown, line=1, found="an empty file", expected="one JSON object a line", hint="add lines to it"
            )
        )
    return rows, problems


def read_case(row: dict[str, Any], shown: str, number: int) -> tuple[Case | None, list[Problem]]:
    """Turn one object into a case, or say what is wrong with it."""
    try:
        case = Case.model_validate(row)
    except ValidationError as error:
        return None, explain(error, Case, row, shown, lambda _: number)
    problems = _contents(case, shown, number)
    return (None if problems else case), problems


def _contents(case: Case, shown: str, number: int) -> list[Problem]:
    """Name what is well-typed but empty or out of order."""
    faults = _expectation(case)
    if not case.id.strip():
        faults.append(
            ("id", show(case.id), "a text that no other case has", "number the cases if nothing better comes to mind")
        )
    if isinstance(case.input, tuple):
        if not case.input:
            faults.append(("input", "no message", "a text or at least one message", _ROLE_HINT))
        elif case.input[-1].role != "user":
            faults.append(("input", f'a last message by "{case.input[-1].role}"', "a last message by user", _ROLE_HINT))
    elif not case.input.strip() and case.partition != "edge":
        faults.append(
            ("input", show(case.input), "a question", 'only a case of partition "edge" may have an empty input')
        )
    for reference in case.evidence:
        if not reference.split("#")[0].strip() or reference.endswith("#"):
            hint = "write it as document#section: docs/returns.md#refunds"
            faults.append(("evidence", show(reference), "a document, then # and a section", hint))
    return [
        Problem(file=shown, line=number, field=field, found=found, expected=expected, hint=hint)
        for field, found, expected, hint in faults
    ]


def _expectation(case: Case) -> list[tuple[str, str, str, str]]:
    accepted = (case.expected,) if isinstance(case.expected, str) else case.expected
    if not accepted or any(isinstance(text, str) and not text.strip() for text in accepted):
        hint = "write what a good answer says, also where it should refuse"
        expected = "a text, a list of texts or a JSON object, none of them empty"
        return [("expected", show(case.expected), expected, hint)]
    fields = case.expected if isinstance(case.expected, dict) else {}
    return [
        (f"expected.{key}", "an empty list", "at least one accepted value", "list what is accepted")
        for key, value in fields.items()
        if value == []
    ]


def _partitions(named: list[Any], shown: str) -> list[Problem]:
    """Name the partitions without which nothing can be measured (dev) or confirmed (test); one entry a line."""
    wanted: tuple[Partition, ...] = tuple(name for name in PARTITIONS if name != "edge" and name not in named)
    counted = ", ".join(f"{named.count(name)} {name}" for name in PARTITIONS)
    hints = {
        "dev": 'levers work on dev: give about two thirds of the cases "partition": "dev"',
        "test": 'test confirms a gain on cases no lever has seen: give about a third of the cases "partition": "test"',
        "edge": "",
    }
    return [
        Problem(
            file=shown,
            line=1,
            field="partition",
            found=f"no {name} case ({counted})",
            expected="at least one",
            hint=hints[name],
        )
        for name in wanted
    ]


def cap(problems: list[Problem], shown: str) -> list[Problem]:
    """Keep the first 200 problems of a file, and say how many more there are."""
    if len(problems) <= MOST_PROBLEMS:
        return problems
    more = f"{len(problems) - MOST_PROBLEMS} more problems in this file"
    return [
        *problems[:MOST_PROBLEMS],
        Problem(file=shown, found=more, expected="none", hint="mend these first, then check again"),
    ]
