"""Where an answer's support stands: `[n]` markers where the model wrote them, else the passage that holds its words."""

import json
import re
from collections.abc import Iterator

from levers.stack.records import Citation, Passage

_MARKER = re.compile(r"\[(\d{1,2})\]")
_SHORTEST = 2  # one-letter values support nothing


def cite(text: str, passages: tuple[Passage, ...]) -> tuple[Citation, ...]:
    """Return the citations of an answer, first passage first, each to the exact characters where they are known."""
    if not passages:
        return ()
    values = list(_values(text))
    marked = [int(number) for number in _MARKER.findall(text) if 1 <= int(number) <= len(passages)]
    if marked:
        return tuple(_citation(number, passages[number - 1], values) for number in dict.fromkeys(marked))
    for number, passage in enumerate(passages, start=1):
        if any(_find(value, passage.text) for value in values):
            return (_citation(number, passage, values),)
    return ()


def _citation(number: int, passage: Passage, values: list[str]) -> Citation:
    for value in values:
        if span := _find(value, passage.text):
            start, end = passage.start + span[0], passage.start + span[1]
            return _at(number, passage, start, end)
    return _at(number, passage, passage.start, passage.end)


def _at(number: int, passage: Passage, start: int, end: int) -> Citation:
    quote = passage.text[start - passage.start : end - passage.start]
    return Citation(
        number=number,
        document=passage.document,
        section=passage.section,
        start=start,
        end=end,
        quote=quote,
        page=passage.page,
        version=passage.version,
    )


def _values(text: str) -> Iterator[str]:
    """Yield the answer's own words: every string in a JSON answer, longest first, or the text without its markers."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = _MARKER.sub("", text).strip()
    found: list[str] = []
    todo = [parsed]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, str) and len(value.strip()) >= _SHORTEST:
            found.append(value.strip())
    yield from sorted(found, key=len, reverse=True)


def _find(value: str, text: str) -> tuple[int, int] | None:
    pattern = r"(?<!\w)" + r"\s+".join(re.escape(word) for word in value.split()) + r"(?!\w)"
    found = re.search(pattern, text, re.IGNORECASE)
    return found.span() if found else None
