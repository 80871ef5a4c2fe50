"""Tell by files' stamps whether documents or access rules changed, and wait until they do."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

from levers.knowledge.library import files
from levers.knowledge.optional import need

Stamps = Mapping[str, tuple[int, int, int]]
"""By file: size, time of change in ns, time of change of its entry (rights, name, content) in ns; -1 if not there."""

_LOOKED_AFTER = 1000  # ms from one look at the files beside the documents to the next
_COARSE = 2_000_000_000  # ns within which two changes may get the same time


def stamps(documents: Path | None, beside: Sequence[Path] = ()) -> Stamps:
    """Return the stamps of all documents below a folder and of the files `beside` it, whether they are there or not.

    Raises UserError when there is no such folder.
    """
    found = {file.name: _stamp(file.path) for file in files(documents, "")} if documents is not None else {}
    return found | {f"/{path}": _stamp(path) for path in beside}


def settled(seen: Stamps) -> bool:
    """Tell whether every change after these stamps shows in them: not where a file changed just now."""
    return all(changed < time.time_ns() - _COARSE for _, _, changed in seen.values())


def changes(
    documents: Path, beside: Sequence[Path] = (), stop: Event | None = None, seen: Stamps | None = None
) -> Iterator[int]:
    """Yield the number of files that changed, each time the folder or a file `beside` it (access rules) does.

    `seen` are the stamps from which on changes count; without them, those of now. Files beside are looked at by name
    every second, for editors save by putting another file in their place. Ends when `stop` is set or the process is
    interrupted.
    """
    seen = stamps(documents, beside) if seen is None else seen
    told = need("watchfiles").watch(
        documents,
        step=50,
        debounce=1600,
        watch_filter=None,
        stop_event=stop,
        rust_timeout=_LOOKED_AFTER,
        yield_on_timeout=True,
        raise_interrupt=True,
    )
    first = True
    for found in told:
        if not (found or first or any(seen[f"/{path}"] != _stamp(path) for path in beside)):
            continue
        first = False  # what changed before the watch had begun shows in no event
        now = stamps(documents, beside)
        other = sum(seen.get(name) != now.get(name) for name in seen.keys() | now.keys())
        seen = now
        if other:
            yield other


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return -1, -1, -1
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
