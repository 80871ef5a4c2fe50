"""Front matter: the YAML between `---` lines at the head of a Markdown or text file."""

import datetime
import difflib
import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from levers.errors import Problem
from levers.knowledge.access import did_you_mean
from levers.knowledge.outline import line_at
from levers.knowledge.reading import one_line, whole
from levers.ledger import Record
from levers.ledger.yaml import describe, line_of, parse_yaml

_KEYS = ("title", "updated", "supersedes", "groups")
_LEFT_OUT = "until this is mended the document is left out, since nobody can tell who may read it"
_OPENING = re.compile(r"---[ \t]*(?:\r\n?|\n)")
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)", re.MULTILINE)
_KEY_LINE = re.compile(r"\s*[\w-]+\s*:(?:\s|$)")
_FENCE = re.compile(r"(---|\+\+\+|;;;)[^\S\r\n]*(\w*)[^\S\r\n]*(?:#[^\r\n]*)?(?:\r\n?|\n)")  # of YAML, TOML and JSON
_FIELD = re.compile(r"""[ \t]*(?:-[ \t]+)?["'{[]*([\w-]+)["']?[ \t]*[:=]""")
_BARE_KEY = re.compile(r"""["']?[\w-][\w -]*["']?[ \t]*:(?:\s|$)""")
_BARE = re.compile(_BARE_KEY.pattern + r"|[ \t]+\S|-[ \t]|#")  # a key, what continues its value, or a comment
_LINE = re.compile(r"\r\n?|\n")
_UNSEEN = "\ufeff\u200b"
_LONGEST = 100  # lines of what may be a head


class Front(Record):
    """What a head says; `body` is the offset behind it. Not `readable`: nobody can tell who may read the file."""

    title: str | None = None
    updated: str | None = None
    supersedes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    body: int = 0
    readable: bool = True
    problems: tuple[Problem, ...] = ()


def read_front(text: str, file: str) -> Front:
    """Read the head of a document. Other keys than ours are the author's business, unless they look mistyped.

    A head that cannot be read closes the document (`readable` False): its groups are unknown, so it may be secret.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return _without(text, file)
    closing = _CLOSING.search(text, opening.end())
    if closing is None:
        if not _KEY_LINE.match(text, opening.end()):
            return _without(text, file)  # a horizontal rule
        return _closed(file, 1, "front matter without an end", "a line of --- after it")
    content, problem = parse_yaml(text[opening.end() : closing.start()], file)
    if problem:
        hint = f"{problem.hint}; {_LEFT_OUT}"
        return _closed(file, (problem.line or 1) + 1, whole(problem.found), whole(problem.expected), hint)
    if content is not None and not isinstance(content, Mapping):
        if _KEY_LINE.match(text, opening.end()):
            return _closed(file, 2, describe(content), "keys such as title: and groups:")
        return _without(text, file)  # text between two horizontal rules
    second = _without(text, file, closing.end())
    return second if second.problems else _fields(content or {}, file, closing.end())


def stray_groups(text: str, start: int = 0) -> int | None:
    """Return the line, from 1, of `groups` in what looks like a head and is not read as one, or None.

    Such a head stands behind blank lines, comments or another head, is TOML or JSON, lacks the `---` above it, or
    stands in a kind of file without one.
    """
    start = _behind_comments(text, start)
    fence = _FENCE.match(text, start)
    lines = _LINE.split(text[fence.end() if fence else start :], maxsplit=_LONGEST)[:_LONGEST]
    lines = _within(lines, fence) if fence else _unfenced(lines)
    named = (at for at, line in enumerate(lines) if (field := _FIELD.match(line)) and _means_groups(field[1]))
    return next((line_at(text, start) + bool(fence) + at for at in named), None)


def _within(lines: list[str], fence: re.Match[str]) -> list[str]:
    """Return the lines of a head behind its fence; none where the fence is a horizontal rule."""
    mark, kind = fence.groups()
    ends = [at for at, line in enumerate(lines) if line.rstrip() in (mark, "..." if mark == "---" else mark)]
    blank = (at for at, line in enumerate(lines) if not line.strip())
    lines = lines[: ends[0] if ends else next(blank, len(lines))]
    first = next((line.strip() for line in lines if line.strip()), "")
    rule = mark == "---" and not kind and not first.startswith("#") and not _FIELD.match(first)
    return [] if rule else lines


def _unfenced(lines: list[str]) -> list[str]:
    """Return the `key:` lines, with what belongs to them, that a text begins with; prose or a blank line ends them."""
    return list(takewhile(_BARE.match, lines)) if _BARE_KEY.match(lines[0]) else []


def _behind_comments(text: str, at: int) -> int:
    """Return the offset behind white space and comments."""
    while True:
        while at < len(text) and (text[at].isspace() or text[at] in _UNSEEN):
            at += 1
        end = text.find("-->", at) if text.startswith("<!--", at) else -1
        if end < 0:
            return at
        at = end + 3


def _without(text: str, file: str, start: int = 0) -> Front:
    """Return what a text without a head says: nothing, unless it names groups where nobody reads them."""
    line = stray_groups(text, start)
    if line is None:
        return Front()
    return _closed(file, line, "groups outside of the head", "one head, in YAML between --- lines, from line 1 on")


def _closed(file: str, line: int, found: str, expected: str, hint: str = _LEFT_OUT) -> Front:
    problem = Problem(file=file, line=line, found=found, expected=expected, hint=hint)
    return Front(readable=False, problems=(problem,))


def _fields(content: Mapping[Any, Any], file: str, body: int) -> Front:
    problems: list[Problem] = []

    def complain(key: str, found: str, expected: str, hint: str = "") -> None:
        line = (line_of(content, key) or 1) + 1  # the --- line comes first
        problems.append(Problem(file=file, line=line, field=whole(key), found=found, expected=expected, hint=hint))

    readable = True
    for key in content:
        near = did_you_mean(str(key).casefold(), _KEYS) if key not in _KEYS and _looks_mistyped(str(key)) else ""
        if near:
            complain(str(key), "an unknown key", "one of " + ", ".join(_KEYS), near)
            readable = readable and "'groups'" not in near
    groups = _names(content.get("groups"))
    if groups is None:
        complain("groups", describe(content.get("groups")), "a list of group names", _LEFT_OUT)
        readable = False
    supersedes = _names(content.get("supersedes"))
    if supersedes is None:
        complain("supersedes", describe(content.get("supersedes")), "the path of a document, or a list of them")
    updated = _date(content.get("updated"))
    if updated is None and content.get("updated") is not None:
        complain("updated", describe(content.get("updated")), "a date such as 2026-05-01")
    title = content.get("title")
    return Front(
        title=one_line(whole(str(title))) or None if isinstance(title, str | int | float) else None,
        updated=updated,
        supersedes=supersedes or (),
        groups=groups or (),
        body=body,
        readable=readable,
        problems=tuple(problems),
    )


def _means_groups(key: str) -> bool:
    return _looks_mistyped(key) and "'groups'" in did_you_mean(key.casefold(), _KEYS)


def _looks_mistyped(key: str) -> bool:
    """Tell a slip of the pen from another tool's key: only words within about one letter of ours count."""
    return bool(difflib.get_close_matches(key.casefold(), _KEYS, n=1, cutoff=0.85))


def _names(value: Any) -> tuple[str, ...] | None:
    items = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
        return None
    return tuple(whole(item.strip()) for item in items)


def _date(value: Any) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    try:
        return datetime.datetime.fromisoformat(value.strip()).date().isoformat() if isinstance(value, str) else None
    except ValueError:
        return None
