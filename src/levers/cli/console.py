"""How every verb ends: JSON or a table on stdout, problems on stderr, an exit code that scripts can trust."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import RenderableType

from levers.errors import LeversError, UserError
from levers.view.layout import PlainConsole

DONE, NO, MEND, INTERRUPTED = 0, 1, 2, 130
GOES_ON = "what is finished is kept, the same command goes on from there"

out = PlainConsole()
err = PlainConsole(stderr=True)


def emit(
    as_json: bool, shape: Callable[[], dict[str, Any]], table: Callable[[], RenderableType], whole: bool = False
) -> None:
    """Print the result: its JSON shape, or a table for people. `whole` breaks no line, so that grep finds its end."""
    if as_json:
        sys.stdout.write(json.dumps(_bounded(shape()), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        out.print(table(), soft_wrap=whole)


def _bounded(value: Any) -> Any:
    """Put null where a number has no bound, as the spread of a single source of cases: JSON has no word for it."""
    if isinstance(value, dict):
        return {key: _bounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def guarded(as_json: bool = False, interrupted: str = GOES_ON) -> Iterator[None]:
    """Turn errors raised on purpose into messages and exit codes; anything else is a bug and shows itself.

    `interrupted` says what a repeated command does, unless the interrupt itself carries words.
    """
    try:
        yield
    except UserError as error:
        _complain(error, as_json)
        raise typer.Exit(MEND) from None
    except LeversError as error:
        _tell(Exception.__str__(error), error.hint, as_json)
        raise typer.Exit(MEND) from None
    except BrokenPipeError:
        raise  # whoever read the output has seen enough: typer ends quietly
    except OSError as error:  # a full disk, a folder where a file belongs, no right to write
        _tell(f"{error.filename or 'the system'}: {error.strerror or error}", "", as_json)
        raise typer.Exit(MEND) from None
    except KeyboardInterrupt as stopped:
        err.print(f"\ninterrupted; {str(stopped) or interrupted}", style="yellow", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def _complain(error: UserError, as_json: bool) -> None:
    if as_json:
        problems = [problem.model_dump(mode="json") for problem in error.problems]
        sys.stdout.write(json.dumps({"problems": problems}, indent=2, ensure_ascii=False) + "\n")
    count = len(error.problems)
    err.print(f"{count} problem{'s' if count != 1 else ''} to mend:", style="red")
    for problem in error.problems:
        err.print(str(problem), soft_wrap=True)


def _tell(error: str, hint: str, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"error": error, "hint": hint}, indent=2, ensure_ascii=False) + "\n")
    err.print(f"error: {error}" + (f"\n  hint: {hint}" if hint else ""), style="red", soft_wrap=True)
