"""Digests of the files that a task's graders read beside its cases."""

import hashlib
import os
from collections.abc import Callable, Iterable
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


def _sha256(path: Path) -> str | None:
    try:
        if not path.is_file():  # what is no plain file, such as a pipe, is never opened
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
