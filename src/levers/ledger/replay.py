"""Remember what was computed or paid for: a store from digest to JSON that survives a kill at any instant."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from levers.ledger.owners import LEASE, alive
from levers.ledger.store import Store

_BATCH = 500  # SQLite's default limit on bound values is 999 in old builds


class Replay:
    """A store of JSON values by key, on SQLite in write-ahead mode; safe across threads and processes.

    Whoever is about to compute a value claims its key, so that nobody else computes it at the same time. A claim ends
    when it is released, or with the process that holds it.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the store at `path`."""
        self._store = Store(path)
        with self._store.writing() as database:
            database.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
            database.execute("CREATE TABLE IF NOT EXISTS claimed (key TEXT PRIMARY KEY, owner TEXT, since REAL)")

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that are kept."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Any] = {}
        with self._store.reading() as database:
            for part in _parts(wanted):
                marks = ",".join("?" * len(part))
                rows = database.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", part)  # noqa: S608
                found.update((key, json.loads(value)) for key, value in rows)
        return found

    def put(self, values: Mapping[str, Any], owner: str = "") -> int:
        """Keep the values, all or none; a key that is kept already keeps its first value. Return how many are new.

        The claims of `owner`, who is plainly at work, are renewed.
        """
        rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in values.items()]
        with self._store.writing() as database:
            if owner:
                now = time.time()
                old = (now, owner, now - LEASE / 10)
                database.execute("UPDATE claimed SET since = ? WHERE owner = ? AND since < ?", old)
            return database.executemany("INSERT OR IGNORE INTO kept VALUES (?, ?)", rows).rowcount

    def claim(self, keys: Iterable[str], owner: str) -> set[str]:
        """Claim keys for an owner; return those that are its own now. The others are being computed elsewhere."""
        wanted, now = list(dict.fromkeys(keys)), time.time()
        with self._store.writing() as database:
            for part in _parts(wanted):
                marks = ",".join("?" * len(part))
                held = database.execute(f"SELECT * FROM claimed WHERE key IN ({marks})", part).fetchall()  # noqa: S608
                dead = [(key,) for key, other, since in held if not alive(other, since)]
                database.executemany("DELETE FROM claimed WHERE key = ?", dead)
            database.executemany(
                "INSERT OR IGNORE INTO claimed VALUES (?, ?, ?)", [(key, owner, now) for key in wanted]
            )
            rows = database.execute("SELECT key FROM claimed WHERE owner = ?", (owner,))
            return {key for (key,) in rows} & set(wanted)

    def release(self, owner: str, keys: Iterable[str] | None = None) -> None:
        """Give up an owner's claims: those on `keys`, or all."""
        with self._store.writing() as database:
            if keys is None:
                database.execute("DELETE FROM claimed WHERE owner = ?", (owner,))
            else:
                pairs = [(key, owner) for key in keys]
                database.executemany("DELETE FROM claimed WHERE key = ? AND owner = ?", pairs)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield every key and value, by key."""
        last = ""
        while True:
            with self._store.reading() as database:
                rows = database.execute(
                    "SELECT key, value FROM kept WHERE key > ? ORDER BY key LIMIT ?", (last, _BATCH)
                ).fetchall()
            if not rows:
                return
            yield from ((key, json.loads(value)) for key, value in rows)
            last = rows[-1][0]

    def __len__(self) -> int:
        """Count what is kept."""
        with self._store.reading() as database:
            return int(database.execute("SELECT COUNT(*) FROM kept").fetchone()[0])

    def close(self) -> None:
        """Close the store; every write is already on disk."""
        self._store.close()


def _parts(keys: list[str]) -> Iterator[list[str]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
