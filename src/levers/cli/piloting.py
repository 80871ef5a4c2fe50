"""`levers pilot`: what growing parts of the examples reach, and what more of them would bring."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from levers import verbs
from levers.cli.console import DONE, NO, emit, guarded
from levers.cli.settings import read_settings
from levers.errors import Problem, UserError
from levers.tuning.pilot import SHARES, Forecast, Needed, Piloted
from levers.view import Progress


def pilot(
    lever: Annotated[str, typer.Argument(help="The lever to try: tune.")] = "tune",
    shares: Annotated[str, typer.Option(help="Parts of the examples, four at least.")] = ",".join(map(str, SHARES)),
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting, key=value; repeatable.")] = None,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="A stack's digest, or `start`.")] = None,
    project: Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")] = False,
) -> None:
    """Tune on growing parts of the examples; forecast what all, and more, would bring. Exit code 1: no gain."""
    with guarded(as_json), Progress() as progress:
        given = read_settings(settings or [])
        found = verbs.pilot(verbs.load(project, progress), lever, given, stack, _shares(shares))
    emit(as_json, lambda: shape(found), lambda: piloted(found))
    raise typer.Exit(DONE if found.whole.high > found.untuned else NO)


def _shares(text: str) -> list[float]:
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        expected = "shares such as 0.1,0.2,0.3,0.4"
        raise UserError(Problem(file="--shares", found=repr(text), expected=expected)) from None


def shape(found: Piloted) -> dict[str, Any]:
    """Return what `--json` prints."""
    figures: dict[str, Any] = found.model_dump(mode="json")
    figures |= {"whole": found.whole.model_dump(), "twice": found.twice.model_dump()}
    wanted = {"gain": found.untuned, **({} if found.target is None else {"target": found.target})}
    return {**figures, "needed": {name: found.needed(share).model_dump() for name, share in wanted.items()}}


def piloted(found: Piloted) -> RenderableType:
    """Say what each part reached and what is foreseen."""
    table = Table("examples", "right on dev", box=None)
    table.add_row("0", f"{found.untuned:.1%}")
    for point in found.points:
        table.add_row(f"{point.examples:,}", f"{point.right:.1%}")
    lines = [_foreseen(found.whole), _foreseen(found.twice)]
    if found.target is not None:
        lines.append(_wanted(found.needed(found.target), found.furthest))
    return Group(table, Text("\n".join(lines)))


def _foreseen(each: Forecast) -> str:
    return f"forecast: {each.examples:,} examples would reach {each.right:.1%} ({each.low:.1%} to {each.high:.1%})"


def _wanted(each: Needed, furthest: int) -> str:
    if each.examples is None:
        return f"{each.target:.0%} is not foreseen within {furthest:,} examples"
    high = "more than can be foreseen" if each.high is None else f"{each.high:,}"
    return f"{each.target:.0%} would take {each.examples:,} examples ({each.low or 1:,} to {high})"
