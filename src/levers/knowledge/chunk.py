"""Cut documents into chunks along their structure; a chunk never crosses a section and its span is exact."""

import bisect
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from levers.knowledge.records import Block, Chunk, Chunking, Document

_SENTENCE = re.compile(r"""[.!?…]["'\u201d\u2019»)\]]*\s+|[\u3002\uff01\uff1f]["'\u201d\u2019\u300d\u300f]*\s*|\n""")
_NO_SLUG = re.compile(r"[^\w\- ]")
_GAP = re.compile(r"\s+")
_LINE = re.compile(r"\r\n?|\n")
_LABEL = re.compile(r"(?:^| )\| ([^|]{1,80}?): ")
_LETTERS_PER_WORD = 8  # text without spaces still has a size: one word for every eight characters
_NAMES = 40  # words that the names of a table's columns have at most
_TAIL = 0.2  # a last piece below this share of the limit joins the piece before it, which may then exceed it by as much


class Section(NamedTuple):
    """A heading's own text: its slug, its path and its blocks, without those of deeper headings.

    A heading with nothing under it, neither text nor deeper headings, is its own text: it may say all there is to say.
    """

    slug: str
    heading: str
    blocks: tuple[Block, ...]
    level: int = 0


class _Span(NamedTuple):
    start: int
    end: int


def slugs(titles: Iterable[str]) -> Iterator[str]:
    """Yield the anchors GitHub gives to headings, in order: repeated ones get -1, -2 …"""
    taken: dict[str, int] = {}
    for title in titles:
        whole = unicodedata.normalize("NFC", title)  # else an accent that stands behind its letter would be dropped
        base = _NO_SLUG.sub(_mark, whole.strip().lower()).replace(" ", "-")
        slug = base
        while slug in taken:
            taken[base] += 1
            slug = f"{base}-{taken[base]}"
        taken[slug] = 0
        yield slug


def _mark(hit: re.Match[str]) -> str:
    """Return a vowel sign or another mark, which belongs to its letter, and nothing for any other sign."""
    return hit[0] if unicodedata.category(hit[0])[0] == "M" else ""


def sections(document: Document) -> list[Section]:
    """Return the document's sections in order, those without text of their own included."""
    headings = [block for block in document.blocks if block.kind == "heading"]
    anchors = slugs(block.title for block in headings)
    root = document.title or re.sub(r"[-_]+", " ", document.id.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    top = min((block.level for block in headings), default=0)
    path = {} if top == 1 else {0: root}
    found: list[Section] = []
    slug, heading, level, blocks = "", root, 0, list[Block]()
    own: list[Block] = []
    for block in document.blocks:
        if block.kind != "heading":
            blocks.append(block)
            continue
        found.append(Section(slug, heading, tuple(blocks or (own if block.level <= level else ())), level))
        path = {level: title for level, title in path.items() if level < block.level} | {block.level: block.title}
        slug, heading = next(anchors), " > ".join(title for title in path.values() if title)
        level, blocks, own = block.level, [], [block]
    found.append(Section(slug, heading, tuple(blocks or own), level))
    return [section for section in found if section.slug or section.blocks]


def outline(document: Document) -> tuple[tuple[str, ...], ...]:
    """Return every section's slug, followed by those of the headings above it, the nearest first."""
    found: list[tuple[str, ...]] = []
    above: list[tuple[int, str]] = []
    for section in sections(document):
        above = [(level, slug) for level, slug in above if level < section.level]
        found.append((section.slug, *(slug for _, slug in reversed(above))))
        if section.slug:
            above.append((section.level, section.slug))
    return tuple(found)


def under_headings(document: Document) -> dict[str, tuple[str, ...]]:
    """Return, for each heading with nothing but deeper headings under it, the slugs of those."""
    parts = sections(document)
    under: dict[str, tuple[str, ...]] = {}
    for at, part in enumerate(parts):
        if not part.blocks:
            below = itertools.takewhile(lambda other, level=part.level: other.level > level, parts[at + 1 :])  # type: ignore[misc]
            under[part.slug] = tuple(other.slug for other in below)
    return under


def chunk(document: Document, chunking: Chunking | None = None, *, current: bool = True) -> list[Chunk]:
    """Cut a document as a chunking says, by structure without one: a chunk for each section, several for a long one.

    A long section is cut between blocks, then at sentence ends, then between words; a long table between its rows, a
    long row between words, where each further piece has the names of the columns in its heading, but for `fixed`.
    `text[start:end]` of the document is the chunk's text.
    """
    how = chunking or Chunking()
    chunks: list[Chunk] = []
    for section in _whole(document) if how.kind == "document" else sections(document):
        for span in _cuts(document.text, section.blocks, how):
            text = document.text[span.start : span.end]
            if re.search(r"\w", text):
                chunks.append(
                    Chunk(
                        document=document.id,
                        section=section.slug,
                        heading=section.heading + _columns(document.text, section.blocks, span, how),
                        text=text,
                        start=span.start,
                        end=span.end,
                        page=bisect.bisect_right(document.pages, span.start) or None,
                        groups=document.groups,
                        current=current,
                    )
                )
    return chunks


def _whole(document: Document) -> list[Section]:
    """Return a document as one section under its first heading path."""
    blocks = tuple(block for block in document.blocks)
    return [Section("", sections(document)[0].heading, blocks)] if blocks else []


def _cuts(text: str, blocks: Sequence[Block], how: Chunking) -> list[_Span]:
    """Cut the blocks of one section."""
    return [span for run in _runs(text, blocks) for span in _run_cuts(text, run, how)]


def _runs(text: str, blocks: Sequence[Block]) -> list[list[Block]]:
    """Part blocks where a comment stands between two: what is joined there would hold it."""
    runs: list[list[Block]] = []
    for block in blocks:
        if runs and "<!--" not in text[runs[-1][-1].end : block.start]:
            runs[-1].append(block)
        else:
            runs.append([block])
    return runs


def _run_cuts(text: str, blocks: Sequence[Block], how: Chunking) -> list[_Span]:
    if how.kind == "document":
        return [_Span(blocks[0].start, blocks[-1].end)]
    if how.kind == "fixed":
        return _windows(text, _Span(blocks[0].start, blocks[-1].end), how)
    units: list[_Span] = []
    for block in blocks:
        if how.kind == "sentence" and block.kind == "text":
            ends = [hit.end() for hit in _SENTENCE.finditer(text, block.start, block.end)]
            edges = [block.start, *(end for end in ends if end < block.end), block.end]
            sentences = [_strip(text, _Span(a, b)) for a, b in itertools.pairwise(edges)]
            units += [part for each in sentences if each.start < each.end for part in _fitted(text, each, how.words)]
        else:
            units += _pieces(text, block, how.words)
    return _pack(text, units, how.words)


def _columns(text: str, blocks: Sequence[Block], span: _Span, how: Chunking) -> str:
    """Return what a piece that begins inside a table adds to its heading: the names of the columns, from the first row.

    A row of data names them in its own cells (`levers.knowledge.reading.labelled`). Nothing where there are none, or
    where they are too long to be names.
    """
    if how.kind not in ("structure", "sentence"):
        return ""
    at = bisect.bisect_left(blocks, span.start, key=lambda block: block.start) - 1  # a scan is quadratic in rows
    inside = at >= 0 and blocks[at].kind == "table" and span.start < blocks[at].end
    table = blocks[at] if inside else None
    first, *others = _LINE.split(text[table.start : table.end].strip(), maxsplit=1) if table else [""]
    cells = first.strip().strip("|").split("|") if others else _LABEL.findall(first)
    names = " | ".join(name for cell in cells if (name := cell.strip()))
    return f" > {names}" if names and size(names) <= _NAMES else ""


def _fitted(text: str, sentence: _Span, limit: int) -> list[_Span]:
    parts = _cut(text, sentence, _GAP, limit)
    return [piece for part in parts for piece in _slices(text, part, limit)]


def _windows(text: str, span: _Span, how: Chunking) -> list[_Span]:
    """Take `words` words at a time, `overlap` of them again in the next piece; the last one is as long as is left."""
    found = [hit.span() for hit in re.finditer(r"\S+", text[span.start : span.end])]
    step = how.words - how.overlap
    pieces = []
    for at in range(0, len(found), step):
        last = min(at + how.words, len(found)) - 1
        pieces.append(_Span(span.start + found[at][0], span.start + found[last][1]))
        if last == len(found) - 1:
            break
    return [part for piece in pieces for part in _slices(text, piece, how.words)]


def size(text: str) -> int:
    """Return the length of a text in words."""
    return max(len(text.split()), len(text) // _LETTERS_PER_WORD)


def _pieces(text: str, block: Block, limit: int) -> list[_Span]:
    """Cut one block until every piece fits, as coarsely as possible."""
    whole = _Span(block.start, block.end)
    if size(text[block.start : block.end]) <= limit:
        return [whole]
    cuts = (_SENTENCE, _GAP) if block.kind == "text" else (_LINE, _GAP)
    pieces = [whole]
    for cut in cuts:
        pieces = [part for piece in pieces for part in _cut(text, piece, cut, limit)]
    return [part for piece in pieces for part in _slices(text, piece, limit)]


def _cut(text: str, span: _Span, cut: re.Pattern[str], limit: int) -> list[_Span]:
    """Cut a span wherever the pattern ends, then join neighbours while they fit."""
    if size(text[span.start : span.end]) <= limit * (1 + _TAIL):
        return [span]
    ends = [hit.end() for hit in cut.finditer(text, span.start, span.end)]
    edges = [span.start, *(end for end in ends if end < span.end), span.end]
    parts = [_strip(text, _Span(a, b)) for a, b in itertools.pairwise(edges)]
    return _pack(text, [part for part in parts if part.start < part.end], limit)


def _slices(text: str, span: _Span, limit: int) -> list[_Span]:
    """Cut what has neither sentences nor spaces by length."""
    if size(text[span.start : span.end]) <= limit * (1 + _TAIL):
        return [span]
    step = limit * _LETTERS_PER_WORD
    return [_strip(text, _Span(at, min(at + step, span.end))) for at in range(span.start, span.end, step)]


def _pack(text: str, units: Sequence[_Span], limit: int) -> list[_Span]:
    """Join neighbours while they fit the limit; a short last one joins the span before it."""
    packed: list[_Span] = []
    for unit in units:
        joined = _Span(packed[-1].start, unit.end) if packed else unit
        if packed and size(text[joined.start : joined.end]) <= limit:
            packed[-1] = joined
        else:
            packed.append(unit)
    if len(packed) > 1 and size(text[packed[-1].start : packed[-1].end]) <= limit * _TAIL:
        joined = _Span(packed[-2].start, packed[-1].end)
        if size(text[joined.start : joined.end]) <= limit * (1 + _TAIL):
            packed[-2:] = [joined]
    return packed


def _strip(text: str, span: _Span) -> _Span:
    part = text[span.start : span.end]
    return _Span(span.start + len(part) - len(part.lstrip()), span.start + len(part.rstrip()))
