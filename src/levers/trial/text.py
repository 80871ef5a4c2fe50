"""How texts are made comparable: normalisation, word boundaries, SQuAD tokens, the first number of a text."""

import re
import string
import unicodedata
from collections import Counter
from decimal import Decimal

_SPACE = re.compile(r"\s+")
_QUOTES_AND_DASHES = str.maketrans("‘’“”‐‑‒–—−", "''\"\"------")  # noqa: RUF001
_OPENING = " \"'([{*_,;:¡¿"
_CLOSING = " \"')]}*_.,;:!?…"
_WORD = r"[^\W_]"
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_CURRENCY = r"(?:[€$£¥]|USD|EUR|GBP|JPY|CHF)\s?"
_FREE_NUMBER = re.compile(rf"(?<![^\W_])(?<![0-9]\.)(?:(?<![-+])(?P<sign>[-+])(?:{_CURRENCY})?)?(?P<digits>{_DIGITS})")
_ANY_NUMBER = re.compile(rf"(?P<sign>)(?P<digits>{_DIGITS})")
_MONEY_BEFORE = re.compile(rf"{_CURRENCY}[-+]?$")
_TIMES = re.compile(r"[ \t-]?(hundred|thousand|million|billion|trillion|mn|bn|tn)\b", re.IGNORECASE)
_TIMES_GLUED = re.compile(r"(k)\b(?!-)")  # "5k", not "5 K"
_TIMES_OF_MONEY = re.compile(r" ?([kmb])\b(?![-²³])", re.IGNORECASE)  # "$5M"
_SCALES = {"hundred": 2, "k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "b": 9, "bn": 9, "billion": 9}
_SCALES |= {"tn": 12, "trillion": 12}
_ALIKE = str.maketrans("‘’−", "''-")  # noqa: RUF001
_IN_NUMBERS = re.compile(r"(?<![^\W\d_])(?<![.-])[.-](?=[€$£¥]?\.?[0-9])|(?<=[0-9])[/:](?=[0-9])")
_PRIVATE = 0xE000  # code points that are no punctuation
_CLIP = 80


def normalise(text: str) -> str:
    """Fold case, unify quotes and dashes, squeeze white space and strip punctuation around the whole.

    A leading sign or decimal point stays, for it is part of a number; a text of punctuation only stays as it is.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    squeezed = _SPACE.sub(" ", folded.translate(_QUOTES_AND_DASHES)).strip()
    return squeezed.lstrip(_OPENING).rstrip(_CLOSING) or squeezed


def contains(text: str, part: str) -> bool:
    """Tell whether `part` stands in `text` as whole words, both normalised.

    "3 days" is not in "13 days", nor "5" in "5.50" or "-5". Marks of emphasis are ignored.
    Scripts that write no spaces between words need no boundary.
    """
    haystack, needle = (normalise(each.replace("**", "").replace("`", "")) for each in (text, part))
    if not needle:
        return False
    left = right = ""
    if re.match(r"[€$£¥]?\.?[0-9]", needle):
        left = r"(?<!(?<![^\W_])-)(?<!-[€$£¥])" + (r"(?<![0-9])" if needle[0] == "." else "")
    if _needs_boundary(needle[0]):
        left += rf"(?<!{_WORD})" + (r"(?<![0-9][.,])" if needle[0].isdigit() else "")
    if _needs_boundary(needle[-1]):
        right = rf"(?!{_WORD})" + (r"(?![.,][0-9])" if needle[-1].isdigit() else "")
    hits = re.finditer(left + re.escape(needle) + right, haystack)
    return any(
        not _is_mark(haystack[hit.end() : hit.end() + 1]) and not (left and _is_mark(haystack[: hit.start()][-1:]))
        for hit in hits
    )


def _is_mark(character: str) -> bool:
    """Tell whether a character continues the letter before it, as vowel signs of Hindi do."""
    return unicodedata.category(character or " ")[0] == "M"


def _needs_boundary(character: str) -> bool:
    spaceless = "\u0e00" <= character <= "\u0eff" or "\u2e80" <= character <= "\ua4cf"  # Thai, Lao; Han, kana, …
    return (character.isalnum() or _is_mark(character)) and not spaceless


def squad_tokens(text: str) -> list[str]:
    """Split as SQuAD's metric does: lower case, no punctuation, no English articles (Rajpurkar et al. 2016).

    Unlike there, what stands inside a number stays, but for commas: "1.50" is not "150", nor "-5" "5".
    """
    plain = unicodedata.normalize("NFC", text.lower()).translate(_ALIKE)
    kept = _IN_NUMBERS.sub(lambda sign: chr(_PRIVATE + ord(sign[0])), plain)
    return _ARTICLES.sub(" ", kept.translate(_PUNCTUATION)).split()


def token_f1(found: str, expected: str) -> float:
    """SQuAD's F1: harmonic mean of token precision and recall, 0 to 1; two texts without tokens agree."""
    left, right = squad_tokens(found), squad_tokens(expected)
    if not left or not right:
        return float(left == right)
    shared = sum((Counter(left) & Counter(right)).values())
    return 2 * shared / (len(left) + len(right))


def first_number(text: str) -> Decimal | None:
    """Return the first number of a text, whatever its unit; None when there is none.

    Commas group thousands, and a word of size multiplies ("5 million", "$5M", "5k"). A number glued to a preceding
    letter ("A4") counts only when no other stands free; a hyphen after a word or number is no sign ("3-5" starts
    with 3), one before a currency is ("-$5").
    """
    found = number_at(text)
    return found[0] if found else None


def number_at(text: str) -> tuple[Decimal, int, int] | None:
    """Return the first number of a text as `first_number` does, and where its digits start and it ends."""
    plain = text.translate(_QUOTES_AND_DASHES)
    match = _FREE_NUMBER.search(plain) or _ANY_NUMBER.search(plain)
    if match is None:
        return None
    start, end = match.span("digits")
    number = Decimal((match["sign"] or "") + match["digits"].replace(",", ""))
    money = _MONEY_BEFORE.search(plain[:start])
    times = _TIMES.match(plain, end) or _TIMES_GLUED.match(plain, end) or (money and _TIMES_OF_MONEY.match(plain, end))
    return (number.scaleb(_SCALES[times[1].lower()]), start, times.end()) if times else (number, start, end)


def clip(text: str) -> str:
    """Shorten a text for a reason, on one line; characters that UTF-8 cannot hold are replaced."""
    line = _SPACE.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).strip()
    return line if len(line) <= _CLIP else f"{line[: _CLIP - 1]}…"
