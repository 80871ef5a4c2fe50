"""Find the blocks of Markdown and of plain text, with exact character spans."""

import bisect
import itertools
import re
from functools import lru_cache
from typing import Any

from levers.knowledge.optional import need
from levers.knowledge.records import Block, BlockKind

_LINE = re.compile(r"\r\n?|\n")  # the line ends markdown-it counts; str.splitlines knows more and would drift
_KINDS: dict[str, BlockKind] = {"fence": "code", "code_block": "code", "table_open": "table"}


def text_blocks(text: str, body: int = 0) -> tuple[Block, ...]:
    """Return one block for each paragraph: lines between blank lines."""
    edges = [body, *(hit.end() for hit in _LINE.finditer(text, body)), len(text)]
    lines = [_trim(text, start, end) for start, end in itertools.pairwise(edges)]
    runs = (list(run) for filled, run in itertools.groupby(lines, key=bool) if filled)
    return tuple(Block(kind="text", start=run[0][0], end=run[-1][1]) for run in runs if run[0] and run[-1])


def markdown_blocks(text: str, body: int = 0) -> tuple[Block, ...]:
    """Return the top-level blocks of Markdown from offset `body` on; a list gives one block for each item."""
    known: dict[str, Any] = {}  # where the links that headings name lead
    tokens = _parser().parse(text[body:], known)
    starts = [body, *(hit.end() for hit in _LINE.finditer(text, body))]
    blocks: list[Block] = []
    for at, token in enumerate(tokens):
        if token.map is None or not _stands_alone(token):
            continue
        span = _trim(text, _at(starts, token.map[0], text), _at(starts, token.map[1], text))
        if span is None or (token.type == "html_block" and _is_comment(text[slice(*span)])):
            continue
        if token.type == "heading_open":
            title = _plain(_inner().parseInline(tokens[at + 1].content, known)[0])
            blocks.append(Block(kind="heading", start=span[0], end=span[1], level=int(token.tag[1]), title=title))
        else:
            blocks.append(Block(kind=_KINDS.get(token.type, "text"), start=span[0], end=span[1]))
    return tuple(blocks)


def line_at(text: str, offset: int) -> int:
    """Return the line, from 1, that an offset falls in."""
    return bisect.bisect_right([hit.end() for hit in _LINE.finditer(text)], offset) + 1


@lru_cache(maxsize=1)
def _parser() -> Any:
    """Return the parser of blocks: what stands inside them is half of the work, and only headings are asked for it."""
    return _commonmark().disable("inline")


@lru_cache(maxsize=1)
def _inner() -> Any:
    """Return the parser of what stands inside a heading."""
    return _commonmark()


def _commonmark() -> Any:
    return need("markdown_it", "markdown-it-py").MarkdownIt("commonmark").enable("table")


def _stands_alone(token: Any) -> bool:
    if token.type == "list_item_open":
        return bool(token.level == 1)
    lists = ("bullet_list_open", "ordered_list_open")
    return token.level == 0 and token.nesting >= 0 and token.type not in (*lists, "hr", "inline")


def _is_comment(html: str) -> bool:
    """Tell whether a block holds nothing but comments; each character is looked at once."""
    at = 0
    while html.startswith("<!--", at):
        end = html.find("-->", at + len("<!--"))
        if end < 0:
            return False
        at = end + len("-->")
        while html[at : at + 1].isspace():
            at += 1
    return 0 < at == len(html)


def _at(starts: list[int], line: int, text: str) -> int:
    return starts[line] if line < len(starts) else len(text)


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    part = text[start:end]
    inside = part.strip()
    if not inside:
        return None
    start += part.index(inside)
    return start, start + len(inside)


def _plain(inline: Any) -> str:
    """Return a heading's words without their markup."""
    parts = (child.content if child.type in ("text", "code_inline", "image") else " " for child in _leaves(inline))
    return " ".join("".join(parts).split())


def _leaves(inline: Any) -> list[Any]:
    return [child for child in inline.children or [] if child.content or child.type in ("softbreak", "hardbreak")]
