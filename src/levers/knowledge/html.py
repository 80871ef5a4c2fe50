"""Extract the text of HTML with its headings and tables; block spans point into the extracted text."""

from typing import Any

from levers.knowledge.optional import need
from levers.knowledge.reading import Writer, bars, one_line
from levers.knowledge.records import Parsed

_SKIPPED = frozenset(
    "script style template noscript nav svg head iframe object canvas button select -comment".split()  # noqa: SIM905
)
_BLOCKS = frozenset(
    "address article aside blockquote body dd details dialog div dl dt fieldset figcaption figure footer "  # noqa: SIM905
    "form header hr html li main ol p section summary ul".split()
)
_APART = _BLOCKS | frozenset("br td th tr table caption pre h1 h2 h3 h4 h5 h6 img".split())  # noqa: SIM905
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def read_html(source: str) -> Parsed:
    """Return the extracted text, its blocks and the page's title, if it has one, else the first heading."""
    tree = need("selectolax.lexbor", "selectolax").LexborHTMLParser(source)
    title = tree.css_first("head > title")
    page = _Page()
    if tree.body is not None:
        _walk(tree.body, page)
        page.flush()
    return page.writer.done(one_line(title.text()) if title is not None else None)


class _Page:
    """Collects inline text until a block ends, then writes it down."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.inline: list[str] = []

    def flush(self) -> None:
        """End the running paragraph; a line break inside it is kept."""
        lines = (one_line(line) for line in "".join(self.inline).split("\0"))
        self.inline.clear()
        self.writer.write("\n".join(line for line in lines if line))


def _walk(root: Any, page: _Page) -> None:
    """Visit nodes in document order without recursion: pages may nest deeper than Python's stack."""
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, leaving = stack.pop()
        tag = node.tag
        if leaving:
            page.flush()
        elif tag == "-text":
            page.inline.append(node.text_content.replace("\0", " ") if node.text_content else "")
        elif tag == "br":
            page.inline.append("\0")
        elif tag in _HEADINGS:
            page.flush()
            page.writer.heading(_text(node), _HEADINGS[tag])
        elif tag == "table":
            page.flush()
            _table(node, page.writer)
        elif tag == "pre":
            page.flush()
            page.writer.write(node.text(deep=True).strip("\r\n"), "code")
        elif tag not in _SKIPPED:
            if tag in _BLOCKS:
                page.flush()
                stack.append((node, True))
            stack.extend((child, False) for child in reversed(list(node.iter(include_text=True))))


def _table(table: Any, writer: Writer) -> None:
    """Write a table's caption, then the table as lines of cells between bars."""
    rows = []
    for caption in (each for each in table.iter() if each.tag == "caption"):
        writer.write(_text(caption))
    groups = (each for each in table.iter() if each.tag in ("thead", "tbody", "tfoot"))
    for group in groups:  # the parser puts every row into one; rows of a table in a cell are that cell's text
        for row in (each for each in group.iter() if each.tag == "tr"):
            found = (cell for cell in row.iter() if cell.tag in ("td", "th"))
            rows.append(bars(_text(cell) for cell in found))
    writer.write("\n".join(row for row in rows if row), "table")


def _text(root: Any) -> str:
    """Return the text of a heading or cell on one line: words stay whole where only their letters' look changes."""
    parts: list[str] = []
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node.tag == "-text":
            parts.append(node.text_content or "")
        elif node.tag not in _SKIPPED:
            apart = node.tag in _APART
            parts.append(" " if apart else "")
            stack.append(" " if apart else "")
            stack.extend(reversed(list(node.iter(include_text=True))))
    return one_line("".join(parts))
