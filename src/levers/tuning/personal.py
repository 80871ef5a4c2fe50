"""Personal data in text, by its form: addresses, numbers of phones, cards and accounts. What is tuned on is learnt."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Personal(NamedTuple):
    """A stretch of text that looks like personal data, and of which kind."""

    kind: str
    text: str


_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_DIGITS = re.compile(r"(?<![\w.,])\+?\d(?:[ ()/-]{0,2}\d){8,18}(?![\w]|[.,]\d)")
_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_SOCIAL = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")


def find_personal(text: str) -> Iterator[Personal]:
    """Yield what looks like personal data, in the order of the kinds below.

    E-mail addresses; account numbers whose check digits hold (IBAN, ISO 13616: mod 97 is 1); card numbers whose check
    digit holds (ISO/IEC 7812-1, Luhn); other long numbers written as phone numbers are, with a leading + or 0; internet
    addresses; numbers in the form of US social security numbers.
    """
    yield from (Personal("e-mail address", each) for each in _MAIL.findall(text))
    yield from (Personal("account number", each) for each in _IBAN.findall(text) if iban_holds(each))
    for each in _DIGITS.findall(_SOCIAL.sub(" ", _IBAN.sub(" ", text))):
        digits = re.sub(r"\D", "", each)
        if luhn_holds(digits):
            yield Personal("card number", each)
        elif each[0] in "+0" and len(digits) <= 15:  # E.164: at most 15 digits
            yield Personal("phone number", each)
    for each in _ADDRESS.findall(text):
        if all(int(part) < 256 for part in each.split(".")):
            yield Personal("internet address", each)
    yield from (Personal("social security number", each) for each in _SOCIAL.findall(text))


def iban_holds(text: str) -> bool:
    """Tell whether the check digits of an account number hold (ISO 13616)."""
    flat = text.replace(" ", "")
    return int("".join(str(int(each, 36)) for each in flat[4:] + flat[:4])) % 97 == 1


def luhn_holds(digits: str) -> bool:
    """Tell whether 13 to 19 digits end in Luhn's check digit (ISO/IEC 7812-1)."""
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [int(each) * (1 + place % 2) for place, each in enumerate(reversed(digits))]
    return sum(each - 9 * (each > 9) for each in doubled) % 10 == 0
