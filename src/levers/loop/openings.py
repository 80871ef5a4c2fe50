"""Openings of the held-out test cases: one line each in the project's `openings.jsonl`, whoever opened them.

A test set that is looked at often wears out: what was chosen by it is no longer measured by it (Dwork et al.: "The
reusable holdout", Science 2015). So every opening is counted, not only those of one run.
"""

import json
from datetime import UTC, datetime

from pydantic import ValidationError

from levers.ledger import Record, digest
from levers.stack import Stack
from levers.task import Task

OPENINGS = "openings.jsonl"


class Opened(Record):
    """One opening: when, by which run or command, for which stack, and the digest of the test cases of then."""

    at: str
    run: str
    stack: str
    test: str = ""


def record_opening(task: Task, run: str, stack: Stack) -> None:
    """Write down that the test cases are opened now, by a run or a command."""
    line = Opened(at=datetime.now(UTC).isoformat(timespec="seconds"), run=run, stack=stack.digest, test=_test(task))
    with (task.state / OPENINGS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line.model_dump()) + "\n")


def opened(task: Task) -> tuple[Opened, ...]:
    """Return every opening of the test cases as they are now; lines from before the cases were named count too."""
    try:
        lines = (task.state / OPENINGS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    known = [found for found in map(_read, lines) if found]
    return tuple(found for found in known if found.test in {"", _test(task)})


def _read(line: str) -> Opened | None:
    try:
        return Opened.model_validate_json(line)
    except ValidationError:
        return None  # cut off by a kill


def _test(task: Task) -> str:
    return digest(list(task.partition("test")), 12)
