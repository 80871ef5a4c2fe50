"""Extraction without writing: words of a text tagged as values of fields, and fields chosen among known values.

A student's reply is a JSON object. A copied field's values are stretches of the text, found by tags on its words
(begins, goes on, neither: Ramshaw and Marcus 1995); a chosen field's value is one of those taught. Pure: no torch.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from levers.ledger import Record

NO_TAG = 0  # the tag of a word that belongs to no field
_WORD = re.compile(r"\w+|[^\w\s]")

Span = tuple[int, int]
"""Start and end in characters."""


class Field(Record):
    """A field of the reply. `choices` are its known values, empty for one that is copied from the text.

    `many`: its value is a list. `literal`: its values are numbers or truth values, as JSON writes them. `absent`: what
    stands for no value, as JSON; None: the field is then left out.
    """

    name: str
    choices: tuple[str, ...] = ()
    many: bool = False
    literal: bool = False
    absent: str | None = None


class Form(Record):
    """The form of a reply: its fields in their order."""

    fields: tuple[Field, ...]

    @property
    def copied(self) -> tuple[Field, ...]:
        """The fields whose values are copied from the text."""
        return tuple(field for field in self.fields if not field.choices)

    @property
    def chosen(self) -> tuple[Field, ...]:
        """The fields whose value is one of those known."""
        return tuple(field for field in self.fields if field.choices)

    @property
    def tags(self) -> int:
        """How many tags a word may have: none, and for each copied field one that begins and one that goes on."""
        return 1 + 2 * len(self.copied)


def values_of(answer: str) -> dict[str, list[str]] | None:
    """Return the values of a reply's fields as texts; None where it is no flat JSON object."""
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    found: dict[str, list[str]] = {}
    for name, value in parsed.items():
        each = value if isinstance(value, list) else [value]
        if any(isinstance(one, dict | list) for one in each):
            return None
        found[name] = [
            one if isinstance(one, str) else json.dumps(one) for one in each if one is not None and one != ""
        ]
    return found


def words(text: str) -> list[Span]:
    """Return where the words and signs of a text stand."""
    return [found.span() for found in _WORD.finditer(text)]


def locate(text: str, values: Sequence[tuple[int, str]]) -> list[tuple[int, Span]]:
    """Find each (field, value) in a text, whole words, the longest first; what is taken is not taken again."""
    taken: list[Span] = []
    found = []
    low = text.casefold() if len(text.casefold()) == len(text) else text
    for field, value in sorted(values, key=lambda each: -len(each[1])):
        place = next(_places(low, value.casefold() if low is not text else value, taken), None)
        if place is not None:
            taken.append(place)
            found.append((field, place))
    return found


def _places(text: str, value: str, taken: Sequence[Span]) -> Iterator[Span]:
    at = text.find(value) if value else -1
    while at >= 0:
        end = at + len(value)
        inside = (at > 0 and text[at - 1].isalnum() and value[0].isalnum()) or (
            end < len(text) and text[end].isalnum() and value[-1].isalnum()
        )
        if not inside and all(end <= start or at >= stop for start, stop in taken):
            yield at, end
        at = text.find(value, at + 1)


def tags_of(spans: Sequence[Span], located: Sequence[tuple[int, Span]]) -> list[int]:
    """Return the tag of each word: 1 + 2 f where a value of field f begins, 2 + 2 f where it goes on."""
    tags = [NO_TAG] * len(spans)
    for field, (start, end) in located:
        inside = [at for at, (left, right) in enumerate(spans) if left >= start and right <= end]
        for at in inside:
            tags[at] = (1 if at == inside[0] else 2) + 2 * field
    return tags


def stretches(spans: Sequence[Span], tags: Sequence[int]) -> list[tuple[int, Span]]:
    """Return the values that tags mark, as (field, span); one that goes on without a beginning begins there."""
    found: list[tuple[int, Span]] = []
    before = NO_TAG
    for (left, right), tag in zip(spans, tags, strict=True):
        field, begins = (tag - 1) // 2, tag % 2 == 1
        if tag == NO_TAG:
            pass
        elif begins or before == NO_TAG or (before - 1) // 2 != field:
            found.append((field, (left, right)))
        else:
            found[-1] = (field, (found[-1][1][0], right))
        before = tag
    return found


def write_reply(form: Form, copied: Sequence[tuple[int, str]], chosen: Sequence[str]) -> str:
    """Return the JSON object of what was copied, as (copied field, value), and chosen: one for each chosen field."""
    values: dict[str, list[str]] = {field.name: [] for field in form.copied}
    for place, value in copied:
        values[form.copied[place].name].append(value)
    values |= {field.name: [value] if value else [] for field, value in zip(form.chosen, chosen, strict=True)}
    reply: dict[str, Any] = {}
    for field in form.fields:
        given = [_literal(each) if field.literal else each for each in values[field.name]]
        if given:
            reply[field.name] = given if field.many else given[0]
        elif field.absent is not None:
            reply[field.name] = json.loads(field.absent)
    return json.dumps(reply, ensure_ascii=False)


def _literal(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
