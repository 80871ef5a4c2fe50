"""Options as a record: one dataclass field an option, so that a command with many stays one with few parameters."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

R = TypeVar("R")


def takes(record: type[R]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take a dataclass: every field becomes an option, the command gets the record as `given`.

    The fields carry typer's own annotations. Arguments that the command names itself stay as they are.
    """

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(record, include_extras=True)
        own = get_type_hints(command, include_extras=True)
        mine = [each for each in inspect.signature(command).parameters.values() if each.name != "given"]
        first = [each for each in mine if each.default is inspect.Parameter.empty]
        last = [each for each in mine if each.default is not inspect.Parameter.empty]
        options = [
            inspect.Parameter(
                each.name, inspect.Parameter.KEYWORD_ONLY, default=_default(each), annotation=hints[each.name]
            )
            for each in fields(record)  # type: ignore[arg-type]
        ]
        names = {each.name for each in options}

        def called(**values: Any) -> None:
            given = record(**{name: value for name, value in values.items() if name in names})
            command(given=given, **{name: value for name, value in values.items() if name not in names})

        kind = inspect.Parameter.KEYWORD_ONLY
        before, after = (
            [each.replace(kind=kind, annotation=own[each.name]) for each in part] for part in (first, last)
        )
        shown = [*before, *options, *after]
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        called.__annotations__ = {each.name: each.annotation for each in shown}
        called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        return called

    return wrap


def _default(field: Any) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
