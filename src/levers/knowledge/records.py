"""What the knowledge room speaks: documents made of blocks, chunks of them, and passages found.

Every `start` and `end` is a character offset (not bytes) in `Document.text`, end exclusive.
"""

from typing import Literal

from pydantic import Field, model_validator

from levers.ledger import Record

BlockKind = Literal["heading", "text", "code", "table"]
Mode = Literal["hybrid", "bm25", "dense"]
Query = str | tuple[str, ...]
"""What is searched: a text, or several wordings of one question, the question itself first."""
ChunkingKind = Literal["structure", "sentence", "fixed", "document"]


class Block(Record):
    """A stretch of a document that stands on its own. `level` (1 to 6) and `title` are a heading's."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    title: str = ""


class Parsed(Record):
    """What a reader makes of a file: text, the blocks in it, a title if one is known, and where each page starts."""

    text: str
    blocks: tuple[Block, ...] = ()
    title: str | None = None
    pages: tuple[int, ...] = ()


class Head(Record):
    """A document without its text. `id` is its path with the project's prefix: `docs/policies/returns.md`.

    `updated` is an ISO date; `supersedes` holds ids as they were written; empty `groups` means public.
    """

    id: str
    title: str | None = None
    updated: str | None = None
    supersedes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Document(Head):
    """A file that was read.

    `text` is the decoded file for Markdown and text, the extracted text for other kinds; blocks point into it.
    `pages` holds the offset where each page (or slide) starts, for kinds that have pages.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    pages: tuple[int, ...] = ()

    @property
    def head(self) -> Head:
        """The document without its text."""
        return Head(**{name: getattr(self, name) for name in Head.model_fields})


class Superseded(Record):
    """A document that search leaves out, the newer one that takes its place, and how that is known."""

    document: str
    by: str
    why: str


class Chunking(Record):
    """How documents are cut; no chunk crosses a section, but for whole documents.

    `structure` keeps a section whole up to `words` and then cuts between blocks; `sentence` packs sentences up to
    `words`; `fixed` takes `words` at a time, each piece beginning with the last `overlap` of the one before;
    `document` cuts nothing. With `parent`, search gives each small passage back inside a wider one of its section, of
    so many words: search small, read big.
    """

    words: int = Field(default=160, ge=20)
    kind: ChunkingKind = Field(default="structure", exclude_if=lambda value: value == "structure")
    overlap: int = Field(default=0, ge=0, exclude_if=lambda value: value == 0)
    parent: int = Field(default=0, ge=0, exclude_if=lambda value: value == 0)

    @model_validator(mode="after")
    def _fits(self) -> "Chunking":
        if self.overlap and (self.kind != "fixed" or self.overlap >= self.words):
            raise ValueError("overlap is for fixed pieces, and below their words")
        return self

    @property
    def label(self) -> str:
        """How tables name it: `structure 160`, `fixed 120 over 30`, `sentence 40 in 160`, `document`."""
        if self.kind == "document":
            return "document"
        ending = f" over {self.overlap}" if self.overlap else ""
        return f"{self.kind} {self.words}{ending}" + (f" in {self.parent}" if self.parent else "")


class Chunk(Record):
    """A piece of one section. `section` is the heading's slug, empty before the first heading; `page` counts from 1."""

    document: str
    section: str
    heading: str
    text: str
    start: int
    end: int
    page: int | None = None
    groups: tuple[str, ...] = ()
    current: bool = True

    @property
    def searchable(self) -> str:
        """What is indexed and embedded."""
        return searchable(self.heading, self.text)


class Found(Record):
    """A passage that search brought. `score` is BM25, cosine similarity, or the fused score (0 to 1), by mode.

    A reranked passage has a score from 0 to 1; those further down, which were not compared, keep 0. `page`, from 1, is
    where it starts, for kinds of files that have pages. `version` is the start of the file's hash (SHA-256): the same
    as long as the file is.
    """

    document: str
    section: str
    heading: str
    text: str
    start: int
    end: int
    page: int | None = None
    version: str = ""
    score: float = 0.0

    @property
    def reference(self) -> str:
        """Where it stands, as evidence is named: `document#section`, or the document."""
        return f"{self.document}#{self.section}" if self.section else self.document

    @property
    def searchable(self) -> str:
        """What is compared with a question."""
        return searchable(self.heading, self.text)


def searchable(heading: str, text: str) -> str:
    """Return a passage under its heading path, which gives a short passage its subject."""
    return f"{heading}\n{text}" if heading else text
