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
    said = list(_strings(text))
    values = sorted(filter(_supports, (_MARKER.sub("", each).strip() for each in said)), key=len, reverse=True)
    marked = [int(found) for each in said for found in _MARKER.findall(each) if 1 <= int(found) <= len(passages)]
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


def _strings(text: str) -> Iterator[str]:
    """Yield the answer's own words in their order: every string in a JSON object or array, else the text."""
    try:
        parsed = text if _MARKER.fullmatch(text.strip()) else json.loads(text)
    except (ValueError, RecursionError):
        parsed = text
    todo = [parsed]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo.extend(reversed(value.values()))
        elif isinstance(value, list):
            todo.extend(reversed(value))
        elif isinstance(value, str):
            yield value


def _supports(value: str) -> bool:
    return len(value) >= _SHORTEST


def _find(value: str, text: str) -> tuple[int, int] | None:
    pattern = r"(?<!\w)" + r"\s+".join(re.escape(word) for word in value.split()) + r"(?!\w)"
    found = re.search(pattern, text, re.IGNORECASE)
    return found.span() if found else None
