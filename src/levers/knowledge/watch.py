"""Wait for changes below a documents' folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

from levers.knowledge.optional import need


def changes(documents: Path, beside: Sequence[Path] = (), stop: Event | None = None) -> Iterator[int]:
    """Yield the number of files that changed, each time the folder or a file `beside` it (access rules) does.

    Ends when `stop` is set or the process is interrupted.
    """
    watchfiles = need("watchfiles")
    places = [documents, *(path for path in beside if path.exists())]
    for found in watchfiles.watch(*places, step=50, debounce=1600, stop_event=stop, raise_interrupt=True):
        yield len({path for _, path in found})
