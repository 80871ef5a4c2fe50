"""A project's files: digests of those that graders read, looks at paths, and a new folder written as a whole."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def file_digests(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of every file by its name; names of no file that can be read are left out."""
    found = {name: _sha256(root / name) for name in names}
    return {name: sha256 for name, sha256 in found.items() if sha256 is not None}


def is_there(look: Callable[[], bool]) -> bool:
    """Ask the file system about a path as a user wrote it: what is too long or odd to be a path is nowhere."""
    try:
        return look()
    except (OSError, ValueError):
        return False


def lies_below(root: Path, name: str) -> bool:
    """Tell whether a path, as it is written, lies in the folder; links are not followed."""
    return Path(os.path.abspath(root / name)).is_relative_to(os.path.abspath(root))


@contextmanager
def filled_whole(target: Path, last: str) -> Iterator[Path]:
    """Give a folder to write into; what stands there at the end becomes `target`, a new or an empty folder.

    An empty folder is filled and not replaced: someone's shell may stand in it, and it may be a link or a mount. Then
    the file `last` comes after all others, so that whoever finds it finds the whole.
    """
    there = target.is_dir()
    parent = target if there else target.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=f".{target.name}.", suffix=".part") as scratch:
        whole = Path(scratch) / "project"
        whole.mkdir()
        yield whole
        if not there:
            os.replace(whole, target.absolute())
            return
        for each in sorted(whole.iterdir(), key=lambda path: (path.name == last, path.name)):
            os.replace(each, target / each.name)


def _sha256(path: Path) -> str | None:
    try:
        if not path.is_file():  # what is no plain file, such as a pipe, is never opened
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
