"""A runnable project to start from: a shipped example, or the smallest one."""

import shutil
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from levers.errors import Problem, UserError
from levers.task.config import NAME
from levers.task.files import filled_whole
from levers.task.wording import did_you_mean

_LEFT_OUT = ("__pycache__", ".levers", "__init__.py")


def available() -> tuple[str, ...]:
    """Return the names `init` knows: the shipped examples and `blank`."""
    return tuple(sorted(_sources()))


def init(directory: Path | str, example: str = "support") -> Path:
    """Write a project into a new or empty folder and return the folder.

    A new folder appears complete or not at all; an empty one gets its `levers.yaml` last. Raises UserError for
    an unknown example or a folder that holds something.
    """
    target = Path(directory)
    sources = _sources()
    if example not in sources:
        hint = did_you_mean(example, sorted(sources))
        raise UserError(
            Problem(file="levers init", field="example", found=f'"{example}"', expected="a shipped example", hint=hint)
        )
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        found = "a folder that is not empty" if target.is_dir() else "a file"
        raise UserError(
            Problem(file=str(target), found=found, expected="a new or empty folder", hint="choose another name")
        )
    with filled_whole(target, NAME) as whole:
        _copy(sources[example], whole)
    return target


def _sources() -> dict[str, Traversable]:
    """Map the names of examples to the folders inside the package that hold them."""
    package = resources.files("levers")
    sources: dict[str, Traversable] = {"blank": package / "task" / "blank"}
    examples = package / "examples"
    if examples.is_dir():
        sources.update((each.name, each) for each in examples.iterdir() if each.is_dir() and (each / NAME).is_file())
    return sources


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for each in source.iterdir():
        if each.name in _LEFT_OUT:
            continue
        if each.is_dir():
            _copy(each, target / each.name)
            continue
        with each.open("rb") as read, (target / each.name).open("wb") as write:
            shutil.copyfileobj(read, write)
