"""Each finished piece of a run in its own file: a run killed at any instant goes on with the first missing one."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from levers.ledger import Record, write_atomic

R = TypeVar("R", bound=Record)


class Memo:
    """Records by name in a folder. A file is whole or absent; what cannot be read is made again."""

    def __init__(self, folder: Path) -> None:
        """Keep records in `folder`."""
        self._folder = folder
        self._took: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Return how long it took to make the records asked for, each counted once, however often it was asked for."""
        return sum(self._took.values())

    def keep(self, name: str, kind: type[R], make: Callable[[], R]) -> R:
        """Return the record of that name, made now unless it was made before."""
        path = self._folder / f"{name}.json"
        found = self._read(path, kind)
        if found is not None:
            self._took[name] = found[1]
            return found[0]
        started = time.monotonic()
        made = make()
        seconds = time.monotonic() - started
        write_atomic(path, json.dumps({"seconds": seconds, "value": made.model_dump(mode="json")}, ensure_ascii=False))
        self._took[name] = seconds
        return made

    @staticmethod
    def _read(path: Path, kind: type[R]) -> tuple[R, float] | None:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return kind.model_validate(kept["value"]), float(kept["seconds"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None
