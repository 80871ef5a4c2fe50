import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.ledger import Message
from levers.task import leaks
from levers.task.golden import Golden
from levers.task.leaks import check_leaks, find_leaks, find_source_leaks, first_value
from levers.task.records import Case, Example
from levers.task.rules import plain


def found(golden: str, example: str) -> list[str]:
    case = Case(id="c1", input=golden, expected="x", partition="test")
    asked = Example(messages=(Message(role="user", content=example),), answer="x", line=4)
    problems = check_leaks(Golden("golden.jsonl", (case,), (9,), ()), [asked], "examples.jsonl")
    assert all((each.file, each.line) == ("examples.jsonl", 4) for each in problems)
    assert all("c1 (golden.jsonl:9, test)" in each.found for each in problems)
    return [each.found.split(" of golden")[0] for each in problems]


@pytest.mark.parametrize(
    ("golden", "example", "verdict"),
    [
        ("Hi there", "hi   there!", ["the question"]),
        ("???", "???", ["the question"]),
        ("???", "!!!", []),
        (
            "What does it cost to ship a parcel to an island?",
            "What does it cost to ship parcel to an island",
            ["nearly the question"],
        ),
        (
            "To an island, what does it cost to ship a parcel?",
            "What does it cost to ship a parcel to an island?",
            ["nearly the question"],
        ),
        ("How long does shipping take?", "How long does shipping take for a heavy cast-iron stove?", []),
        (
            "Which strap belongs to the large Heron rucksack from last year?",
            "Which strap belongs to the large Plover rucksack from last year?",
            [],
        ),
        (
            "Can I still send back order 1182 after three weeks?",
            "Can I still send back order 1957 after three weeks?",
            [],
        ),
        ("Short one, is it?", "Short one, was it?", []),
    ],
)
def test_leaks(golden: str, example: str, verdict: list[str]) -> None:
    assert found(golden, example) == verdict


@given(st.text(min_size=1).filter(str.strip))
def test_the_same_words_are_always_a_leak(text: str) -> None:
    assert found(text, f"  {text}\n") == ["the question"]


@given(st.text())
def test_plain_is_stable(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_the_last_turn_is_what_is_compared() -> None:
    turns = (Message(role="user", content="Hello"), Message(role="assistant", content="Hi"))
    case = Case(id="c1", input=(*turns, Message(role="user", content="Any tents?")), expected="x", partition="dev")
    asked = Example(messages=(Message(role="user", content="any tents"),), answer="x", line=1)
    assert len(check_leaks(Golden("golden.jsonl", (case,), (1,), ()), [asked], "e.jsonl")) == 1


def test_many_examples_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levers.task.leaks._BLOCK", 2)
    question = "What does it cost to ship a parcel to an island?"
    case = Case(id="c1", input=question, expected="x", partition="dev")
    texts = ["Nothing of the kind at all, not even near", "Hm", "Well", "So", f"Please: {question}"]
    asked = [
        Example(messages=(Message(role="user", content=text),), answer="x", line=n) for n, text in enumerate(texts)
    ]
    assert [each.line for each in check_leaks(Golden("g", (case,), (1,), ()), asked, "e")] == [4]


def test_the_fact_of_an_answer_is_its_first_text_or_number() -> None:
    assert first_value('{"found": true, "amount": 42.5, "unit": "EUR"}') == "42.5"
    assert first_value('{"found": true}') == "True" and first_value('{"found": null}') == ""
    assert first_value('{"found": {}, "notes": ["a", "b"]}') == "['a', 'b']"
    assert first_value("42.5 EUR") == "42.5 EUR" and first_value("7") == "7"
    assert first_value("12.90") == "12.90" and first_value("1e3") == "1e3"


def test_a_price_is_a_fact_as_it_is_written() -> None:
    case = Case(id="a", input="How much?", expected="12.90", partition="test", evidence=("docs/a.md#p",))
    asked = (Message(role="user", content="The price of the stove?"),)
    example = Example(messages=asked, answer="12.90", evidence=("docs/a.md#p",))
    assert [leak.how for leak in find_source_leaks([case], [example])] == ["the fact"]


def test_long_questions_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    look = leaks._look
    monkeypatch.setattr(leaks, "_look", lambda text: looked.append(text) or look(text))
    words = " ".join(f"Word{n % 700}" if n % 7 == 0 else f"word{n % 900}" for n in range(900))
    cases = [Case(id=str(n), input=f"{words} Item{n}?", expected="x", partition="dev") for n in range(6)]
    asked = [Example(messages=(Message(role="user", content=f"{words} Item{n}?"),), answer="y") for n in range(50, 56)]
    assert find_leaks(cases, asked) == [] and len(looked) == 12


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ('Ask Ana. "Where is Bo?" (Cy knows)', {"ana", "bo"}),
        ("\n  Tent A2, tent   Alpine", {"a2", "alpine"}),
        ("I saw It", {"it"}),
    ],
)
def test_what_singles_a_question_out(text: str, marks: set[str]) -> None:
    assert leaks._marks(text) == marks


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Caf\u00e9?", "cafe\u0301", True),
        ("What is C++?", "what is c++", True),
        ("What is C++?", "What is C#?", False),
        ("Is -5 ok?", "Is 5 ok?", False),
        ("3-5 days?", "3 5 days", True),
        ("5 % off", "5 off", False),
        ("over >5 kg", "over <5 kg", False),
        ("> 5 kg at 5%", ">5 kg at 5 %", True),
        ("\u22125 ok", "-5 ok", True),
        ("\u0915\u093f", "\u0915\u093e", False),
        ("well-known - really", "well known really", True),
    ],
)
def test_what_makes_two_texts_the_same(one: str, other: str, same: bool) -> None:
    assert (plain(one) == plain(other)) is same


def test_an_answer_of_many_brackets_is_a_text() -> None:
    assert first_value("[" * 100_000) == "[" * 100_000
