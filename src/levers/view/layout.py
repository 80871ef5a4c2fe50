"""How the terminal's tables are laid out: plain grids, names and values, parts with space between."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.protocol import rich_cast
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from levers.view.words import plain


class PlainConsole(Console):
    """A console that sets every text as it is: no markup, no emoji codes, and no control character reaches it."""

    def __init__(self, **told: Any) -> None:
        """Take what rich's console takes."""
        super().__init__(markup=False, emoji=False, highlight=False, **told)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments of what is shown. Every text of a table or group comes through here too."""
        shown = rich_cast(renderable)
        if isinstance(shown, str):
            shown = plain(shown)
        elif isinstance(shown, Text):
            shown = shown.copy()
            shown.plain = plain(shown.plain)
        return super().render(shown, options)


def styled(text: str, style: str = "") -> Text:
    """Return a text of one style; markup in it does nothing."""
    return Text(plain(text), style=style)


def grid(*columns: str) -> Table:
    """Return a plain table with these columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def pairs(*rows: tuple[str, str]) -> Table:
    """Return names and values side by side."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, styled(value))
    return table


def spaced(*parts: RenderableType) -> Group:
    """Return parts with an empty line between them."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts[:-1]), parts[-1])
