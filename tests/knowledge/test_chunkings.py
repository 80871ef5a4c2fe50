"""Ways of cutting documents, and how they are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge.conftest import HashingEmbedder, write
from pydantic import ValidationError

from levers.knowledge import Access, Chunking, Document, Found, Index, build, chunk
from levers.knowledge.chunk import size
from levers.knowledge.chunkings import ALL, Sought, compare_chunkings, fitting, gap, share
from levers.knowledge.outline import markdown_blocks

FILLER = "Words that say nothing of use stand here in a row. " * 12
ROOMS = "# Rooms\n\n" + "".join(
    f"## Part {at}\n\n{FILLER}\n\nThe key of room{at} hangs at hook{at}.\n\n{FILLER}\n\n" for at in range(6)
)


def markdown(text: str) -> Document:
    return Document(id="docs/a.md", text=text, blocks=markdown_blocks(text))


def passage(start: int, end: int, document: str = "d") -> Found:
    return Found(document=document, section="", heading="", text="word " * ((end - start) // 5), start=start, end=end)


@pytest.mark.parametrize("how", ALL, ids=lambda how: how.label)
def test_every_kind_keeps_exact_characters_and_loses_no_word(how):
    document = markdown(ROOMS + "\n| Model | Weight |\n| --- | --- |\n| Fjell | 2 kg |\n")
    pieces = chunk(document, how)
    assert all(document.text[piece.start : piece.end] == piece.text for piece in pieces)
    held = " ".join(piece.text for piece in pieces)
    assert all(f"hook{at}." in held for at in range(6)) and "Fjell" in held
    limit = 1.2 * how.words
    assert how.kind == "document" or all(len(piece.text.split()) <= limit for piece in pieces)
    assert how.kind != "document" or len(pieces) == 1


@given(
    st.lists(st.sampled_from(["a", "bb.", "ccc", "\n\n", "字字字。", "# T\n\n", "- x\n"]), max_size=80),
    st.sampled_from(ALL),
)
def test_any_text_is_cut_inside_itself(parts, how):
    document = markdown(" ".join(parts))
    for piece in chunk(document, how):
        assert document.text[piece.start : piece.end] == piece.text


def test_fixed_pieces_overlap_by_so_many_words():
    text = " ".join(f"w{at}" for at in range(100))
    pieces = [piece.text.split() for piece in chunk(markdown(text), Chunking(kind="fixed", words=40, overlap=10))]
    assert [len(piece) for piece in pieces] == [40, 40, 40] and pieces[0][-10:] == pieces[1][:10]
    with pytest.raises(ValidationError, match="overlap"):
        Chunking(kind="fixed", words=40, overlap=40)


def test_a_chunking_of_before_keeps_its_name():
    assert Chunking().model_dump() == {"words": 160}
    assert len({each.label for each in ALL}) == len(ALL)


def test_search_small_reads_the_parent(tmp_path):
    write(tmp_path, {"docs/rooms.md": ROOMS})
    small = Chunking(kind="sentence", words=20, parent=160)
    index = build(tmp_path / "docs", "docs", Access(), HashingEmbedder(), tmp_path / "indexes", small)
    found = index.search(["hook3"], k=1)[0][0]
    assert "hook3" in found.text and 60 < len(found.text.split()) <= 200
    assert len(index.search(["hook3"], k=1, widen=0)[0][0].text.split()) <= 24


def test_a_wider_passage_is_the_very_characters_of_prose_and_lists(tmp_path):
    prose = " ".join(f'Sentence {at} tells mark{at} and "goes on a little!"' for at in range(12))
    items = "\n".join(f"- Item {at} is for mark{at + 50} and ends." for at in range(12))
    steps = "\n".join(f"{at}. Step {at} is for mark{at + 80} and ends." for at in range(1, 12))
    text = f"# A\n\n{prose}\n\nMore of it.\n\n## B\n\n{items}\n\n## C\n\n{steps}\n"
    write(tmp_path, {"docs/a.md": text})
    how = Chunking(kind="sentence", words=20, parent=120)
    index = build(tmp_path / "docs", "docs", Access(), HashingEmbedder(), tmp_path / "indexes", how)
    for mark in ("mark5", "mark55", "mark85"):
        found = index.search([mark], k=1, mode="bm25")[0][0]
        assert found.text == text[found.start : found.end] and size(found.text) > 60


def test_a_whole_document_answers_for_its_sections(tmp_path):
    write(tmp_path, {"docs/rooms.md": ROOMS})
    how = Chunking(kind="document")
    index = build(tmp_path / "docs", "docs", Access(), HashingEmbedder(), tmp_path / "indexes", how)
    assert index.size == 1 and index.section("docs/rooms.md", "part-3") == index.section("docs/rooms.md")


def test_a_span_is_found_by_half_of_its_characters():
    spans = [("d", 0, 100), ("d", 200, 300)]
    assert share(spans, [passage(0, 49)]) == 0
    assert share(spans, [passage(0, 30), passage(20, 50)]) == 0.5  # together, counted once
    assert share(spans, [passage(0, 300)]) == 1 and share(spans, [passage(0, 300, "other")]) == 0


def test_a_budget_shows_no_more_words_than_it_has():
    pieces = [passage(0, 100), passage(100, 150), passage(150, 400)]  # 20, 10 and 50 words
    assert len(fitting(pieces, 30)) == 2 and len(fitting(pieces, 79)) == 2 and len(fitting(pieces, 80)) == 3
    assert len(fitting(pieces, 5)) == 1


def test_chunkings_are_compared_on_the_same_questions(tmp_path, embedder):
    write(tmp_path, {"docs/rooms.md": ROOMS})
    places = [ROOMS.index(f"The key of room{at}") for at in range(6)]
    asked = [
        Sought(query=f"hook{at} of room{at}", spans=(("docs/rooms.md", place, place + 30),))
        for at, place in enumerate(places)
    ]

    def build_with(how: Chunking) -> Index:
        return build(tmp_path / "docs", "docs", Access(), embedder, tmp_path / "indexes", how)

    many = compare_chunkings(asked, build_with, ALL, k=1)
    assert [each.recall for each in many] == sorted((each.recall for each in many), reverse=True)
    assert many[0].recall == 1 and all(0 <= each.low <= each.recall <= each.high <= 1 for each in many)
    short = {each.chunking.label: each for each in compare_chunkings(asked, build_with, ALL, budget=40)}
    assert short["sentence 60"].words <= 60 < short["document"].words  # the first passage is shown whatever its size
    widest = gap(many[0], many[-1])
    assert widest.difference == pytest.approx(many[0].recall - many[-1].recall)
    assert widest.low <= widest.difference <= widest.high
