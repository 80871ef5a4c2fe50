import pytest

from levers.knowledge import Found
from levers.knowledge.fuse import twins


def passage(text: str, heading: str = "Guide") -> Found:
    return Found(document="docs/a.md", section="s", heading=heading, text=text, start=0, end=len(text))


_PLAN = "The plan costs {} a month for each seat and is billed in advance every single year."
_STORE = "Store the vaccine at {} degrees in the cold room and log it twice every single day."
_KIT = "Install the {} kit with the package manager, then restart the server and run all of the tests."
_RATE = "The valve opens when the pressure is {} bar, and the log says so on every single day."


@pytest.mark.parametrize("other", ["Guide", "Another page"])
@pytest.mark.parametrize(
    ("text", "one", "two"),
    [
        (_PLAN, "€100", "$100"),
        (_STORE, "-5", "5"),
        (_STORE, "- 5", "5"),
        (_KIT, "C++", "C#"),
        (_KIT, "c++", "c#"),
        (_RATE, "< 5", "> 5"),
        (_RATE, "1.5", "1,5"),
        (_RATE, ".5", "5"),
        (_RATE, "from 5 to 7", "from 7 to 5"),
        ("वह {} है और यह घर वहाँ पर है जो कल था आज नहीं", "मेरा", "मारी"),
        ("{}", "वह मेरा है", "वह मारी है"),
    ],
)
def test_another_sign_is_another_passage(text: str, one: str, two: str, other: str) -> None:
    assert not twins(passage(text.format(one)), passage(text.format(two), other))


def test_blanks_and_punctuation_are_no_difference() -> None:
    text = _PLAN.format("€100")
    assert twins(passage(text), passage(text.replace(" ", "\n"), "Another page"))
    assert twins(passage(text), passage(text.replace("single year.", "single, year")))
    assert twins(passage(_STORE.format("-5")), passage(_STORE.format("\u22125")))
    assert twins(passage("Café au lait"), passage("Cafe\u0301 au lait"))
