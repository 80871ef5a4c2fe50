"""What was started from an export, kept beside it: a job that is paid for is asked for once.

The word is written before the provider is asked. A reply that never comes, or a process that is killed, leaves it
behind, so that the same command does not buy a second job.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from levers.errors import Problem, UserError
from levers.ledger import Record, write_atomic

STARTED = "started.json"


class Started(Record):
    """A job that was asked for: of whom, for which model and name, from which files by their digests.

    `job` is its id; None while no reply has come, and then nobody knows whether there is a job.
    """

    provider: str
    model: str
    suffix: str
    files: dict[str, str]
    state: Literal["asked for", "made"] = "asked for"
    job: str | None = None


def digests(files: Sequence[Path]) -> dict[str, str]:
    """Name files by their content."""
    found = {}
    for file in files:
        with file.open("rb") as opened:
            found[file.name] = f"sha256-{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    return found


def refuse_second(folder: Path, files: dict[str, str]) -> None:
    """Refuse to start what was started from the same files. Raises UserError naming the job, or that there may be one.

    A record that cannot be read may be of any files, so it refuses too.
    """
    path = folder / STARTED
    if not path.is_file():
        return
    try:
        before = Started.model_validate_json(path.read_bytes())
    except ValueError:
        before = None
    if before and before.files != files:
        return
    if before and before.job:
        found = f"{before.job} at {before.provider}, started from these files for {before.model} as {before.suffix}"
        look = f"levers hosted look {before.job} --provider {before.provider}"
        hint = f"{look}; --again starts another, which is billed too"
    else:
        found = "a job was asked for from these files and no reply came: it may have been made"
        hint = f"{look_first(before.provider if before else 'the provider')}; --again starts another"
    raise UserError(Problem(file=str(path), found=found, expected="an export that was not started", hint=hint))


def look_first(provider: str) -> str:
    """Say where to see whether there is a job."""
    return f"look at the list of jobs at {provider} first"


class Claim:
    """The word that a job is asked for, from before the call until its reply."""

    def __init__(self, folder: Path, asked: Started, again: bool = False) -> None:
        """Write it down. Raises UserError where the same files were started and `again` is not asked for."""
        if not again:
            refuse_second(folder, asked.files)
        self._path, self._asked = folder / STARTED, asked
        self._before = self._path.read_bytes() if self._path.is_file() else None
        if self._before is not None:
            write_atomic(self._path, asked.model_dump_json())
        else:
            self._write_first()

    def _write_first(self) -> None:
        try:
            with self._path.open("x", encoding="utf-8") as file:  # of two that start at once only one may ask
                file.write(self._asked.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            refuse_second(self._path.parent, self._asked.files)
            raise

    def made(self, job: str) -> None:
        """Write down the job's id."""
        write_atomic(self._path, self._asked.model_copy(update={"state": "made", "job": job}).model_dump_json())

    def withdraw(self) -> None:
        """Put back what stood there: the provider refused, so there is no job."""
        if self._before is None:
            self._path.unlink(missing_ok=True)
        else:
            write_atomic(self._path, self._before)
