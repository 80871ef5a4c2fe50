"""One SQLite file in write-ahead mode, shared by threads and processes; every table of the ledger lies in it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from levers.errors import Problem, UserError


class Store:
    """A connection with a lock around it. `path` None keeps everything in memory, for one process."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file.

        Raises:
            UserError: it is damaged, or no file that can be written.
        """
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._database = _open(path)
        except sqlite3.Error as error:
            hint = "make it writable; or, if it is damaged, move it away: what it kept is then asked again"
            raise UserError(
                Problem(file=str(path), found=str(error), expected="the ledger of replies", hint=hint)
            ) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for a few reads."""
        with self._lock:
            yield self._database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for a transaction that no other writer interleaves with: all of it is done, or none."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the connection; every write is already on disk."""
        self._database.close()


def _open(path: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(path or ":memory:", timeout=60, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    # With a write-ahead log this loses no commit to a kill; a power cut may lose the last ones, never the store.
    # Waiting for the disk at every commit costs more than most answers do.
    database.execute("PRAGMA synchronous=NORMAL")
    return database
