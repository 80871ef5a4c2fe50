"""Files of every kind, whole and broken: what is read, where it stands, and what is said about the rest."""

import io
import os
import random
import re
import zipfile
from pathlib import Path

import docx
import openpyxl
import pytest
from docx.oxml import parse_xml
from hypothesis import given
from hypothesis import strategies as st
from knowledge.conftest import HashingEmbedder, write
from knowledge.makers import STORY, damage, make_all, make_docx, make_pdf, make_pptx, make_xlsx, saved

from levers.knowledge import Access, build, chunk, read_library
from levers.knowledge.decode import decode
from levers.knowledge.reading import Unreadable, whole


def read(tmp_path, name: str, content: bytes | str):
    write(tmp_path / "docs", {name: content})
    library = read_library(tmp_path / "docs", "docs")
    assert library.problems == ()
    return library.documents[0]


def parts(document):
    return [(block.kind, block.level, document.text[block.start : block.end]) for block in document.blocks]


def test_pdf_keeps_pages_headings_and_paragraphs(tmp_path):
    pages = [
        [(20, "Tents"), (11, "A tent is light."), (11, "It keeps dry."), (11, ""), (11, "Pitch it early.")],
        [(14, "Care"), (11, "Dry the tent before you pack it.")],
    ]
    document = read(tmp_path, "a.pdf", make_pdf(pages))
    assert parts(document) == [
        ("heading", 1, "Tents"),
        ("text", 0, "A tent is light.\nIt keeps dry."),
        ("text", 0, "Pitch it early."),
        ("heading", 2, "Care"),
        ("text", 0, "Dry the tent before you pack it."),
    ]
    assert document.title == "Tents"
    assert [(each.section, each.heading, each.page) for each in chunk(document)] == [
        ("tents", "Tents", 1),
        ("care", "Tents > Care", 2),
    ]


def test_word_keeps_headings_and_tables_in_their_places(tmp_path):
    document = read(tmp_path, "a.docx", make_docx())
    assert parts(document) == [
        ("heading", 1, "Tents"),
        ("text", 0, STORY),
        ("heading", 2, "Sizes"),
        ("table", 0, "| Model | Weight |\n| Fjell | 2 kg |"),
        ("text", 0, "Poles are sold apart."),
    ]
    assert [each.page for each in chunk(document)] == [None, None]


def test_a_heading_of_two_lines_is_one_and_numbered_ones_are_two(tmp_path):
    pages = [
        [(16, "Returns and"), (16, "refunds"), (11, "Within 30 days."), (16, "1. Fees"), (16, "2. Terms"), (11, STORY)]
    ]
    document = read(tmp_path, "a.pdf", make_pdf(pages))
    assert [text for kind, _, text in parts(document) if kind == "heading"] == [
        "Returns and refunds",
        "1. Fees",
        "2. Terms",
    ]


def test_html_cells_keep_words_whole_and_nested_rows_once(tmp_path):
    page = "<h2>Re<b>fund</b> of <br>fees</h2><table><caption>Prices in EUR</caption>"
    page += "<tr><td>$<span>12</span>.<sup>50</sup><script>x()</script></td><td><p>one</p><p>two</p></td></tr>"
    page += "<tr><td>in</td><td><table><tr><td>a</td><td>b</td></tr></table></td></tr></table>"
    assert parts(read(tmp_path, "a.html", page)) == [
        ("heading", 2, "Refund of fees"),
        ("text", 0, "Prices in EUR"),
        ("table", 0, "| $12.50 | one two |\n| in | a b |"),
    ]


def test_a_field_that_says_what_the_title_says_stays(tmp_path):
    document = read(tmp_path, "a.jsonl", '{"id": 5, "days": 5, "text": "Returns."}\n{}\n')
    assert [text for *_, text in parts(document)] == ["5", "Returns.", "| days: 5 |"]


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RUN = "<w:r><w:t>{}</w:t></w:r>"


def test_word_keeps_what_stands_in_controls_tracked_changes_and_tables_in_tables(tmp_path):
    document = docx.Document()
    body = document.element.body
    said = RUN.format("in ") + f"<w:ins w:id='1'>{RUN.format('30')}</w:ins>"
    said += "<w:del w:id='2'><w:r><w:delText>14</w:delText></w:r></w:del><w:moveFrom w:id='3'>" + RUN.format("x")
    said += f"</w:moveFrom><w:smartTag>{RUN.format(' days')}</w:smartTag>"
    held = f"<w:sdt><w:sdtContent>{RUN.format(' or more')}</w:sdtContent></w:sdt>"
    empty = f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{RUN.format('Click')}</w:sdtContent></w:sdt>"
    paragraph = f"<w:p>{said}{held}{empty}</w:p>"
    body.insert(0, parse_xml(f"<w:sdt {W}><w:sdtContent>{paragraph}</w:sdtContent></w:sdt>"))
    table = document.add_table(1, 2)
    table.cell(0, 0).text = "Fees"
    inner = table.cell(0, 1).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "card", "5 EUR"
    row = f"<w:tr><w:tc><w:p>{RUN.format('Term')}</w:p></w:tc><w:tc><w:p>{RUN.format('1 y')}</w:p></w:tc></w:tr>"
    table._tbl.append(parse_xml(f"<w:sdt {W}><w:sdtContent>{row}</w:sdtContent></w:sdt>"))
    gone = row.replace("<w:tr>", "<w:tr><w:trPr><w:del w:id='4'/></w:trPr>").replace("<w:tr>", f"<w:tr {W}>")
    table._tbl.append(parse_xml(gone))
    assert parts(read(tmp_path, "a.docx", saved(document))) == [
        ("text", 0, "in 30 days or more"),
        ("table", 0, "| Fees | card 5 EUR |\n| Term | 1 y |"),
    ]


def test_word_keeps_what_stands_in_text_boxes_once_and_in_order(tmp_path):
    document = docx.Document()
    body, said = document.element.body, f"<w:p>{RUN}</w:p>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    nested = f"<w:p>{RUN.format('two')}<w:r><w:txbxContent>{said.format('three')}</w:txbxContent></w:r></w:p>"
    new = f"<w:txbxContent>{said.format('one')}{nested}</w:txbxContent>"
    twice = f"<mc:AlternateContent><mc:Choice>{new}</mc:Choice><mc:Fallback>{new}</mc:Fallback></mc:AlternateContent>"
    old = f"<w:pict><w:txbxContent>{said.format('four')}</w:txbxContent></w:pict>"
    body.insert(0, parse_xml(f"<w:p {W} {mc}>{RUN.format('Anchor')}<w:r>{twice}</w:r><w:r>{old}</w:r></w:p>"))
    body.insert(1, parse_xml(f"<w:p {W}>{RUN.format('After')}</w:p>"))
    assert [text for *_, text in parts(read(tmp_path, "a.docx", saved(document)))] == [
        *("Anchor", "one", "two", "three", "four", "After"),
    ]


def test_a_sheet_is_read_whole_whatever_size_it_says_it_has(tmp_path):
    book = openpyxl.Workbook()
    for row in (["sku", "name", "note"], ["A1", "Fjell"], ["A2", "Alm", "new"]):
        book.active.append(row)
    whole, wrong = io.BytesIO(saved(book)), io.BytesIO()
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(wrong, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'ref="A1:C3"', b'ref="A1:B2"'))
    document = read(tmp_path, "a.xlsx", wrong.getvalue())
    assert [text for *_, text in parts(document)][1:] == [
        "| sku: A1 | name: Fjell |",
        "| sku: A2 | name: Alm | note: new |",
    ]


def test_slides_are_pages_with_titles_tables_and_notes(tmp_path):
    document = read(tmp_path, "a.pptx", make_pptx())
    assert parts(document) == [
        ("heading", 2, "Tents"),
        ("text", 0, STORY),
        ("heading", 2, "Boots"),
        ("text", 0, "Boots are waxed by hand."),
        ("table", 0, "| Boot | Price |\n| Alm | 90 |"),
        ("text", 0, "Say that wax is extra."),
    ]
    assert [(each.page, each.section) for each in chunk(document)] == [(1, "tents"), (2, "boots")]


def test_rows_of_data_explain_themselves(tmp_path):
    sheet = read(tmp_path / "x", "a.xlsx", make_xlsx())
    assert parts(sheet) == [
        ("heading", 2, "Stock"),
        ("table", 0, "| Model: Fjell | Weight: 2 | Price: 199.5 |"),
        ("table", 0, "| Model: Dal | Price: 99 |"),
    ]
    semicolons = read(tmp_path / "c", "a.csv", '\ufeffName;Note\nFjell;"light; dry"\n\nDal;\n'.encode())
    assert [text for *_, text in parts(semicolons)] == ["| Name: Fjell | Note: light; dry |", "| Name: Dal |"]
    lines = '{"title": "Fjell", "text": "Light.\\n\\nDry.", "price": 9}\n\n{"price": {"eur": 4}}\n'
    assert parts(read(tmp_path / "j", "a.jsonl", lines)) == [
        ("heading", 2, "Fjell"),
        ("text", 0, "Light."),
        ("text", 0, "Dry."),
        ("table", 0, "| price: 9 |"),
        ("heading", 2, "Row 3"),
        ("table", 0, '| price: {"eur": 4} |'),
    ]


def test_a_quote_inside_quotes_may_come_late(tmp_path):
    rows = "".join(f'item {at},"plain text of it, number {at}"\n' for at in range(800))
    document = read(tmp_path, "a.csv", f'name,desc\n{rows}last,"say ""hi"", there"\n')
    assert parts(document)[-1][2] == '| name: last | desc: say "hi", there |'


@pytest.mark.parametrize(
    ("table", "last"),
    [
        ("name,size\nTent,'L'\nBoots,'M'\nRope,\"10 m, red\"\n", "| name: Rope | size: 10 m, red |"),
        ('name,note\nFjell,a \'big\' tent\nRope,"10 m ""red"""\n', '| name: Rope | note: 10 m "red" |'),
        ("name,note\nTent,'light; dry'\nLamp,'gas; oil'\n", "| name: Lamp | note: 'gas; oil' |"),
        ("a;b\n1;2,50\n\n4;5;6\n", None),
        ('name, note\nTent, "light, dry"\n', "| name: Tent | note: light, dry |"),
        ('name,note\nTent, "light" and dry\n', '| name: Tent | note: "light" and dry |'),
        ("name\tnote\nTent\t5\" wide, 3' long\n", "| name: Tent | note: 5\" wide, 3' long |"),
        ("note\nlight; dry\nwarm\n", "| note: warm |"),
        ("name;price in EUR, net\nTent;10,50\nRope;7,25\n", "| name: Rope | price in EUR, net: 7,25 |"),
    ],
)
def test_only_double_quotes_quote_and_every_row_has_as_many_cells(tmp_path, table, last):
    write(tmp_path / "docs", {"a.csv": table})
    library = read_library(tmp_path / "docs", "docs")
    if last is None:
        assert [problem.line for problem in library.problems] == [4]
    else:
        assert library.problems == () and parts(library.documents[0])[-1][2] == last


def test_a_cell_may_hold_a_whole_document(tmp_path):
    long = "word " * 40_000
    document = read(tmp_path, "a.csv", f'name,text\nlong,"{long}"\nshort,one\n')
    assert parts(document)[0][2] == f"| name: long | text: {long.strip()} |"


def test_every_chunk_of_every_kind_is_an_exact_span(tmp_path):
    write(tmp_path / "docs", {f"good.{kind}": content for kind, content in make_all().items()})
    library = read_library(tmp_path / "docs", "docs")
    assert library.problems == () and len(library.documents) == 9
    for document in library.documents:
        assert all(each.text == document.text[each.start : each.end] for each in chunk(document))
        assert STORY in document.text or document.id.endswith("xlsx")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Le café de la gare est fermé à Noël, dit-il. Il coûte 3 € « net », voilà.", "cp1252"),
        ("Предложение действует до конца месяца, доставка бесплатная по всей стране.", "cp1251"),
        ("この製品の保証期間は購入日から一年間です。修理は無料で行います。", "shift_jis"),
    ],
)
def test_encodings_are_found_and_said(tmp_path, text, encoding):
    assert decode(text.encode(encoding)).text == text
    write(tmp_path / "docs", {"a.txt": text.encode(encoding), "b.txt": text})
    library = read_library(tmp_path / "docs", "docs")
    assert [document.text for document in library.documents] == [text, text]
    assert len(library.notes) == 1 and library.notes[0].startswith("docs/a.txt: read as ")


def test_encodings_that_are_marked_or_declared():
    assert decode("für".encode("utf-16")).text == "für" == decode("\ufefffür".encode()).text
    page = "<meta charset=windows-1250><p>Žlutý kůň</p>"
    assert decode(page.encode("cp1250"), markup=True).text == page
    wide = '<meta charset="utf-16"><p>Gehaltserhöhung!</p>'
    assert decode(wide.encode("latin-1"), markup=True).text == wide
    with pytest.raises(Unreadable, match="control character 0x07"):
        decode(b"a\nb\x07")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.pdf", make_pdf([[(11, "Secret")]], password=True), "encrypted"),
        ("a.pdf", make_pdf([[]]), "scan"),
        ("a.pdf", b"%PDF-1.7 and no more", "cut"),
        ("a.docx", b"\xd0\xcf\x11\xe0" + b"0" * 900, "encrypted"),
        ("a.xlsx", b"PK\x03\x04 nothing", "damaged or cut"),
        ("a.csv", 'a,b\n1,2\n1,"2\n', "cannot be read"),
        ("a.csv", "a,b\n1,2\n1\n", "1 cells"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "JSON list"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "not JSON"),
        ("a.jsonl", "", "no text"),
        ("a.zip", b"PK", "a .zip file"),
    ],
)
def test_what_is_wrong_is_said_in_one_problem(tmp_path, name, content, found):
    write(tmp_path / "docs", {name: content, "good.md": "# Good\n\nText."})
    library = read_library(tmp_path / "docs", "docs")
    assert [problem.file for problem in library.problems] == [f"docs/{name}"]
    assert found in library.problems[0].found
    assert [document.id for document in library.documents] == ["docs/good.md"]


def test_halves_of_characters_never_reach_an_index(tmp_path):
    meant = {"A": "D83DDE00", "B": "D83D"}
    files = {
        "emoji.pdf": make_pdf([[(11, "Tents A and B last.")]], meant=meant, title=b"FEFF00410042D83D"),
        "half.jsonl": '{"title": "T \\ud83d\\ude00", "text": "half \\ud83d pair"}\n',
        "head.md": '---\ntitle: "Tents \\ud83d\\ude00"\nsupersedes: "\\ud83d.md"\ngroups: "\\ud83d"\n---\nGood.\n',
        "key.md": '---\n"groups\\ud83d": [staff]\n---\n# A\n\nGood.\n',
        "page.html": b'<meta charset="undefined"><p>caf\xe9</p>',
        "other.html": b'<meta charset="unicode_escape"><p>caf\xe9 \\ud83d</p>',
    }
    write(tmp_path / "docs", files)
    write(Path(os.fsdecode(os.fsencode(tmp_path / "docs") + b"/s\xe9")), {"b.md": "# B\n\nBad folder."})
    write(Path(os.fsdecode(os.fsencode(tmp_path / "docs"))), {os.fsdecode(b"caf\xe9.md"): "# C\n\nBad name."})
    index = build(tmp_path / "docs", "docs", Access(groups={"g": ()}), HashingEmbedder(), tmp_path / "indexes")
    texts = {each.document: each.text for each in index.chunks()}
    assert texts["docs/emoji.pdf"] == "Tents \U0001f600 and \ufffd last."
    assert texts["docs/half.jsonl"] == "half \ufffd pair" and "caf" in texts["docs/page.html"]
    told = {problem.file: problem for problem in index.problems}
    assert set(told) == {"docs/head.md", "docs/key.md", "docs/caf\\xe9.md", "docs/s\\xe9/b.md"}
    assert "UTF-8" in told["docs/caf\\xe9.md"].found and "UTF-8" in told["docs/s\\xe9/b.md"].found
    heads = {each.id: each.title for each in read_library(tmp_path / "docs", "docs").documents}
    assert heads["docs/head.md"] == "Tents \U0001f600"


@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=20))
def test_any_text_is_made_of_whole_characters(text):
    assert whole(text).encode().decode() == whole(text)
    assert whole(text) == text or re.search("[\ud800-\udfff]", text)


def test_a_zip_bomb_is_not_opened(tmp_path):

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", b"0" * 60_000_000)
    write(tmp_path / "docs", {"bomb.docx": out.getvalue()})
    assert "60,000,000 bytes packed" in read_library(tmp_path / "docs", "docs").problems[0].found


@pytest.mark.parametrize("kind", make_all())
def test_damaged_files_are_named_and_the_good_ones_read(tmp_path, kind):
    """Each is a problem, or the damage did no harm: then the text is that of the good file. LEVERS_FUZZ is how many."""
    good, many = make_all(), int(os.environ.get("LEVERS_FUZZ", "60"))
    write(tmp_path / "good", {f"good.{kind}": good[kind]})
    (whole,) = read_library(tmp_path / "good", "").documents
    chance = random.Random(f"7 {kind}")
    names = {f"broken{at:03d}.{kind}" for at in range(many)}
    write(tmp_path / "all", {name: damage(good[kind], kind, chance) for name in sorted(names)})
    write(tmp_path / "all", {f"good.{each}": content for each, content in good.items()})
    library = read_library(tmp_path / "all", "")
    told = [problem.file for problem in library.problems]
    assert len(told) == len(set(told)) and not set(told) - names
    read_anyway = {document.id: document.text for document in library.documents if document.id in names}
    assert len(library.documents) - len(read_anyway) == len(good)
    assert set(read_anyway) | set(told) == names
    assert set(read_anyway.values()) <= {whole.text}
    assert len(read_anyway) <= max(3, many // 5), kind
