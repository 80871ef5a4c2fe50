"""Read Word documents and PowerPoint slides: headings, paragraphs and tables in order, a page for every slide."""

import re
from typing import Any

from levers.knowledge.optional import need
from levers.knowledge.reading import Unreadable, Writer, bars, open_package
from levers.knowledge.records import BlockKind, Parsed

_WRAPPERS = " | ".join(f".//w:{name}" for name in "ins moveTo sdt sdtContent smartTag customXml fldSimple".split())  # noqa: SIM905
_LEFT_OUT = " | ".join(
    (
        ".//w:del | .//w:moveFrom | .//w:tr[w:trPr/w:del]",  # deleted in a tracked change
        ".//w:sdt[w:sdtPr/w:showingPlcHdr]",  # "Click here to enter text"
        ".//w:sdt[w:sdtPr/w:docPartObj/w:docPartGallery/@w:val='Table of Contents']",
    )
)
# A drawing is written twice: as it is now, and as a fallback for older programs.
_BOXES = ".//w:txbxContent[not(ancestor::*[local-name()='Fallback'])]"
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


def read_docx(data: bytes) -> Parsed:
    """Read a Word document. Headings are paragraphs of the styles Title and Heading 1 to 9 or with an outline level.

    Tracked changes count as accepted: what they insert is read, what they delete is not. A text box is read after the
    paragraph that it is anchored to.
    """
    package = open_package(data, ".docx")
    docx = need("docx", "python-docx")
    writer = Writer()
    try:
        document = docx.Document(package)
        _unwrap(document.element.body)
        for item in document.iter_inner_content():
            if hasattr(item, "rows"):
                writer.write(_table(item), "table")
            elif level := _level(item):
                writer.heading(item.text, level)
            else:
                writer.write(_lines(item.text))
        title = str(document.core_properties.title or "")
    except Unreadable:
        raise
    except Exception as error:  # the parts of a package may contradict each other in any way
        raise _damaged(".docx", error) from error
    parsed = writer.done()
    return parsed if parsed.title else parsed.model_copy(update={"title": title.strip() or None})


def read_pptx(data: bytes) -> Parsed:
    """Read slides: a page and a heading for each, its texts and tables from top to bottom, then its notes."""
    package = open_package(data, ".pptx")
    pptx = need("pptx", "python-pptx")
    writer = Writer()
    try:
        slides = pptx.Presentation(package)
        for number, slide in enumerate(slides.slides, start=1):
            writer.page()
            title = slide.shapes.title
            named = title.text_frame.text if title is not None and title.has_text_frame else ""
            own = None if title is None else title.shape_id
            shown = [_shape(shape) for shape in _in_order(slide.shapes) if shape.shape_id != own]
            if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
                shown.append((_lines(slide.notes_slide.notes_text_frame.text), "text"))
            if named.strip() or any(text.strip() for text, _ in shown):
                writer.heading(named if named.strip() else f"Slide {number}", 2)
            for text, kind in shown:
                writer.write(text, kind)
        title = str(slides.core_properties.title or "").strip()
    except Unreadable:
        raise
    except Exception as error:  # as above
        raise _damaged(".pptx", error) from error
    return writer.done(title or None)


def _in_order(shapes: Any) -> list[Any]:
    """Return the shapes of a slide, those in groups included, from top to bottom and left to right."""
    found: list[Any] = []
    for shape in shapes:
        found += _in_order(shape.shapes) if hasattr(shape, "shapes") else [shape]
    return sorted(found, key=lambda shape: (shape.top or 0, shape.left or 0))


def _shape(shape: Any) -> tuple[str, BlockKind]:
    """Return what a shape shows and its kind; no text where it is a picture."""
    if getattr(shape, "has_table", False) and shape.has_table:
        return _table(shape.table), "table"
    return _lines(shape.text_frame.text) if shape.has_text_frame else "", "text"


def _unwrap(body: Any) -> None:
    """Put what python-docx passes over, such as content controls and text boxes, where it looks for text."""
    for element in body.xpath(_LEFT_OUT):
        if element.getparent() is not None:
            element.getparent().remove(element)
    for box in reversed(body.xpath(_BOXES)):
        paragraph = next(box.iterancestors("{*}p"))
        for block in reversed(list(box)):
            paragraph.addnext(block)
    for element in body.xpath(_WRAPPERS):
        parent = element.getparent()
        at = parent.index(element)
        parent[at : at + 1] = list(element)


def _level(paragraph: Any) -> int:
    """Return a heading's level, 0 for other paragraphs."""
    name = (paragraph.style.name or "") if paragraph.style is not None else ""
    if name.lower() == "title":
        return 1
    found = _HEADING.match(name)
    if found:
        return int(found[1])
    levels = paragraph._p.xpath("./w:pPr/w:outlineLvl/@w:val")
    return int(levels[0]) + 1 if levels and levels[0].isdigit() and int(levels[0]) < 9 else 0


def _table(table: Any) -> str:
    """Return a table as lines between bars; a cell that spans several is written once."""
    lines = []
    for row in table.rows:
        cells: list[str] = []
        last = None
        for cell in row.cells:
            element = getattr(cell, "_tc", None)
            if element is None or element is not last:
                cells.append(_cell(cell))
            last = element
        lines.append(bars(cells))
    return "\n".join(line for line in lines if line)


def _cell(cell: Any) -> str:
    """Return the text of a table's cell, with that of the tables inside it."""
    if not hasattr(cell, "iter_inner_content"):
        return str(getattr(cell, "text", ""))
    inner = cell.iter_inner_content()
    return " ".join(_table(item).replace("|", " ") if hasattr(item, "rows") else item.text for item in inner)


def _lines(text: str) -> str:
    return "\n".join(line for each in re.split(r"[\n\v\r]", text) if (line := each.strip()))


def _damaged(kind: str, error: Exception) -> Unreadable:
    reason = str(error).split("\n", 1)[0][:120] or type(error).__name__
    return Unreadable(f"a damaged {kind} file ({reason})", f"a {kind} file", "save or fetch it again")
