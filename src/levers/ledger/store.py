"""One SQLite file in write-ahead mode, shared by threads and processes; every table of the ledger lies in it."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Store:
    """A connection with a lock around it. `path` None keeps everything in memory, for one process."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path or ":memory:", timeout=60, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # With a write-ahead log this loses no commit to a kill; a power cut may lose the last ones, never the store.
        # Waiting for the disk at every commit costs more than most answers do.
        self._database.execute("PRAGMA synchronous=NORMAL")

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
