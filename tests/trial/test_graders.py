import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.stack.records import Answer
from levers.task.records import GRADER_KINDS
from levers.trial import BATCHED, GRADERS, Kit, grade
from levers.trial.graders.compared import json_object

from .make import a_case, a_citation, a_grade, a_spec

SCHEMA = {
    "type": "object",
    "required": ["answer", "source"],
    "properties": {"answer": {"type": "string"}, "source": {"type": "string"}, "until": {"format": "date"}},
    "additionalProperties": False,
}


def test_every_kind_of_grader_is_registered():
    assert set(GRADERS) | set(BATCHED) == set(GRADER_KINDS) and not set(GRADERS) & set(BATCHED)


@pytest.mark.parametrize(
    ("kind", "expected", "text", "fields", "credit", "passed"),
    [
        ("exact", "30 days", " 30 Days. ", {}, 1, True),
        ("exact", "30 days", "within 30 days", {}, 0, False),
        ("exact", ("yes", "of course"), "Of course!", {}, 1, True),
        ("contains", "30 days", "You have 30 days.", {}, 1, True),
        ("contains", ("a month", "30 days"), "You have a month.", {}, 1, True),
        ("contains", "3 days", "You have 13 days.", {}, 0, False),
        ("f1", "30 days", "within 30 days", {}, 0.8, True),
        ("f1", "30 days", "within the next 30 days", {}, 2 / 3, False),
        ("f1", "30 days", "within the next 30 days", {"threshold": 0.5}, 2 / 3, True),
        ("f1", ("thirty", "30 days"), "30 days", {}, 1, True),
        ("regex", "unused", "Order 17.", {"pattern": r"Order \d+"}, 1, True),
        ("regex", "unused", "Order X.", {"pattern": r"Order \d+"}, 0, False),
        ("regex", (r"^no", r"(?i)^YES"), "yes, sure", {}, 1, True),
        ("numeric", "12.50 EUR", "It costs $12.5.", {}, 1, True),
        ("numeric", "12.50", "It costs 12.60", {"tolerance": 0.1}, 1, True),
        ("numeric", "12.50", "It costs 12.61", {"tolerance": 0.1}, 0, False),
        ("numeric", "12", "a dozen", {}, 0, False),
        ("choice", "billing", " Billing.", {"choices": ["billing", "returns"]}, 1, True),
        ("choice", "billing", "returns", {"choices": ["billing", "returns"]}, 0, False),
        ("choice", "billing", "It is billing", {"choices": ["billing", "returns"]}, 0, False),
        ("choice", "billing", "billing", {}, 1, True),
        ("choice", "payments", "payments", {"choices": ["billing", "returns"]}, 0, False),
    ],
)
def test_texts(kind, expected, text, fields, credit, passed):
    found = a_grade(kind, expected, text, **fields)
    assert (found.credit, found.passed) == (pytest.approx(credit), passed)
    assert bool(found.why) is not passed
    assert found.grader == kind


@pytest.mark.parametrize(
    ("kind", "expected", "text", "credit"),
    [
        ("exact", {"answer": "yes"}, '{"answer": "Yes", "more": 1}', 1),
        ("exact", {"answer": ["yes", "sure"]}, '{"answer": "Sure"}', 1),
        ("exact", {"answer": ["red", "blue"]}, '{"answer": ["red", "blue"]}', 1),
        ("exact", {"answer": ["red", "blue"]}, '{"answer": ["blue", "green"]}', 0),
        ("exact", {"answer": True}, '{"answer": true}', 1),
        ("exact", {"answer": True}, '{"answer": "no"}', 0),
        ("exact", {"answer": None}, "{}", 1),
        ("exact", {"answer": 12}, '{"answer": 12.0}', 1),
        ("exact", {"answer": [7, 12.0]}, '{"answer": 1.2e1}', 1),
        ("exact", {"answer": 7}, '{"answer": "7"}', 0),
        ("exact", {"answer": "true"}, '{"answer": true}', 0),
        ("exact", {"answer": None}, '{"answer": "null"}', 0),
        ("exact", {"answer": "yes"}, "{}", 0),
        ("contains", {"answer": "30 days"}, '{"answer": "You have 30 days."}', 1),
        ("contains", {"answer": "30 days"}, "You have 30 days.", 0),
        ("numeric", {"answer": 30}, '{"answer": "30 days"}', 1),
        ("f1", {"answer": "30 days"}, '{"answer": "within 30 days"}', 0.8),
        ("exact", {"answer": "yes"}, '["yes"]', 0),
        ("exact", {"answer": "yes"}, '```json\n{"answer": "yes"}\n```', 0),
        ("exact", {"answer": "NaN"}, '{"answer": NaN}', 0),
        ("exact", {"answer": "1"}, "[" * 100_000, 0),
    ],
)
def test_a_field(kind, expected, text, credit):
    found = a_grade(kind, expected, text, field="answer")
    assert (found.grader, found.credit) == (f"{kind}:answer", pytest.approx(credit))


def test_without_a_field_every_expected_field_must_match():
    expected = {"answer": "30 days", "source": ["returns.md", "faq.md"]}
    whole = a_grade("exact", expected, '{"answer": "30 days", "source": "faq.md"}')
    half = a_grade("exact", expected, '{"answer": "30 days", "source": "else.md"}')
    assert (whole.credit, whole.passed) == (1, True)
    assert (half.credit, half.passed) == (0.5, False)
    assert "source" in half.why and "answer:" not in half.why


def test_contains_looks_for_expected_fields_in_plain_text_where_others_do_not():
    expected, text = {"days": "30 days", "place": "shop"}, "Bring it to the shop within 30 days."
    assert a_grade("contains", expected, text).passed
    assert a_grade("exact", expected, text).credit == 0
    assert a_grade("contains", expected, "Bring it to the shop.").credit == 0.5


def test_a_cut_answer_says_so():
    found = grade(
        a_spec("exact", field="a"), a_case({"a": "b"}), Answer(id="c1", text='{"a": "', finish="length"), Kit()
    )
    assert "token limit" in found.why


@pytest.mark.parametrize(
    ("text", "credit"),
    [
        ('{"answer": "a", "source": "s"}', 1),
        ('{"answer": "a", "source": 3}', 1 / 2),
        ('{"answer": "a"}', 1 / 2),
        ("{}", 0),
        ('{"answer": "a", "source": "s", "extra": 1}', 2 / 3),
        ('{"answer": "a", "source": "s", "until": "tomorrow"}', 2 / 3),
        ('{"answer": "a", "source": "s", "until": "2026-01-31"}', 1),
        ("plain", 0),
        ('["answer"]', 0),
    ],
)
def test_schema(text, credit):
    found = a_grade("schema", "unused", text, {"s.json": SCHEMA}, schema="s.json")
    assert found.credit == pytest.approx(credit)
    assert found.passed is (credit == 1)
    assert bool(found.why) is not found.passed


@pytest.mark.parametrize("rule", [{"then": {"required": ["reason"]}, "if": {}}, {"allOf": [{"required": ["reason"]}]}])
def test_a_field_that_a_rule_within_the_schema_asks_for_costs_credit(rule):
    found = a_grade("schema", "", '{"answer": "unknown"}', {"s": {"required": ["answer"], **rule}}, schema="s")
    assert found.passed is False and found.credit == 0.5


def test_a_schema_takes_no_number_that_json_lacks():
    assert not a_grade("schema", "unused", "[NaN]", {"s.json": {"type": "array"}}, schema="s.json").passed


def test_schema_of_a_field_and_of_a_list():
    numbers = {"type": "array", "items": {"type": "number"}}
    assert a_grade("schema", "", '{"n": [1, 2]}', {"s": numbers}, schema="s", field="n").passed
    assert not a_grade("schema", "", '{"n": ["1"]}', {"s": numbers}, schema="s", field="n").passed
    assert not a_grade("schema", "", "{}", {"s": numbers}, schema="s", field="n").passed
    assert a_grade("schema", "", "[1]", {"s": numbers}, schema="s").passed
    assert a_grade("schema", "", "{", {"s": numbers}, schema="s").credit == 0


def test_a_schema_that_points_to_the_network_is_not_fetched(monkeypatch):
    asked = []
    monkeypatch.setattr("urllib.request.urlopen", lambda *request, **options: asked.append(request))
    found = a_grade("schema", "", "{}", {"s": {"$ref": "http://127.0.0.1:9/other.json"}}, schema="s")
    assert found.credit is None
    assert "Unresolvable" in found.why
    assert not asked


@pytest.mark.parametrize(
    ("citations", "passed"),
    [
        ([a_citation("docs/returns.md", "refunds")], True),
        ([a_citation("docs/x.md", "y"), a_citation("docs/returns.md", "refunds")], True),
        ([a_citation("docs/returns.md", "exchanges")], False),
        ([a_citation("docs/returns.md", "refunds", "  ")], False),
        ([a_citation("docs/faq.md", "anything")], True),
        ([], False),
    ],
)
def test_citation(citations, passed):
    case = a_case("x", evidence=("docs/returns.md#refunds", "docs/faq.md"))
    found = grade(a_spec("citation"), case, Answer(id="c1", text="x", citations=tuple(citations)), Kit())
    assert (found.passed, found.credit) == (passed, float(passed))


def test_a_case_without_evidence_is_not_scored_on_citations():
    found = grade(a_spec("citation"), a_case("x"), Answer(id="c1", text="x"), Kit())
    failed = grade(a_spec("citation"), a_case("x"), Answer(id="c1", text="", error="down"), Kit())
    assert (found.credit, found.passed) == (failed.credit, failed.passed) == (None, None)
    assert found.why and "down" in failed.why


@pytest.mark.parametrize("kind", GRADER_KINDS)
def test_a_failed_answer_gets_nothing_and_says_why(kind):
    case = a_case("30 days", evidence=("d.md#s",))
    for fields in ({"error": "the server said 500"}, {"finish": "error"}):
        answer = Answer(id="c1", text="30 days", citations=(a_citation("d.md", "s"),), **fields)
        found = grade(a_spec(kind, pattern="."), case, answer, Kit())
        assert (found.credit, found.passed) == (0, False)
        assert found.why == f"no answer: {fields.get('error', 'the model gave an error')}"


@pytest.mark.parametrize("kind", GRADER_KINDS)
def test_what_an_outage_cost_is_not_scored(kind):
    case = a_case("30 days", evidence=("d.md#s",))
    for fields in ({"finish": "error", "error": "the server said 503"}, {"text": "30 days"}):
        found = grade(a_spec(kind, pattern="."), case, Answer(id="c1", outage=True, **{"text": "", **fields}), Kit())
        assert (found.credit, found.passed, found.crashed) == (None, None, False)
        assert found.why.startswith("no answer: ")


@pytest.mark.parametrize(
    ("kind", "expected", "fields"),
    [
        ("regex", "x", {"pattern": "("}),
        ("schema", "x", {"schema": "absent.json"}),
        ("numeric", "many", {}),
        ("exact", (), {}),
        ("exact", "x", {"field": "answer"}),
        ("exact", {"b": "x"}, {"field": "answer"}),
    ],
)
def test_a_grader_that_breaks_scores_nothing(kind, expected, fields):
    found = a_grade(kind, expected, "text", **fields)
    assert (found.credit, found.passed) == (None, None)
    assert "grader broke" in found.why


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(GRADER_KINDS),
    st.text() | st.lists(st.text(), min_size=1) | st.dictionaries(st.text(max_size=3), json_values),
    st.text() | json_values.map(json.dumps),
    st.sampled_from([None, "answer"]),
)
def test_any_answer_yields_a_well_formed_grade(kind, expected, text, field):
    case = a_case(tuple(expected) if isinstance(expected, list) else expected, evidence=("a#b",))
    spec = a_spec(kind, field=field, schema="s", threshold=0.5)
    found = grade(spec, case, Answer(id="c1", text=text), Kit(schemas={"s": SCHEMA}))
    assert (found.credit is None) is (found.passed is None)
    assert found.credit is None or 0 <= found.credit <= 1
    assert found.passed or found.why
    found.model_dump_json()


@given(st.dictionaries(st.sampled_from("abc"), st.text(min_size=1), min_size=1))
def test_an_answer_that_repeats_the_expected_object_passes(expected):
    text = json.dumps(expected)
    assert a_grade("exact", expected, text).passed
    assert json_object(Answer(id="x", text=text))[0] == expected


def test_reasons_survive_characters_that_utf8_cannot_hold():
    assert not a_grade("exact", {"a": "b"}, '{"a": "\\ud800"}', field="a").passed
