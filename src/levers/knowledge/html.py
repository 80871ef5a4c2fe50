"""Extract the text of HTML with its headings and tables; block spans point into the extracted text."""

from typing import Any

from levers.knowledge.optional import need
from levers.knowledge.records import Block, BlockKind

_SKIPPED = frozenset(
    "script style template noscript nav svg head iframe object canvas button select -comment".split()  # noqa: SIM905
)
_BLOCKS = frozenset(
    "address article aside blockquote body dd details dialog div dl dt fieldset figcaption figure footer "  # noqa: SIM905
    "form header hr html li main ol p section summary ul".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def html_blocks(source: str) -> tuple[str, tuple[Block, ...], str | None]:
    """Return the extracted text, its blocks and the page's title, if it has one."""
    tree = need("selectolax.lexbor", "selectolax").LexborHTMLParser(source)
    title = tree.css_first("head > title")
    words = " ".join(title.text().split()) if title is not None else ""
    writer = _Writer()
    if tree.body is not None:
        _walk(tree.body, writer)
        writer.flush()
    return "".join(writer.parts), tuple(writer.blocks), words or None


class _Writer:
    """Collects inline text until a block ends, then writes it down with its span."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.blocks: list[Block] = []
        self.length = 0
        self.inline: list[str] = []

    def flush(self) -> None:
        """End the running paragraph; a line break inside it is kept."""
        lines = (" ".join(line.split()) for line in "".join(self.inline).split("\0"))
        self.inline.clear()
        self.write("\n".join(line for line in lines if line), "text")

    def write(self, text: str, kind: BlockKind, level: int = 0) -> None:
        """Write one block behind a blank line."""
        if not text.strip():
            return
        gap = "\n\n" if self.length else ""
        start = self.length + len(gap)
        self.parts += [gap, text]
        self.length = start + len(text)
        self.blocks.append(Block(kind=kind, start=start, end=self.length, level=level, title=text if level else ""))


def _walk(root: Any, writer: _Writer) -> None:
    """Visit nodes in document order without recursion: pages may nest deeper than Python's stack."""
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, leaving = stack.pop()
        tag = node.tag
        if leaving:
            writer.flush()
        elif tag == "-text":
            writer.inline.append(node.text_content.replace("\0", " ") if node.text_content else "")
        elif tag == "br":
            writer.inline.append("\0")
        elif tag in _HEADINGS:
            writer.flush()
            writer.write(" ".join(node.text(deep=True, separator=" ").split()), "heading", _HEADINGS[tag])
        elif tag == "table":
            writer.flush()
            writer.write(_table(node), "table")
        elif tag == "pre":
            writer.flush()
            writer.write(node.text(deep=True).strip("\r\n"), "code")
        elif tag not in _SKIPPED:
            if tag in _BLOCKS:
                writer.flush()
                stack.append((node, True))
            stack.extend((child, False) for child in reversed(list(node.iter(include_text=True))))


def _table(table: Any) -> str:
    """Return a table as lines of cells between bars."""
    rows = []
    for row in table.css("tr"):
        found = (cell for cell in row.iter() if cell.tag in ("td", "th"))
        cells = [" ".join(cell.text(deep=True, separator=" ").split()) for cell in found]
        if any(cells):
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
