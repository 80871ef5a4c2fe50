import itertools
import re
from collections.abc import Callable
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from levers.knowledge import Chunking, Document, chunk
from levers.knowledge.chunk import _columns, _Span, sections, size, slugs, under_headings
from levers.knowledge.outline import markdown_blocks, text_blocks
from levers.knowledge.records import Block
from levers.knowledge.sheets import read_csv


def markdown(text: str, **fields) -> Document:
    return Document(id="docs/a-page.md", text=text, blocks=markdown_blocks(text), **fields)


def test_slugs_are_those_of_github():
    titles = [
        "Refunds & more!",
        "Größe (cm)",
        "refunds & more!",
        "snake_case \u2013 dash",
        "  Q: why? ",
        "A",
        "A",
        "A-1",
    ]
    assert list(slugs(titles)) == [
        "refunds--more",
        "größe-cm",
        "refunds--more-1",
        "snake_case--dash",
        "q-why",
        "a",
        "a-1",
        "a-1-1",
    ]
    assert list(slugs([normalize("NFD", "Gehälter"), "Gehälter"])) == ["gehälter", "gehälter-1"]


def test_slugs_keep_the_marks_of_their_letters():
    assert list(slugs(["वेतन", "वतन", "मेरा (है)", "เงินเดือน!"])) == ["वेतन", "वतन", "मेरा-है", "เงินเดือน"]


def test_a_chunk_for_each_section_with_its_path():
    text = "Intro.\n\n# Returns\n\nThirty days.\n\n## Refunds\n\n*Five* days.\n\n"
    text += "Paid\n----\n\nBy card.\n\n# Other `x`\n\nText.\n"
    assert [(piece.section, piece.heading, piece.text) for piece in chunk(markdown(text))] == [
        ("", "a page", "Intro."),
        ("returns", "Returns", "Thirty days."),
        ("refunds", "Returns > Refunds", "*Five* days."),
        ("paid", "Returns > Paid", "By card."),
        ("other-x", "Other x", "Text."),
    ]


def test_a_heading_with_nothing_under_it_is_a_chunk_of_its_own():
    text = "# FAQ\n\n## Refund term: 30 days\n\n## Fee: 5 EUR\n\nPaid by card.\n\n### Last"
    assert [(piece.section, piece.text) for piece in chunk(markdown(text))] == [
        ("refund-term-30-days", "## Refund term: 30 days"),
        ("fee-5-eur", "Paid by card."),
        ("last", "### Last"),
    ]
    assert under_headings(markdown(text)) == {"faq": ("refund-term-30-days", "fee-5-eur", "last")}


def test_the_names_of_columns_are_looked_up_without_going_through_all_rows():
    class Counted(tuple):
        def __iter__(self):
            raise AssertionError("every row is gone through")

    rows = Counted(Block(kind="table", start=10 * at, end=10 * at + 8) for at in range(1000))
    assert _columns("| a: 1 |  " * 1000, rows, _Span(5001, 5008), Chunking()) == " > a"


def test_the_title_leads_the_path_when_no_heading_is_of_the_first_level():
    pieces = chunk(markdown("## Price\n\n12 euros.\n\n#### Deep\n\nText.\n", title="Tent"))
    assert [piece.heading for piece in pieces] == ["Tent > Price", "Tent > Price > Deep"]


def test_what_looks_like_a_heading_in_code_lists_and_quotes_is_none():
    text = "# A\n\n```\n# not one\n```\n\n- # nor this\n- b\n\n> # nor that\n"
    assert [piece.section for piece in chunk(markdown(text))] == ["a"]
    assert "# not one" in chunk(markdown(text))[0].text


def test_long_sections_are_cut_at_paragraphs_then_sentences():
    paragraphs = [f"Paragraph {at} " + "word " * 30 + "ends." for at in range(6)]
    pieces = chunk(markdown("# A\n\n" + "\n\n".join(paragraphs)), Chunking(words=80))
    assert [len(re.findall("Paragraph", piece.text)) for piece in pieces] == [2, 2, 2]
    long = " ".join(f"Sentence {at} has some words in it." for at in range(40))
    pieces = chunk(markdown(f"# A\n\n{long}"), Chunking(words=50))
    assert len(pieces) > 4 and all(piece.text.endswith("in it.") for piece in pieces)
    assert all(size(piece.text) <= 60 for piece in pieces)


def test_lists_are_cut_between_items_and_short_tails_join():
    text = "# A\n\n" + "\n".join(f"- item {at} " + "word " * 10 for at in range(10)) + "\n\nTail.\n"
    pieces = chunk(markdown(text), Chunking(words=40))
    assert all(piece.text.startswith("- item") for piece in pieces)
    assert pieces[-1].text.endswith("Tail.")


def test_tables_stay_whole_and_comments_and_rules_are_no_text():
    rows = "\n".join(f"| row {at} | value {at} |" for at in range(4))
    text = f"# A\n\nBefore.\n\n| a | b |\n|---|---|\n{rows}\n\nAfter.\n\n---\n\n<!-- nothing -->\n"
    pieces = chunk(markdown(text), Chunking(words=36))
    assert [piece.text for piece in pieces if "row 0 |" in piece.text and "row 3 |" in piece.text]
    assert pieces[-1].text.endswith("\n\nAfter.") and {piece.heading for piece in pieces} == {"A"}


@pytest.mark.parametrize("kind", ["structure", "sentence"])
def test_long_tables_are_cut_between_rows_each_piece_under_the_names_of_its_columns(kind):
    rows = "\n".join(f"| row {at} | value {at} |" for at in range(200))
    text = f"# A\n\nBefore.\n\n| Fare | In euros |\n|:---|---|\n{rows}\n\nAfter.\n"
    first, *others, last = chunk(markdown(text), Chunking(words=40, kind=kind))
    assert (first.heading, first.text[:20]) == ("A", "Before.\n\n| Fare | In") and last.text.endswith("After.")
    assert all(piece.heading == "A > Fare | In euros" for piece in others) and len(others) > 20
    assert all(re.fullmatch(r"(\| row \d+ \| value \d+ \|\n?)+", piece.text) for piece in others)
    assert all(size(piece.text) <= 48 for piece in (first, *others, last))


def test_a_row_alone_or_a_first_row_of_prose_names_no_columns():
    prose = " ".join(["word"] * 60)
    for table in (f"| {prose} | {prose} |", f"| {prose} |\n| {prose} |\n| {prose} |"):
        document = Document(id="a.csv", text=table, blocks=(Block(kind="table", start=0, end=len(table)),))
        pieces = chunk(document, Chunking(words=40))
        assert len(pieces) > 2 and {piece.heading for piece in pieces} == {"a"}


@pytest.mark.parametrize("kind", ["structure", "sentence"])
def test_a_row_of_data_that_is_cut_names_its_columns_in_each_piece(kind):
    long = " ".join(f"w{at}" for at in range(400))
    parsed = read_csv(f"id,text,note\n1,{long},see: below\n2,short,\n")
    first, *others = chunk(Document(id="a.csv", text=parsed.text, blocks=parsed.blocks), Chunking(kind=kind))
    assert first.heading == "a" and first.text.startswith("| id: 1 | text: w0 w1 ")
    assert [each.heading for each in others] == ["a > id | text | note"] * 2
    assert others[-1].text.endswith("| note: see: below |\n\n| id: 2 | text: short |")


@pytest.mark.parametrize("kind", ["structure", "sentence", "fixed", "document"])
def test_a_comment_between_two_paragraphs_is_in_no_piece(kind):
    text = "# A\n\nBefore.\n\n<!-- Ana earns 90000 -->\n\nAfter.\n\n---\n\nLast.\n"
    pieces = chunk(markdown(text), Chunking(kind=kind, words=60))
    assert len(pieces) == 2 and not any("90000" in piece.text for piece in pieces)
    assert all(any(word in piece.text for piece in pieces) for word in ("Before.", "After.", "Last."))


def test_text_without_spaces_is_still_cut():
    pieces = chunk(Document(id="a.txt", text="字" * 2000, blocks=text_blocks("字" * 2000)), Chunking(words=20))
    assert len(pieces) == 13 and "".join(piece.text for piece in pieces) == "字" * 2000


def test_headings_over_deeper_headings_only_are_sections_without_chunks():
    document = markdown("# A\n\n## B\n\ntext\n\n## C\n")
    assert [(part.slug, len(part.blocks)) for part in sections(document)] == [("a", 0), ("b", 1), ("c", 1)]


MARKS = [
    "",
    "# H",
    "## H two",
    "###### six",
    "Setext",
    "===",
    "---",
    "- item",
    "  - nested",
    "1. one",
    "> quote",
    "```",
]
MARKS += ["    code", "<div>", "<!-- c -->", "[a]: b", "\tTab", "*", "\\# no"]

line = st.one_of(
    st.sampled_from(MARKS),
    st.sampled_from(["", "| a | b |", "|---|---|", "| 1 | 2 |"]),
    st.lists(st.sampled_from(["word", "Ende.", "foo!", "été", "a.b", "字字字。"]), max_size=30).map(" ".join),
    st.text(max_size=20),
)
source = st.lists(st.tuples(line, st.sampled_from(["\n", "\n", "\r\n", "\r"])), max_size=25).map(
    lambda parts: "".join(text + end for text, end in parts)
)


@pytest.mark.parametrize("blocks_of", [markdown_blocks, text_blocks])
@given(text=source, words=st.integers(20, 60))
@example(text="a\x0bb\u2028c\r# H\r\rtext\x85more", words=20)
@example(text="# H\n| a | b |\n0 \n\n## H two\n| a | b |\n| a | b |\n", words=20)
def test_spans_are_exact_ordered_and_inside_one_section(blocks_of: Callable, text: str, words: int):
    document = Document(id="d.md", text=text, blocks=blocks_of(text))
    pieces = chunk(document, Chunking(words=words))
    headings = [block for block in document.blocks if block.kind == "heading"]
    tables = [block for block in document.blocks if block.kind == "table"]
    last = 0
    for piece in pieces:
        assert piece.text == text[piece.start : piece.end] and piece.text == piece.text.strip() != ""
        assert piece.start >= last
        last = piece.end
        own = any(heading.start <= piece.start and piece.end <= heading.end for heading in headings)
        assert own or all(heading.end <= piece.start or heading.start >= piece.end for heading in headings)
        before = [heading for heading in headings if heading.start <= piece.start]
        assert bool(piece.section) <= bool(before)
        assert size(piece.text) <= words * 1.2 + 1
    for table in tables:
        held = text[table.start : table.end]
        whole = any(piece.start <= table.start and table.end <= piece.end for piece in pieces)
        assert whole or size(held) > words or not re.search(r"\w", held)


@given(text=source)
def test_no_word_of_a_block_is_lost(text: str):
    document = markdown(text)
    covered = [(piece.start, piece.end) for piece in chunk(document, Chunking(words=20))]
    for block in document.blocks:
        if block.kind != "heading":
            for hit in re.finditer(r"\w+", text[block.start : block.end]):
                at = block.start + hit.start()
                assert any(start <= at < end for start, end in covered)


@given(text=st.text(max_size=200))
@example("0\r\n0\r\n \r\n1")
def test_any_text_has_blocks_in_order(text: str):
    for blocks in (markdown_blocks(text), text_blocks(text)):
        assert all(0 <= block.start < block.end <= len(text) for block in blocks)
        assert all(one.start <= two.start for one, two in itertools.pairwise(blocks))
    assert " ".join(text[block.start : block.end] for block in text_blocks(text)).split() == text.split()


def test_a_text_between_two_comments_is_text():
    told = "<!-- note --> Open on Sundays. <!-- checked -->"
    (block,) = markdown_blocks(f"{told}\n\n<!-- only --> <!-- comments -->\n")
    assert told[block.start : block.end] == told
    assert len(markdown_blocks("<!-- not closed\n")) == 1


def test_long_runs_of_spaces_and_comments_are_read_in_one_pass():
    """Not timed: a parser that goes back over them would take minutes for the first, for ever for the second."""
    text = "a" + " " * 300_000 + "b"
    assert [(block.start, block.end) for block in text_blocks(text)] == [(0, len(text))]
    comments = "<!-- a -->" * 400
    assert len(markdown_blocks(f"{comments} text\n")) == 1 and not markdown_blocks(f"{comments}\n")


def test_paragraphs_are_what_stands_between_blank_lines():
    text = "---\n a\nb \n \t\n\n c\r\rd\r\n\u2028\r\ne\n  "
    assert [text[block.start : block.end] for block in text_blocks(text, 4)] == ["a\nb", "c", "d", "e"]
