"""From the bytes of a text file to its text: the encoding is read from its marks, or found by looking."""

import codecs
import re
from typing import NamedTuple

from levers.knowledge.optional import need
from levers.knowledge.outline import line_at
from levers.knowledge.reading import Unreadable

_MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_SEQUENCE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]{1,3}")  # what UTF-8 makes of a letter beyond ASCII
_CODE_PAGES = "cp1252 iso8859_15 cp1250 iso8859_2 cp1251 koi8_r iso8859_5 cp1253 iso8859_7 cp1254 cp1255 cp1256".split()  # noqa: SIM905
_COMMONEST = "cp1252"  # what most files that are not UTF-8 are; it wins where others read no better
_EVEN = 0.02  # difference in mess that decides nothing
_EAST_ASIAN = "shift_jis euc_jp cp932 gb18030 big5 euc_kr".split()  # noqa: SIM905
_LOOKED_AT = 200_000  # bytes from which an encoding is guessed
_MESSY = 0.1  # share of mess from which a guess is no text
_NO_CHARSETS = frozenset("idna punycode raw-unicode-escape undefined unicode-escape utf-7".split())  # noqa: SIM905
_WIDE = re.compile(r"utf[-_]?(16|32).*", re.IGNORECASE)  # a declaration in ASCII letters cannot be in these
_SAVE = "save the file as UTF-8"


class Decoded(NamedTuple):
    """A file's text and the encoding it was read in; `guessed` when nothing in the file said so."""

    text: str
    encoding: str
    guessed: bool = False


def decode(data: bytes, markup: bool = False) -> Decoded:
    """Return a file's text. `markup`: an HTML file may declare its encoding. Raises Unreadable for what is no text."""
    found = _decode(data, markup)
    control = _CONTROL.search(found.text)
    if control:
        line = line_at(found.text, control.start())
        what = "NUL bytes: a binary file" if control[0] == "\0" else f"the control character 0x{ord(control[0]):02x}"
        raise Unreadable(what, "text", "is it damaged, or another kind of file?", line)
    return found


def _decode(data: bytes, markup: bool) -> Decoded:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return Decoded(data.decode(encoding), encoding)
            except UnicodeDecodeError as error:
                raise Unreadable(f"damaged {encoding.upper()}", "whole characters", _SAVE) from error
    try:
        return Decoded(data.decode("utf-8-sig"), "utf-8")
    except UnicodeDecodeError as error:
        line = line_at(data[: error.start].decode("utf-8", "replace"), len(data))
        found = f"byte 0x{data[error.start]:02x}, which is not UTF-8"
    declared = _DECLARED.search(data[:4096]) if markup else None
    if declared:
        try:
            name = declared[1].decode("ascii")
            if codecs.lookup(name).name not in _NO_CHARSETS and not _WIDE.fullmatch(name):
                return Decoded(data.decode(name), name.lower())
        except (LookupError, UnicodeError):
            pass  # a wrong declaration says nothing
    if _SEQUENCE.search(data) and _mostly_utf8(data):
        raise Unreadable(
            f"{found} as the rest of the file is", "UTF-8", "the file is damaged or cut; fetch it again", line
        )
    guess = _guess(data)
    if guess is None:
        raise Unreadable(found, "UTF-8", _SAVE, line)
    return Decoded(data.decode(guess), guess, guessed=True)


def _mostly_utf8(data: bytes) -> bool:
    """Tell damaged UTF-8 from another encoding: most of its bytes beyond ASCII still make whole characters."""
    beyond = sum(byte > 127 for byte in data)
    whole = data.decode("utf-8", "ignore")
    kept = sum(len(letter.encode()) for letter in whole if letter > "\x7f")
    return kept * 2 > beyond


def _guess(data: bytes) -> str | None:
    """Return the likeliest encoding, or None when no common one gives clean text."""
    normalizer = need("charset_normalizer", "charset-normalizer")
    for pages in (_CODE_PAGES, _EAST_ASIAN):
        found = normalizer.from_bytes(data[:_LOOKED_AT], cp_isolation=pages, threshold=_MESSY)
        best = found.best()
        if best is None:
            continue
        western = next((each for each in found if _COMMONEST in each.could_be_from_charset), best)
        even = western.chaos <= best.chaos + _EVEN and western.coherence >= best.coherence - 10 * _EVEN
        guess = _COMMONEST if western is not best and even else str(best.encoding)
        try:
            data.decode(guess)
        except UnicodeDecodeError:
            continue
        return guess
    return None
