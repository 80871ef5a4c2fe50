"""Advice without data: every row of the matrix leads to its lever and to no wrong one; conflicts are pointed out."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levers.economics import PriceBook
from levers.errors import UserError
from levers.plan import Advice, Circumstances, advise
from levers.plan.circumstances import LIVE, QUESTIONS, read, read_file
from levers.plan.facts import data, experiment, scorecard, signals, tables, terms, walls

# Facts, section 2, row by row: signal, cause, right levers in order, wrong lever.
MATRIX = [
    ("facts", "knowledge", ["retrieve"], "tune"),
    ("domain", "knowledge, usually", ["retrieve"], "tune"),
    ("schema", "behaviour", ["structure", "tune"], "retrieve"),
    ("tone", "behaviour", ["examples", "tune"], "retrieve"),
    ("brief", "instruction", ["instruct", "examples"], "tune"),
    ("tools", "tool use", ["tune"], "retrieve"),
    ("prompt latency", "context overhead", ["cache", "tune"], "retrieve"),
    ("cost", "model tier, context length", ["cache", "route", "distill"], "tune"),
    ("documents", "retrieval", ["retrieve", "sharpen"], "tune"),
    ("volatile", "volatility", ["query"], "retrieve"),
    ("drift", "drift", ["trial", "tune"], "tune"),
]
READY: dict[str, Any] = {"golden": 100, "examples": 5000, "pairs": 5000, "labels": 50_000}

symptoms = st.lists(st.sampled_from(sorted(signals())), min_size=1, max_size=4, unique=True).map(tuple)
cases = st.builds(
    Circumstances,
    symptoms=symptoms,
    documents_change=st.sampled_from([None, 0.0, 4.0, 52.0, LIVE]),
    requirements_change=st.sampled_from([None, 0.0, 4.0, 52.0]),
    corpus=st.sampled_from([None, 0, 5000, 400_000]),
    volume=st.sampled_from([None, 0.0, 100.0, 1e6]),
    p95_ms=st.sampled_from([None, 300.0, 3000.0]),
    privacy=st.sampled_from(["none", "access", "on-premise"]),
    expertise=st.sampled_from([None, "low", "high"]),
    golden=st.sampled_from([None, 10, 100]),
    examples=st.sampled_from([None, 10, 5000]),
    schema_failures=st.sampled_from([None, 0.001, 0.03]),
    tried=st.lists(st.sampled_from(["structure", "examples", "instruct", "retrieve"]), unique=True).map(tuple),
)


def levers(found: Advice) -> list[str]:
    return [move.lever for move in found.order]


@pytest.mark.parametrize(("signal", "cause", "right", "wrong"), MATRIX)
def test_every_row_leads_to_its_lever_and_to_no_wrong_one(
    signal: str, cause: str, right: list[str], wrong: str
) -> None:
    found = advise(Circumstances(symptoms=(signal,), **READY))
    assert levers(found) == right and found.lever == right[0]
    assert cause in found.why
    assert found.not_[0].lever == wrong
    assert not {(move.lever, move.how) for move in found.order} & {
        (each.lever, each.how) for each in signals()[signal].wrong
    }
    if signal != "drift":  # there the wrong way is more epochs, and the right one new data
        assert wrong not in right
    assert found.confirm_with == experiment(right[0])
    assert not found.conflicts


def test_the_matrix_has_eleven_rows_with_sources() -> None:
    assert [row[0] for row in MATRIX] == list(signals())
    assert all(each.source and each.right and each.wrong for each in signals().values())


def test_the_scorecard_is_s3s_with_the_users_weights() -> None:
    """Facts, section 3."""
    dimensions = [
        "data freshness", "domain specificity", "setup cost", "per-query cost", "latency", "accuracy ceiling",
        "team expertise",
    ]  # fmt: skip
    assert [each.dimension for each in scorecard()] == dimensions
    words = {each.dimension: (each.prompting[1], each.retrieval[1], each.tuning[1]) for each in scorecard()}
    assert words["data freshness"] == ("model's own", "live", "frozen")
    assert words["setup cost"] == ("$0", "$5K to $50K", "$10K to $100K or more")
    assert words["accuracy ceiling"] == ("medium", "high", "highest")
    only = {name: 0.0 for name in dimensions} | {"data freshness": 3.0}
    found = advise(Circumstances(symptoms=("facts",), weights=only)).scorecard
    assert found.totals == {"prompting": 3.0, "retrieval": 6.0, "tuning": 0.0} and found.best == ("retrieval",)


def test_small_stable_knowledge_goes_into_the_prompt() -> None:
    """Facts, section 6: under about 10,000 tokens, static."""
    found = advise(Circumstances(symptoms=("facts",), corpus=9000, documents_change=1.0))
    assert levers(found) == ["inline", "cache"]
    assert "retrieve" in [each.lever for each in found.not_]
    for change in ({"corpus": 10_000}, {"documents_change": 52.0}, {"privacy": "access"}):
        plain: dict[str, Any] = {"symptoms": ("facts",), "corpus": 9000, "documents_change": 1.0}
        assert advise(Circumstances(**{**plain, **change})).lever == "retrieve"


def test_what_is_advised_is_not_overkill_as_well() -> None:
    found = advise(Circumstances(symptoms=("facts", "documents"), corpus=5000))
    assert {"inline", "retrieve"} <= {*levers(found)} and "retrieve" not in [each.lever for each in found.not_]


@pytest.mark.parametrize(
    ("case", "lever", "why"),
    [
        ({"symptoms": ("tone", "domain"), "corpus": 5000}, "inline", "wrong answers in my domain"),
        ({"symptoms": ("tools", "facts"), "documents_change": LIVE}, "query", "wrong, outdated or unknown facts"),
        ({"symptoms": ("tools", "brief")}, "instruct", "does not follow the brief"),
    ],
)
def test_the_first_levers_reason_is_the_symptom_that_it_mends(case: dict[str, Any], lever: str, why: str) -> None:
    found = advise(Circumstances.model_validate(case))
    assert found.lever == lever and found.why.startswith(why)


def test_what_changes_live_is_queried() -> None:
    assert advise(Circumstances(symptoms=("facts",), documents_change=LIVE, corpus=10**6)).lever == "query"


def test_what_failed_in_the_prompt_is_searched_for_next() -> None:
    found = advise(Circumstances(symptoms=("facts",), corpus=5000, tried=("inline",)))
    assert levers(found) == ["retrieve"]
    assert "all of it in the prompt was tried in vain: search it" in [turn.follows for turn in found.path]


def test_schema_failures_decide_on_training() -> None:
    """Facts, section 2: tune if more than 0.5 to 1 % still fails."""
    few = advise(Circumstances(symptoms=("schema",), schema_failures=0.004))
    many = advise(Circumstances(symptoms=("schema",), schema_failures=0.02))
    after = advise(Circumstances(symptoms=("schema",), schema_failures=0.02, tried=("structure",)))
    assert (levers(few), levers(many), levers(after)) == (["structure"], ["structure", "tune"], ["tune"])


@pytest.mark.parametrize(
    ("case", "between"),
    [
        ({"symptoms": ("facts", "tone")}, ("symptoms: facts", "symptoms: tone")),
        ({"symptoms": ("facts",), "corpus": 0}, ("symptoms", "corpus")),
        ({"symptoms": ("domain",), "documents_change": LIVE}, ("symptoms", "documents_change")),
        ({"symptoms": ("volatile",), "documents_change": 4.0}, ("symptoms: volatile", "documents_change")),
        ({"symptoms": ("facts",), "corpus": 5000, "privacy": "access"}, ("corpus", "privacy")),
        ({"symptoms": ("tone",), "citations": True}, ("citations", "symptoms")),
        ({"symptoms": ("facts",), "p95_ms": 400.0}, ("p95_ms", "symptoms")),
        ({"symptoms": ("prompt latency",), "prompt": 500}, ("symptoms: prompt latency", "prompt")),
        ({"symptoms": ("tools",), "requirements_change": 26.0}, ("requirements_change", "symptoms")),
        ({"symptoms": ("tools",), "golden": 10}, ("golden", "symptoms")),
        ({"symptoms": ("drift",), "stage": "scratch"}, ("symptoms: drift", "stage")),
        ({"symptoms": ("schema",), "schema_failures": 0.001, "tried": ("structure",)},
         ("symptoms: schema", "schema_failures")),
        ({"symptoms": ("tools",), "expertise": "low"}, ("expertise", "symptoms")),
        ({"symptoms": ("brief",), "privacy": "on-premise"}, ("privacy", "model")),
        ({"symptoms": ("cost",), "volume": 100.0}, ("symptoms: cost", "volume")),
    ],
)  # fmt: skip
def test_conflicting_answers_are_pointed_out(case: dict[str, Any], between: tuple[str, str]) -> None:
    found = advise(Circumstances.model_validate(case))
    (met,) = [each for each in found.conflicts if each.between == between]
    assert met.why and met.settle and met.source


@settings(max_examples=50, deadline=None)
@given(cases)
def test_any_answers_get_advice_that_holds_together(case: Circumstances) -> None:
    found = advise(case)
    assert found.lever == found.order[0].lever == found.timeline[0].lever
    assert len(found.path) > len(case.symptoms) and all(turn.follows and turn.source for turn in found.path)
    assert found.timeline[-1].done_by[1] == sum(stage.days[1] for stage in found.timeline)
    assert bool(found.costs) == (case.volume is not None)
    assert [each.name for each in found.costs][:1] in ([], ["as now"])
    assert json.loads(found.model_dump_json())["lever"] == found.lever
    assert found.lever not in case.tried or all(move.lever in case.tried for move in found.order)


@settings(max_examples=50, deadline=None)
@given(cases, st.floats(1.0, 100.0))
def test_more_volume_never_costs_less(case: Circumstances, times: float) -> None:
    one = advise(case.model_copy(update={"volume": 1000.0, "symptoms": ("tone",)})).costs
    more = advise(case.model_copy(update={"volume": 1000.0 * times, "symptoms": ("tone",)})).costs
    assert all(other.year_1.low >= each.year_1.low for each, other in zip(one, more, strict=True))


def test_maintenance_is_in_weeks_until_a_week_has_a_price() -> None:
    """Facts, section 7: LoRA 1 to 2 weeks a cycle; nothing is free by being unknown."""
    case = read({"symptoms": "tools", "volume": "10k/day", "requirements_change": "quarterly"})
    assert "4 to 8 engineer-weeks a year" in advise(case).costs_note
    priced = advise(
        read({"symptoms": "tools", "volume": "10k/day", "requirements_change": "quarterly", "week": "4000"})
    )
    upkeep = [line for line in priced.costs[-1].lines if line.kind == "upkeep"]
    assert (upkeep[0].low, upkeep[0].high) == pytest.approx((4 * 4000 / 12, 4 * 8000 / 12))


def test_gates_belong_to_what_is_to_be_mended() -> None:
    def gates(symptom: str) -> list[str]:
        return [gate.goal for gate in advise(Circumstances(symptoms=(symptom,), examples=100)).gates]

    assert gates("schema") == ["golden set", "structured output"] and gates("tone") == [
        "golden set",
        "few-shot",
        "style",
    ]
    assert gates("tools") == ["golden set", "lora"] and gates("documents") == ["golden set", "embedding tuning"]
    assert gates("cost") == ["golden set", "distillation"]


def test_team_profiles_are_s2s() -> None:
    """Facts, section 11."""
    said = {name: advise(Circumstances(symptoms=("brief",), stage=name)).team for name in
            ("scratch", "retrieval", "tuned", "choosing")}  # fmt: skip
    assert "golden set of 50 to 100" in said["scratch"] and "no tuning yet" in said["scratch"]
    assert "Fix retrieval first" in said["retrieval"] and "untuned baseline" in said["tuned"]
    assert "closed model for hard reasoning" in said["choosing"] and all("S2" in each for each in said.values())


def test_without_a_symptom_there_is_nothing_to_mend() -> None:
    with pytest.raises(UserError, match="levers init"):
        advise(Circumstances())


def test_every_problem_in_the_answers_shows_at_once(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("symptoms: [facts, tune]\ncorpus: -4\nvolume: 100\n\ncorpse: 3\nweights: {latency: x}\n")
    with pytest.raises(UserError) as caught:
        read_file(path)
    found = {(problem.field, problem.line) for problem in caught.value.problems}
    assert found == {("symptoms", 1), ("corpus", 2), ("volume", 3), ("corpse", 5), ("weights", 6)}
    assert "did you mean corpus?" in str(caught.value)
    for text in ("- a\n", "a: [", "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(UserError, match=r"case\.yaml"):
            read_file(path)


def test_a_list_of_two_is_a_range_and_never_one_number(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("week: [3000, 5000]\n")
    week = read_file(path).week
    assert week is not None and (week.low, week.high) == (3000, 5000)
    path.write_text("week: [3000, 4000, 5000]\ncorpus: [60, 100]\nvolume: 1,5k/day\n")
    with pytest.raises(UserError) as caught:
        read_file(path)
    assert [problem.field for problem in caught.value.problems] == ["corpus", "volume", "week"]


def test_what_is_merged_in_is_read_and_refused_like_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("symptoms: facts\n<<: {golden: 50}\n")
    assert read_file(path).golden == 50
    path.write_text("symptoms: facts\n<<: {golden: many}\n")
    with pytest.raises(UserError, match=r"case\.yaml:\d+: golden"):
        read_file(path)
    for text in ("{[a]: b}: c\n", "? {a: 1}\n: 2\n", "[" * 5000, "a: " + "{b: " * 5000, "a: 2026-99-99\n"):
        path.write_text(text)
        with pytest.raises(UserError, match=r"case\.yaml"):
            read_file(path)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted(QUESTIONS)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            st.lists,
            max_leaves=4,
        ),
    )
)
def test_any_answers_file_is_read_or_refused(answers: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.yaml"
        path.write_text(json.dumps(answers), encoding="utf-8")
        try:
            read_file(path)
        except UserError as error:
            assert all(problem.file == str(path) for problem in error.problems)


def test_a_file_says_what_options_say(tmp_path: Path) -> None:
    path = tmp_path / "case.yaml"
    path.write_text("symptoms: [facts, tone]\nvolume: 10k/day\np95_ms: 900ms\ncitations: true\nweights: {latency: 2}\n")
    said = {
        "symptoms": "facts,tone",
        "volume": "10k/day",
        "p95_ms": "900ms",
        "citations": "yes",
        "weights": "latency=2",
    }
    assert read_file(path) == read(said)
    assert set(QUESTIONS) == set(Circumstances.model_fields)


def test_every_lever_has_terms_and_an_experiment() -> None:
    named = {move.lever for signal in signals().values() for move in (*signal.right, *signal.wrong)}
    for lever in named:
        assert terms(lever).days[1] > 0 and experiment(lever).yes
    assert set(data()["levers"]) == set(data()["experiments"])


def test_every_table_row_has_a_source() -> None:
    for name, rows in tables().items():
        assert rows, name
        assert all(row["source"] for row in rows), name


def test_the_walls_of_section_6() -> None:
    said = [each["wall"] for lever in ("retrieve", "instruct", "inline") for each in walls(lever)]
    for words in (
        "10,000 tokens", "faster than it can be indexed", "style, classification", "below 500 ms",
        "50,000 tokens", "1 to 5 %", "long prompt", "start and the end",
    ):  # fmt: skip
        assert any(words in each for each in said), words


def test_a_machine_of_ones_own_is_paid_by_the_second_or_not_at_all() -> None:
    case = {"symptoms": "tone", "model": "pocket", "volume": "10k/day"}
    assert advise(read(case)).costs == () and "no time was given" in advise(read(case)).costs_note
    timed = advise(read({**case, "seconds": "360ms"}))
    # 0.36 s at 0.10 USD an hour, 300,000 answers; examples make the prompt 1.4 times as long
    assert [each.month.low for each in timed.costs][:2] == pytest.approx([3.0, 4.2])


def test_an_unknown_model_says_how_to_give_its_price(tmp_path: Path) -> None:
    case = read({"symptoms": "tone", "model": "mine/x", "volume": "10k/day"})
    with pytest.raises(UserError, match=r'"mine/x": \{input:'):
        advise(case)
    (tmp_path / "prices.yaml").write_text('"mine/x": {input: 1.00, output: 4.00}\n')
    assert advise(case, PriceBook.load(tmp_path / "prices.yaml")).costs[0].month.low == pytest.approx(840)


def test_wrong_documents_are_no_reason_to_pay_for_an_index_that_is_there() -> None:
    there = advise(Circumstances(symptoms=("documents",), volume=1000.0))
    new = advise(Circumstances(symptoms=("documents", "facts"), volume=1000.0))
    once = {each.name: each.setup.high for each in there.costs}
    assert once["retrieve"] == 0 and "index that is there" in there.costs_note
    assert {each.name: each.setup.high for each in new.costs}["retrieve"] == 50_000


def test_costs_say_what_they_leave_out() -> None:
    """S2: maintenance never ends; S3: hidden costs."""
    note = advise(Circumstances(symptoms=("tools",), volume=1000.0)).costs_note
    assert "maintenance of tune is not in" in note and "ML engineering time (S3)" in note
