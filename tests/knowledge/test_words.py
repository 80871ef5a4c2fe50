"""The words that BM25 compares, in scripts with and without spaces, marks and accents."""

import pytest

from levers.knowledge.words import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Caf\u00e9 Gr\u00f6\u00dfe", ["cafe", "gross"]),
        ("\u0451\u043b\u043a\u0438", ["\u0435\u043b\u043a\u0438"]),
        ("\ud55c\uad6d", ["\ud55c", "\uad6d"]),
        ("\u0915\u093f\u0924\u093e\u092c \u0939\u0948", ["\u0915\u093f\u0924\u093e\u092c", "\u0939\u0948"]),
        ("\u304c\u304b", ["\u304c", "\u304b"]),
        ("\u26a0\ufe0fHot \u26a0\ufe0f tent", ["hot", "tent"]),
    ],
)
def test_words_of_many_scripts(text: str, found: list[str]) -> None:
    assert words(text) == found
