"""Read PDF: text by page, headings by the size of their letters, paragraphs by the gaps between lines."""

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from levers.knowledge.optional import need
from levers.knowledge.reading import Unreadable, Writer, one_line
from levers.knowledge.records import Parsed

_HEADING_FROM = 1.15  # times the commonest letter size
_HEADING_WORDS = 16  # a longer line is large print, not a heading
_PARAGRAPH_GAP = 1.6  # times the letter size, from one line's foot to the next's
_NUMBERED = re.compile(r"[0-9]+(?:\.[0-9]+)*[.)]?\s")  # begins a heading
_PUNCTUATED = (".", ",", ";", ":")


class _Line(NamedTuple):
    text: str
    size: float
    foot: float  # points from the bottom of the page


def read_pdf(data: bytes) -> Parsed:
    """Read a PDF with its pages. Tables come as lines of text: PDF does not say which lines are a table."""
    _whole(data)
    pdfium = need("pypdfium2")
    raw = need("pypdfium2.raw", "pypdfium2")
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise Unreadable(f"a damaged PDF ({error})", "a PDF", "save or fetch it again") from error
    try:
        pages = [_lines(page, raw) for page in document]
        named = _title(document)
    except pdfium.PdfiumError as error:
        raise Unreadable(f"a damaged PDF ({error})", "a PDF", "save or fetch it again") from error
    finally:
        document.close()
    if pages and not any(pages):
        raise Unreadable("pages without text: a scan?", "a PDF with text", "run text recognition over it, then save it")
    writer = Writer()
    sizes = _sizes(pages)
    for lines in pages:
        writer.page()
        for kind, text, level in _parts(lines, sizes):
            writer.heading(text, level) if kind == "heading" else writer.write(text)
    return writer.done(None if any(sizes[1:]) else named or None)


def _whole(data: bytes) -> None:
    """Refuse what is cut or harmed: PDF readers mend such files silently and lose text on the way."""
    pikepdf = need("pikepdf")
    mend = "open it in a viewer and save it again, or fetch it again"
    try:
        with pikepdf.open(io.BytesIO(data), attempt_recovery=False) as document:
            faults = document.check_pdf_syntax()
    except pikepdf.PasswordError as error:
        raise Unreadable("an encrypted PDF", "a PDF without a password", "save it without one") from error
    except Exception as error:  # damaged bytes fail in many places
        raise Unreadable(f"a damaged or cut PDF ({_reason(error)})", "a PDF", mend) from error
    if faults:
        raise Unreadable(f"a damaged PDF ({_reason(faults[0])})", "a PDF", mend)


def _title(document: Any) -> str:
    """Return the title that the file gives itself, empty where its letters are damaged."""
    try:
        return str(document.get_metadata_value("Title")).strip()
    except UnicodeDecodeError:
        return ""


def _reason(said: object) -> str:
    """Return the checker's complaint in one line, without the name it gave the file."""
    return one_line(str(said)).rpartition("BytesIO")[2].split(": ", 1)[-1].strip(" :>")[:120]


def _lines(page: Any, raw: Any) -> list[_Line]:
    """Return the lines of a page with the letter size and foot of each; hyphens at line ends are undone."""
    text = page.get_textpage()
    try:
        lines: list[_Line] = []
        letters: list[str] = []
        first = -1
        count = text.count_chars()
        for at in range(count):
            letter = chr(raw.FPDFText_GetUnicode(text, at))
            if letter in "\r\n":
                if letter == "\n":
                    _end(lines, letters, first, text, raw)
                    letters, first = [], -1
                continue
            if first < 0 and not letter.isspace():
                first = at
            letters.append(letter)
        _end(lines, letters, first, text, raw)
        return lines
    finally:
        text.close()
        page.close()


def _end(lines: list[_Line], letters: list[str], first: int, text: Any, raw: Any) -> None:
    if first < 0:
        return
    words = " ".join("".join(letters).split()).replace("\0", "").replace("\ufffe", "\x02")
    box = text.get_charbox(first)
    lines.append(_Line(words, round(float(raw.FPDFText_GetFontSize(text, first)), 1), float(box[1])))


def _sizes(pages: list[list[_Line]]) -> list[float]:
    """Return the size of plain text, then the sizes of headings from large to small."""
    counted: Counter[float] = Counter()
    for line in (line for lines in pages for line in lines):
        counted[line.size] += len(line.text)
    plain = counted.most_common(1)[0][0] if counted else 0.0
    return [plain, *sorted((size for size in counted if size >= plain * _HEADING_FROM), reverse=True)[:6]]


def _parts(lines: list[_Line], sizes: list[float]) -> Iterator[tuple[str, str, int]]:
    """Yield the page's headings and paragraphs in order: kind, text, level."""
    paragraph: list[_Line] = []
    for line in _joined(lines, sizes[1:]):
        level = sizes.index(line.size, 1) if line.size in sizes[1:] else 0
        short = len(line.text.split()) <= _HEADING_WORDS and not line.text.endswith(_PUNCTUATED)
        apart = paragraph and not 0 < paragraph[-1].foot - line.foot <= _PARAGRAPH_GAP * max(line.size, 1.0)
        if (level and short) or apart:
            yield from _paragraph(paragraph)
            paragraph = []
        if level and short and any(letter.isalpha() for letter in line.text):
            yield "heading", line.text.replace("\x02", ""), level
        else:
            paragraph.append(line)
    yield from _paragraph(paragraph)


def _joined(lines: list[_Line], sizes: list[float]) -> list[_Line]:
    """Make one line of a heading that runs over several."""
    found: list[_Line] = []
    for line in lines:
        last = found[-1] if found else line
        near = line.size == last.size in sizes and 0 < last.foot - line.foot <= _PARAGRAPH_GAP * line.size
        both = f"{last.text} {line.text}".replace("\x02 ", "")
        fits = len(both.split()) <= _HEADING_WORDS and not last.text.endswith(_PUNCTUATED)
        if near and fits and not _NUMBERED.match(line.text):
            found[-1] = line._replace(text=both)
        else:
            found.append(line)
    return found


def _paragraph(lines: list[_Line]) -> Iterator[tuple[str, str, int]]:
    if lines:
        yield "text", "\n".join(line.text for line in lines).replace("\x02\n", "").replace("\x02", "-"), 0
