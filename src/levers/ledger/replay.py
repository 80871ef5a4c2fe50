"""Remember what was computed or paid for: a store from digest to JSON that survives a kill at any instant."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_BATCH = 500  # SQLite's default limit on bound values is 999 in old builds


class Replay:
    """A store of JSON values by key, on SQLite in write-ahead mode; safe across threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open or create the store at `path`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # With a write-ahead log this loses no commit to a kill; a power cut may lose the last ones, never the store.
        # Waiting for the disk at every commit costs more than most answers do.
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL)")

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that are kept."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Any] = {}
        with self._lock:
            for start in range(0, len(wanted), _BATCH):
                part = wanted[start : start + _BATCH]
                marks = ",".join("?" * len(part))
                rows = self._database.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", part)  # noqa: S608
                found.update((key, json.loads(value)) for key, value in rows)
        return found

    def put(self, values: Mapping[str, Any]) -> None:
        """Keep the values, all or none; a key that is kept already keeps its first value."""
        rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in values.items()]
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?)", rows)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def close(self) -> None:
        """Close the store; every write is already on disk."""
        self._database.close()
