"""Each finished piece of a run in its own file: a run killed at any instant goes on with the first missing one."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from levers.ledger import Record, write_atomic

R = TypeVar("R", bound=Record)


def _none() -> int:
    return 0


class Memo:
    """Records by name in a folder. A file is whole or absent; what cannot be read is made again.

    From the first outage on nothing is written: what was made then, and whatever followed from it, may lack replies, so
    the next run makes it again. Until then it is remembered here, so that one run sees one record of a name.
    """

    def __init__(self, folder: Path, outages: Callable[[], int] = _none) -> None:
        """Keep records in `folder`; `outages` counts the replies that were lost so far."""
        self._folder = folder
        self._outages = outages
        self._before = outages()
        self._passing: dict[str, Any] = {}
        self._took: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Return how long it took to make the records asked for, each counted once, however often it was asked for."""
        return sum(self._took.values())

    def keep(self, name: str, kind: type[R], make: Callable[[], R]) -> R:
        """Return the record of that name, made now unless it was made before."""
        if name in self._passing:
            found_here: R = self._passing[name]
            return found_here
        path = self._folder / f"{name}.json"
        found = self._read(path, kind)
        if found is not None:
            self._took[name] = found[1]
            return found[0]
        started = time.monotonic()
        made = make()
        seconds = self._took[name] = time.monotonic() - started
        if self._outages() > self._before:
            self._passing[name] = made
        else:
            value = made.model_dump(mode="json")
            write_atomic(path, json.dumps({"seconds": seconds, "value": value}, ensure_ascii=False))
        return made

    @staticmethod
    def _read(path: Path, kind: type[R]) -> tuple[R, float] | None:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return kind.model_validate(kept["value"]), float(kept["seconds"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None
