"""The end of a reply that would be cut: the fewest tokens that make what was written so far valid under its schema.

A string, an array or an object without a maximum can go on until the room is used up, and half of a JSON object is of
no use to anybody. So the last tokens of such a reply are given back, and it is closed: strings, arrays and objects at
once, keys that are still required with the shortest values that the schema allows. Imports llguidance.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import llguidance
import numpy as np
from numpy.typing import NDArray

Allowed = Callable[[llguidance.LLMatcher], NDArray[np.bool_]]
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_NEVER = np.inf
# Outside of strings: what begins with this character ends sooner than what comes after it here.
_OUTSIDE = {b"}": 0, b"]": 0, b" ": 1, b":": 1, b",": 1, b"n": 2, b"t": 2, b"f": 2, b'"': 4, b"[": 5, b"{": 6, b"-": 8}
_DIGIT, _OTHER, _QUOTED, _PLAIN, _ODD = 3, 7, 1, 2, 9
_LENGTH = 1e-3  # what a byte more of a token counts among tokens of one kind
# A pattern such as [a-z]+-[0-9] allows letters for ever: what was written counts less, and so does all of its kind.
_AGAIN, _ALIKE = 0.05, 0.01


class Ender:
    """Ends replies for one tokenizer."""

    def __init__(self, tokenizer: Any, vocabulary: int, eos: Sequence[int], allowed: Allowed) -> None:
        """Take llguidance's tokenizer, how many tokens it has, those that end a reply, and what tells the allowed."""
        self._tokenizer = tokenizer
        self._allowed = allowed
        texts = [tokenizer.decode_bytes([token]) for token in range(vocabulary)]
        self._outside = np.array([_outside(text) for text in texts])
        self._inside = np.array([_inside(text) for text in texts])
        self._kinds = np.array([_kind(text) for text in texts])
        for token in range(vocabulary):
            if token in eos or tokenizer.is_special_token(token) or not texts[token]:
                self._outside[token] = self._inside[token] = _NEVER

    def whole(self, matcher: llguidance.LLMatcher, tokens: Sequence[int], limit: int) -> list[int] | None:
        """Return a valid reply of at most `limit` tokens that begins as `tokens` do; None where none was found.

        Args:
            matcher: the schema's, after `tokens`; it is left as it is.
            tokens: the reply so far.
            limit: the most tokens of the whole reply.
        """
        matcher, kept, step = matcher.deep_copy(), len(tokens), 1
        while True:
            end = self._end(matcher.deep_copy(), tokens[:kept], limit)
            if end is not None and kept + len(end) <= limit:
                return [*tokens[:kept], *end]
            if not kept:
                return None
            back = step if end is None else kept + len(end) - limit
            step = 2 * step if end is None else step
            back = min(back, kept)
            matcher.rollback(back)
            kept -= back

    def _end(self, matcher: llguidance.LLMatcher, tokens: Sequence[int], most: int) -> list[int] | None:
        """Return what ends the reply, at most so many tokens; None where that was not found."""
        text, end = self._tokenizer.decode_bytes(list(tokens)), list[int]()
        worn = np.zeros_like(self._inside)
        while not matcher.is_accepting():
            plain = _ESCAPED.sub(b"", text)
            if len(end) >= most or plain.endswith(b"\\"):
                return None
            weights = self._inside + worn if plain.count(b'"') % 2 else self._outside
            left = np.where(self._allowed(matcher), weights, _NEVER)
            token = int(left.argmin())
            if left[token] == _NEVER or not matcher.consume_token(token):
                return None
            end.append(token)
            worn[token] += _AGAIN
            worn[self._kinds == self._kinds[token]] += _ALIKE
            text += self._tokenizer.decode_bytes([token])
        return end


def _outside(text: bytes) -> float:
    kind = _DIGIT if text[:1].isdigit() else _OUTSIDE.get(text[:1], _OTHER)
    return kind + _LENGTH * len(text)


def _inside(text: bytes) -> float:
    """A quotation mark first; where the string may not end yet, the longest piece of plain text."""
    if b"\\" in text or not text.isascii():
        return _ODD
    if b'"' in text:
        return _QUOTED * (text[:1] != b'"') + _LENGTH * len(text)
    return _PLAIN - _LENGTH * len(text)


def _kind(text: bytes) -> int:
    """Tell digits, small letters, other letters and all else apart, by a token's first byte."""
    first = text[:1]
    return 0 if first.isdigit() else 1 if first.islower() else 2 if first.isalpha() else 3
