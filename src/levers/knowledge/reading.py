"""What all readers of files share: the text they write with its blocks, and the one way to say a file is unreadable."""

import io
import re
import zipfile
from collections.abc import Iterable

from levers.knowledge.records import Block, BlockKind, Parsed

LARGEST_TEXT = 20_000_000  # characters of one document; more is a data set, not a document
_LARGEST_UNPACKED = 400_000_000  # bytes in a zipped office file: beyond it is a bomb or a film
_SUSPICIOUS_RATIO = 200  # unpacked over packed bytes; XML packs to a tenth
_SURROGATE = re.compile("[\ud800-\udfff]")


class Unreadable(Exception):
    """A file cannot be read: what was found, what was expected, what to do about it, on which line (from 1)."""

    def __init__(self, found: str, expected: str = "", hint: str = "", line: int | None = None) -> None:
        """Keep the words of the problem that this becomes."""
        super().__init__(found)
        self.found, self.expected, self.hint, self.line = whole(found), expected, hint, line


class Writer:
    """Collects blocks of extracted text, a blank line between them, and remembers their spans and where pages start."""

    def __init__(self) -> None:
        """Start with nothing written."""
        self._parts: list[str] = []
        self._blocks: list[Block] = []
        self._pages: list[int] = []
        self._length = 0

    def page(self) -> None:
        """Begin the next page; what is written from here on stands on it."""
        self._pages.append(self._length + 2 if self._length else 0)

    def write(self, text: str, kind: BlockKind = "text", level: int = 0) -> None:
        """Write one block; a text without any letter or sign is left out."""
        text = whole(text)
        if not text.strip():
            return
        gap = "\n\n" if self._length else ""
        start = self._length + len(gap)
        self._parts += [gap, text]
        self._length = start + len(text)
        if self._length > LARGEST_TEXT:
            raise Unreadable(f"more than {LARGEST_TEXT:,} characters", "a document", "split the file")
        title = text if level else ""
        self._blocks.append(Block(kind=kind, start=start, end=self._length, level=level, title=title))

    def heading(self, text: str, level: int) -> None:
        """Write a heading of level 1 to 6, on one line."""
        self.write(one_line(text), "heading", min(max(level, 1), 6))

    def done(self, title: str | None = None) -> Parsed:
        """Return what was written."""
        text, blocks = "".join(self._parts), tuple(self._blocks)
        named = whole(title or "") or first_title(blocks)
        return Parsed(text=text, blocks=blocks, title=named, pages=tuple(self._pages))


def first_title(blocks: Iterable[Block]) -> str | None:
    """Return the first heading of the first level, or None."""
    return next((block.title for block in blocks if block.level == 1), None) or None


def whole(text: str) -> str:
    """Return the text with halves of characters joined, or replaced by U+FFFD where the other half is missing.

    UTF-16 writes a character beyond U+FFFF in two halves. PDF and the escapes of JSON and YAML can name each alone, and
    no file can hold one.
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


def bars(cells: Iterable[str]) -> str:
    """Return a table's row as text: cells between bars, empty when no cell holds anything."""
    found = [one_line(cell) for cell in cells]
    return "| " + " | ".join(found) + " |" if any(found) else ""


def labelled(names: Iterable[str], cells: Iterable[str]) -> str:
    """Return a row of a data table that explains itself: `| name: Tent | price: 4 |`, empty cells left out."""
    pairs = ((one_line(name), one_line(cell)) for name, cell in zip(names, cells, strict=False))
    found = [f"{name}: {cell}" if name else cell for name, cell in pairs if cell]
    return "| " + " | ".join(found) + " |" if found else ""


def open_package(data: bytes, kind: str) -> io.BytesIO:
    """Check a zipped office file before a library opens it: whole, unharmed, not encrypted, no bomb."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):  # the old container: Office wraps encrypted files in it
        raise Unreadable(
            f"an encrypted or old {kind} file", f"a {kind} file", "save it without a password, as new format"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            size = sum(entry.file_size for entry in package.infolist())
            if size > _LARGEST_UNPACKED or size > max(len(data), 100_000) * _SUSPICIOUS_RATIO:
                raise Unreadable(f"{size:,} bytes packed into {len(data):,}", "a document", "is this a zip bomb?")
            if any(entry.flag_bits & 1 for entry in package.infolist()):
                raise Unreadable(f"an encrypted {kind} file", f"a {kind} file", "save it without a password")
            harmed = package.testzip()
    except Unreadable:
        raise
    except Exception as error:  # zipfile raises whatever its decoders meet in damaged bytes
        raise Unreadable(f"a damaged or cut {kind} file", f"a {kind} file", "save or fetch it again") from error
    if harmed:
        raise Unreadable(f"a damaged {kind} file ({harmed})", f"a {kind} file", "save or fetch it again")
    return io.BytesIO(data)
