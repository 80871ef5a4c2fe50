"""Make real files of every kind, in memory; and damage them."""

import io
import json
import random
import zlib

import docx
import openpyxl
import pptx

STORY = "The tent weighs two kilos and keeps dry in heavy rain."


def make_pdf(
    pages: list[list[tuple[int, str]]], password: bool = False, meant: dict[str, str] | None = None, title: bytes = b""
) -> bytes:
    """A PDF by hand: for each page, lines of (letter size, text), compressed as real ones are.

    `meant` says in hexadecimal UTF-16 what a letter stands for; `title` is the hexadecimal UTF-16 of the file's own.
    """
    objects: list[bytes] = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    if meant:
        pairs = "".join(f"<{ord(letter):02x}> <{code}> " for letter, code in meant.items())
        told = f"begincmap 1 begincodespacerange <00> <FF> endcodespacerange {len(meant)} beginbfchar {pairs}endbfchar"
        told = f"/CIDInit /ProcSet findresource begin 12 dict begin {told} endcmap end end"
        objects[2] = objects[2][:-2] + b"/ToUnicode 4 0 R>>"
        objects.append(f"<</Length {len(told)}>>stream\n{told}\nendstream".encode())
    kids = []
    for lines in pages:
        drawn, foot = [], 740
        for size, text in lines:
            escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            drawn.append(f"BT /F1 {size} Tf 72 {foot} Td ({escaped}) Tj ET")
            foot -= round(size * 1.3) if text else 20
        stream = zlib.compress("\n".join(drawn).encode("latin-1"))
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream))
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects)} 0 R"
        objects.append(f"{page}/Resources<</Font<</F1 3 0 R>>>>>>".encode())
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>".encode()
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    locked = "/Encrypt<</Filter/Standard/V 1/R 2/O<" + "00" * 32 + ">/U<" + "11" * 32 + ">/P -4>>/ID[<00><00>]"
    named = f"/Info<</Title<{title.decode()}>>>" if title else ""
    trailer = f"trailer<</Size {len(objects) + 1}/Root 1 0 R{named}{locked if password else ''}>>\n"
    return out + f"{trailer}startxref\n{start}\n%%EOF\n".encode()


def make_docx() -> bytes:
    document = docx.Document()
    document.add_heading("Tents", 1)
    document.add_paragraph(STORY)
    document.add_heading("Sizes", 2)
    table = document.add_table(2, 2)
    for row, cells in zip(table.rows, [("Model", "Weight"), ("Fjell", "2 kg")], strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_paragraph("Poles are sold apart.")
    return saved(document)


def make_pptx() -> bytes:
    slides = pptx.Presentation()
    for title, body in (("Tents", STORY), ("Boots", "Boots are waxed by hand.")):
        slide = slides.slides.add_slide(slides.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    slide.notes_slide.notes_text_frame.text = "Say that wax is extra."
    frame = slide.shapes.add_table(2, 2, 0, 5_000_000, 3_000_000, 900_000)
    for at, text in enumerate(("Boot", "Price", "Alm", "90")):
        frame.table.cell(at // 2, at % 2).text = text
    return saved(slides)


def make_xlsx() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Stock"
    for row in (["Model", "Weight", "Price"], ["Fjell", 2.0, 199.5], ["Dal", None, 99]):
        book.active.append(row)
    book.create_sheet("Empty")
    return saved(book)


def make_all() -> dict[str, bytes]:
    """One good file of every kind, each with words of STORY in it."""
    rows = [{"id": at, "title": f"Tent {at}", "text": STORY, "price": 10 * at} for at in range(1, 4)]
    return {
        "md": f"# Zelte für Ålesund\n\n{STORY}\n\n## Größe\n\nGroß genug für drei.\n".encode(),
        "txt": f"Zelte für Ålesund\n\n{STORY}\n".encode(),
        "html": f"<meta charset=utf-8><h1>Zelte für Ålesund</h1><p>{STORY}</p>".encode(),
        "csv": ("name,text,price\n" + "".join(f'Tent {at},"{STORY}",{at}\n' for at in range(9))).encode(),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "pdf": make_pdf([[(18, "Tents"), (11, STORY)], [(11, "Second page of the tents.")]]),
        "docx": make_docx(),
        "pptx": make_pptx(),
        "xlsx": make_xlsx(),
    }


def saved(item) -> bytes:
    out = io.BytesIO()
    item.save(out)
    return out.getvalue()


def damage(data: bytes, kind: str, chance: random.Random) -> bytes:
    """Cut a file, or write noise over or into it. A text cut between two letters would be another good text."""
    binary = kind in ("pdf", "docx", "pptx", "xlsx")
    if chance.random() < 0.5 and binary:
        return data[: chance.randrange(1, len(data) - 40)]
    if chance.random() < 0.5 and kind in ("csv", "jsonl"):
        return data[: data.index(b"kilos", chance.randrange(len(data) // 2))]
    if chance.random() < 0.3 and kind in ("md", "txt", "html"):
        return data[: data.index("Å".encode()) + 1]
    noise = bytes(chance.randrange(256) for _ in range(48)) + b"\0\x01\xff"
    at = chance.randrange(len(data) - 60)
    return data[:at] + noise + data[at + (len(noise) if binary else 0) :]
