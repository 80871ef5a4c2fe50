"""How the terminal's tables are laid out: plain grids, names and values, parts with space between."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from levers.view.words import plain


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
