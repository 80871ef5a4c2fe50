"""Graders that use more than the two texts: units, databases, commands, embeddings, rules."""

import os
import sqlite3
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.stack.records import Answer, Passage, Question
from levers.task.units import UNITS, unit
from levers.testing import HashEmbedder, ScriptedModel
from levers.trial import Kit, grade, grade_all, grade_live

from .make import a_case, a_citation, a_grade, a_spec


@pytest.mark.parametrize(
    ("expected", "text", "fields", "passed"),
    [
        ("5 km", "It is 5,000 m away.", {"unit": "km"}, True),
        ("5 km", "It is 5,100 m away.", {"unit": "km"}, False),
        ("5 km", "It is 5,100 m away.", {"unit": "km", "relative": 0.02}, True),
        ("5", "5", {"unit": "km"}, True),
        ("5 km", "It takes 5 hours.", {"unit": "km"}, False),
        ("90 minutes", "1.5 hours", {"unit": "min"}, True),
        ("€20", "20 EUR", {"unit": "EUR"}, True),
        ("€20", "$20", {"unit": "EUR"}, False),
        ("20 °C", "68 °F", {"unit": "°C", "tolerance": 0.001}, True),
        ("5 kg", "5 tents", {"unit": "kg"}, True),
        ("200", "205", {"relative": 0.05}, True),
        ("200", "211", {"relative": 0.05}, False),
        ("12 %", "0.12", {"unit": "%"}, False),
        ("30 days", "30 months", {"unit": "day"}, False),
        ("24 months", "2 years", {"unit": "month"}, True),
        ("5 mg", "5 µg", {"unit": "mg"}, False),
        ("5 mg", "5,000 mcg", {"unit": "mg"}, True),
        ("5 MW", "5 mW", {"unit": "MW"}, False),
        ("5 MW", "5 mw", {"unit": "mw"}, True),
        ("8 Mb", "1 MB", {"unit": "MB"}, True),
        ("5 GWh", "5,000 MWh", {"unit": "GWh"}, True),
        ("5 m²", "5 m", {"unit": "m²"}, False),
        ("$5", "$5 million", {"unit": "usd"}, False),
        ("$5", "5 cents", {"unit": "usd"}, False),
        ("5 kg", "MIN 5 kg", {"unit": "kg"}, True),
        ("5 EUR", "SEK 5", {"unit": "EUR"}, False),
        ("$5,000,000", "5 million dollars", {"unit": "usd"}, True),
        ("$5,000,000", "$5M", {"unit": "usd"}, True),
        ("-$5", "$5", {}, False),
        ("-$5", "−5 USD", {"unit": "usd"}, True),  # noqa: RUF001
        ("-€5", "-$5", {"unit": "eur"}, False),
        ("12 kg", "12 in total", {"unit": "kg"}, True),
        ("12 kg", "12 in", {"unit": "kg"}, False),
        ("30.48 cm", "12 in wide", {"unit": "cm"}, True),
    ],
)
def test_numbers_with_units(expected, text, fields, passed):
    found = a_grade("numeric", expected, text, **fields)
    assert found.passed is passed and not found.crashed, found.why


def test_numbers_in_a_unit_nobody_knows_score_nothing():
    assert a_grade("numeric", "5", "5", unit="smoots").crashed
    assert a_grade("numeric", "5 hours", "5 km", unit="km").crashed


@given(st.sampled_from(sorted(name for name in UNITS if UNITS[name].dimension == "length")), st.integers(1, 10**6))
def test_a_length_is_the_same_in_metres(name, count):
    metres = Decimal(count) * unit(name).factor
    assert a_grade("numeric", f"{metres:f} m", f"about {count} {name}", unit="m", relative=1e-9).passed


PASSAGE = Passage(document="d.md", section="s", heading="S", text="Back within 30 days, please.", start=100, end=128)


def cited(start, quote, document="d.md"):
    return a_citation(document, "s", quote).model_copy(update={"start": start, "end": start + len(quote)})


@pytest.mark.parametrize(
    ("citation", "support", "passed", "says"),
    [
        (cited(112, "30 days"), None, True, ""),
        (cited(112, "31 days"), None, False, "does not hold"),
        (cited(12, "30 days"), None, False, "does not hold"),
        (cited(100, "Back"), "answer", True, ""),  # the passage around the quote holds the answer
        (cited(112, "30 days", "secret.md"), None, False, "may not read secret.md"),
    ],
)
def test_a_citation_exists_may_be_read_and_supports(citation, support, passed, says):
    kit = Kit(readable=lambda reference, user: not reference.startswith("secret.md"))
    case = a_case("30 days", evidence=() if support else ("d.md#s",))
    answer = Answer(id="c1", text="30 days", citations=(citation,), passages=(PASSAGE,))
    found = grade(a_spec("citation", support=support), case, answer, kit)
    assert found.passed is passed and says in found.why
    if support:
        other = grade(a_spec("citation", support=support), a_case("a year"), answer, kit)
        assert other.passed is False and "a year" in other.why


@pytest.fixture
def shop(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.executescript(
            "CREATE TABLE stock (name TEXT, price REAL);"
            "INSERT INTO stock VALUES ('tent', 199.5), ('rope', 20), ('mug', 9);"
        )
    database.close()
    return Kit(root=tmp_path, tables="shop.db")


SELECT = "SELECT name, price FROM stock"


@pytest.mark.parametrize(
    ("expected", "text", "passed"),
    [
        (SELECT, "SELECT name AS n, price FROM stock ORDER BY price", True),
        (SELECT, f"```sql\n{SELECT};\n```", True),
        (f"{SELECT} ORDER BY price", f"{SELECT} ORDER BY price DESC", False),
        (f"{SELECT} ORDER BY lower(name)", f"{SELECT} ORDER BY name DESC", False),
        ("SELECT name FROM (SELECT name FROM stock ORDER BY price)", "SELECT name FROM stock ORDER BY 1", True),
        (SELECT, "SELECT price, name FROM stock", False),
        (SELECT, f"{SELECT} WHERE price > 10", False),
        ("SELECT sum(price) FROM stock", "SELECT 228.5000000000001", True),
        ("SELECT 20", "SELECT 20.0", True),
        ("SELECT 9007199254740993", "SELECT 9007199254740992", False),
        ("SELECT 12345678901 ORDER BY 1", "SELECT 12345678902", False),
        ("SELECT 1.0", "SELECT 1.00000001", False),
        ("SELECT 1.0", "SELECT 1.0000000001", True),
        (("SELECT 1", "SELECT 2"), "SELECT 2", True),
        (SELECT, "SELEC name", False),
        (SELECT, "DROP TABLE stock", False),
        (SELECT, f"{SELECT}; DELETE FROM stock", False),
        (SELECT, "PRAGMA table_info(stock)", False),
        (SELECT, "ATTACH 'other.db' AS o", False),
        (SELECT, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n", False),
    ],
)
def test_a_query_is_right_when_it_gives_the_same_rows(shop, expected, text, passed):
    found = grade(a_spec("sql"), a_case(expected), Answer(id="c1", text=text), shop)
    assert (found.passed, found.crashed) == (passed, False), found.why
    with sqlite3.connect(shop.root / "shop.db") as database:
        assert database.execute("SELECT count(*) FROM stock").fetchone() == (3,)
    database.close()
    assert sorted(each.name for each in shop.root.iterdir()) == ["shop.db"]


@pytest.mark.parametrize("huge", ["zeroblob(200000000)", "hex(zeroblob(9000000))"])
def test_a_query_builds_no_value_that_fills_the_memory(shop, huge):
    found = grade(a_spec("sql"), a_case("SELECT 1"), Answer(id="c1", text=f"SELECT length({huge})"), shop)
    assert found.passed is False and "too big" in found.why


def test_a_query_finds_its_database_from_a_relative_folder(shop, monkeypatch):
    monkeypatch.chdir(shop.root)
    found = grade(a_spec("sql"), a_case(SELECT), Answer(id="c1", text=SELECT), Kit(tables="shop.db"))
    assert found.passed, found.why


@pytest.mark.parametrize("text", ["", ";", "-- nothing", "SELECT name FROM stock WHERE 0", f"{SELECT} WHERE price < 0"])
def test_no_rows_are_right_only_from_a_query_with_as_many_columns(shop, text):
    found = grade(a_spec("sql"), a_case(f"{SELECT} WHERE 0"), Answer(id="c1", text=text), shop)
    assert found.passed is text.startswith(SELECT) and not found.crashed, found.why
    assert grade(a_spec("sql"), a_case("-- nothing"), Answer(id="c1", text=text), shop).crashed


def test_a_query_without_a_database_or_a_sound_expectation_scores_nothing(shop):
    answer = Answer(id="c1", text=SELECT)
    assert grade(a_spec("sql"), a_case(SELECT), answer, Kit(root=shop.root)).crashed
    assert grade(a_spec("sql", database="gone.db"), a_case(SELECT), answer, shop).crashed
    assert grade(a_spec("sql"), a_case("SELECT nothing"), answer, shop).crashed


VALIDATOR = """
import json, os, sys
told = json.load(sys.stdin)
if told["answer"] == "crash":
    sys.exit("boom")
if told["answer"] == "broken":
    told["no such key"]
if told["answer"] == "caught":
    import traceback
    try:
        told["no such key"]
    except KeyError:
        traceback.print_exc()
    print(json.dumps({"why": "no such key"})); sys.exit(1)
if told["answer"] == "keys":
    print(json.dumps({"why": str([name for name in os.environ if "KEY" in name])})); sys.exit(1)
print("checked")
print(json.dumps({"credit": len(told["answer"]) / 10, "why": "too short"}))
sys.exit(0 if told["answer"] == told["expected"] else 3 if told["answer"] == "odd" else 1)
"""


@pytest.mark.parametrize(
    ("text", "credit", "passed", "why"),
    [
        ("0123456789", 1.0, True, ""),
        ("01234", 0.5, False, "too short"),
        ("odd", None, None, "exit code 3"),
        ("crash", 0.0, False, "the command says no"),
        ("broken", None, None, "KeyError: 'no such key'"),
        ("caught", 0.0, False, "no such key"),
        ("keys", 0.0, False, "[]"),
    ],
)
def test_a_command_decides(tmp_path, monkeypatch, text, credit, passed, why):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    (tmp_path / "check.py").write_text(VALIDATOR)
    spec = a_spec("code", command=["python", "check.py"])
    found = grade(spec, a_case("0123456789"), Answer(id="c1", text=text), Kit(root=tmp_path))
    assert (found.credit, found.passed) == (credit, passed) and why in found.why
    assert found.crashed is (credit is None)
    assert os.environ["OPENAI_API_KEY"] == "secret"


def test_a_command_that_is_not_there_is_a_crash(tmp_path):
    answer = Answer(id="c1", text="x")
    assert grade(a_spec("code", command=["./no-such-program"]), a_case("x"), answer, Kit(root=tmp_path)).crashed
    (tmp_path / "bad.py").write_text("print('{\"credit\": 7}')")
    found = grade(a_spec("code", command=["python", "bad.py"]), a_case("x"), answer, Kit(root=tmp_path))
    assert found.crashed and "between 0 and 1" in found.why


def test_meaning_is_compared_by_the_tasks_own_embeddings():
    kit = Kit(embedder=HashEmbedder)
    pairs = [
        (a_case(("thirty days", "a month"), id="1"), Answer(id="1", text="a month")),
        (a_case("thirty days", id="2"), Answer(id="2", text="nothing of that kind")),
        (a_case({"answer": "x"}, id="3"), Answer(id="3", text="plain")),
        (a_case({"other": "x"}, id="4"), Answer(id="4", text='{"answer": "x"}')),
    ]
    whole, other = grade_all(a_spec("semantic"), pairs[:2], kit)
    assert (whole.passed, whole.credit) == (True, pytest.approx(1)) and other.passed is False
    assert "cosine" in other.why
    plain, lame = grade_all(a_spec("semantic", field="answer"), pairs[2:], kit)
    assert plain.credit == 0 and lame.crashed
    assert grade(a_spec("semantic"), *pairs[0], Kit()).crashed


@pytest.mark.parametrize(
    ("rules", "text", "credit", "says"),
    [
        ({"max_words": 4}, "Yes, you may.", 1, ""),
        ({"max_words": 2}, "Yes, you may.", 0, "3 words, at most 2"),
        ({"min_words": 2, "max_sentences": 1}, "Yes. You may!", 0.5, "2 sentences"),
        ({"require": ["\\byou\\b"], "forbid": ["unfortunately"]}, "Unfortunately, You may not.", 0.5, "Unfortunately"),
        ({"require": ["please"]}, "No.", 0, "nothing matches please"),
    ],
)
def test_tone_by_rules(rules, text, credit, says):
    found = grade(a_spec("tone", rules=rules), a_case("unused"), Answer(id="c1", text=text), Kit())
    assert (found.credit, found.passed) == (credit, credit == 1) and says in found.why


def test_live_traffic_is_graded_by_the_same_graders_as_the_golden_set():
    specs = [
        a_spec("schema", schema="s"),
        a_spec("tone", rules={"max_words": 9}),
        a_spec("regex", pattern=r"\d"),
        a_spec("exact"),
        a_spec("regex"),
        a_spec("citation"),
        a_spec("judge", model="openai/judge", rubric="It names the days."),
    ]
    model = ScriptedModel(lambda ask: '{"why": "", "score": 5}')
    kit = Kit(schemas={"s": {"type": "object"}}, open_model=lambda name: model)
    answer = Answer(id="q", text='{"answer": "30 days"}')
    live = grade_live(specs, Question(id="q", input="How long?"), answer, kit)
    trial = [grade(spec, a_case({"answer": "30 days"}), answer, kit) for spec in specs]
    assert [each.passed for each in live] == [True, True, True, None, None, None, True]
    assert [each.version for each in live] == [each.version for each in trial]
    assert all(not each.crashed for each in live)
    assert "reference" not in model.asked[0].messages[-1].content


def test_a_grader_may_be_for_some_cases_only():
    spec = a_spec("exact", only=["short", "plain"])
    answer = Answer(id="c1", text="no")
    meant = grade(spec, a_case("yes").model_copy(update={"tags": ("short",)}), answer, Kit())
    other = grade(spec, a_case("yes"), answer.model_copy(update={"error": "down"}), Kit())
    assert meant.passed is False
    assert (other.passed, other.crashed, other.why) == (None, False, "only for cases tagged short or plain")
