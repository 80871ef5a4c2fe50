"""Late imports of what only the local extra brings."""

import importlib
from typing import Any

from levers.errors import MissingExtra


def need(module: str, package: str | None = None) -> Any:
    """Import a module of the local extra, or say which package is missing and how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and module.partition(".")[0] != error.name.partition(".")[0]:
            raise
        raise MissingExtra(package or module, "local") from error
