import dataclasses
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from levers.errors import LeversError
from levers.loop import Opened, Target
from levers.loop.records import Run
from levers.view import Since, page, render, write_report
from levers.view.cases import case_list
from levers.view.headline import target_row
from levers.view.steps import compared_row

from .make import HOSTILE, SECRET, a_run, diagnosis, trial

GOLDEN = Path(__file__).parent / "golden" / "report.html"
VOID = {"meta", "link", "img", "br", "input", "hr"}


@pytest.fixture(scope="module")
def html(run, cases) -> str:
    return render(page(run, cases))


def scrub(html: str) -> str:
    """Take out what changes with versions and content: digests, hashes, the style sheet and the script."""
    html = re.sub(r"sha256-[0-9A-Za-z+/=]+", "sha256-…", html)
    html = re.sub(r"<style>.*?</style>", "<style>…</style>", html, flags=re.DOTALL)
    return re.sub(r"<script>.*?</script>", "<script>…</script>", html, flags=re.DOTALL)


class Reader(HTMLParser):
    """Collects tags and their attributes, ids, and text; refuses tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_the_golden_page(html):
    made = scrub(html)
    if os.environ.get("LEVERS_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(made, encoding="utf-8")
    assert made == GOLDEN.read_text(encoding="utf-8"), "set LEVERS_GOLDEN=1 to accept the page as it is now"


def test_tags_nest_and_ids_are_unique_and_links_lead_somewhere(html):
    tags = Reader(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert links and all(link.startswith("#") and link[1:] in ids for link in links)
    labels = [attributes["aria-labelledby"] for _, attributes in tags if "aria-labelledby" in attributes]
    assert set(labels) <= set(ids)


def test_every_chart_has_words_and_every_table_has_headers(html):
    tags = Reader(html).tags
    charts = [attributes for tag, attributes in tags if tag == "svg" and attributes.get("role") == "img"]
    assert charts and all(len(each["aria-label"]) > 40 for each in charts)
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "thead" for tag, _ in tags) > 5
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")


def test_answers_and_documents_stay_text(html):
    assert HOSTILE not in html
    assert "&lt;/script&gt;&lt;img src=x" in html and "{{ 7*7 }}" in html
    tags = [tag for tag, _ in Reader(html).tags]
    assert tags.count("script") == 1 and "img" not in tags


def test_nothing_is_loaded_from_elsewhere(html):
    assert not re.search(r"(?:https?:)?//[a-z]", html.replace("docs/", ""))
    assert "default-src 'none'" in html and "'unsafe-eval'" not in html


def test_test_and_edge_cases_stay_unseen(html, run):
    assert run.final.test is not None and SECRET in run.final.test.outcomes[-1].answer.text
    assert SECRET not in html


def test_the_figures_are_those_of_the_run(html, run):
    made = page(run, ())
    assert (made.headline.before, made.headline.after) == ("13%", "70%")
    assert "from 13% with the plain prompt, after 3 accepted steps: structure, retrieve and tune" in html
    assert "Not met: quality (at least 85%, reached 70%)." in html
    assert [each.verdict for each in made.steps] == ["start", "accepted", "accepted", "rejected", "accepted"]
    assert made.steps[2].rows[0].after == "60%" and made.steps[2].rows[0].difference == "+30"
    assert run.final.test is not None
    lone = run.model_copy(update={"final": run.final.model_copy(update={"test": trial("test", 0.5, run.stack)})})
    assert page(lone, ()).headline.after == "50%"


def test_needs_have_a_column_for_every_stack_once(run):
    table = page(run, ()).needs
    assert table.columns == ("0 start", "1 structure", "2 retrieve", "4 tune")
    assert [cell.cases for cell in table.failing] == ["34", "28", "16", "10"]
    assert all(len(row.cells) == 4 for row in table.rows) and table.failing[0].width == 100


def test_figures_in_a_plan_name_their_sources_once(run):
    plan = page(run, ()).closing
    assert len(plan.notes) == 3
    for option in plan.options:
        for figure in (option.one_time, option.per_answer, option.latency):
            assert plan.notes[figure.note - 1].startswith(figure.provenance)


def test_failing_cases_show_the_whole_trail(run, cases):
    found = case_list(run, cases)
    card = found.cards[0]
    assert (found.total, found.measured, found.left_out) == (10, 40, 0)
    assert card.question.startswith("How long do I have") and "30 days" in card.expected[0]
    assert [each.cited for each in card.passages] == [True, False, False]
    assert [each.changed for each in card.tried] == [
        "nothing: the stack as it is",
        "the form of the answer imposed",
        "the form of the answer imposed and its own evidence handed over, and nothing beside it",
    ]
    assert card.story[0].startswith("As it is, the answer was") and any("and passes" in line for line in card.story)
    assert dict(found.filters)["format"] == sum("format" in each.need_names for each in found.cards)


def test_failing_cases_that_were_only_sampled_are_all_counted(run, cases):
    after = run.after.model_copy(update={"failures": 25, "sampled": 10})
    html = render(page(run.model_copy(update={"after": after}), cases))
    assert "25 of 40 development cases fail with the final stack. 10 of them, drawn at random, were looked at;" in html
    assert "left out here" not in html


def test_cases_without_a_score_are_counted_apart(run):
    test = run.final.test.model_copy(update={"unscored": 12})
    made = page(run.model_copy(update={"final": run.final.model_copy(update={"test": test})}), ())
    assert made.headline.cases == "18 scored test cases (12 not scored)"
    assert made.headline.sentence.startswith("70% of 18 scored test cases (12 not scored) pass, from")
    assert made.unseen[0].value.startswith("18 scored cases (12 not scored), 70% pass")


def test_a_case_that_left_the_golden_set_is_still_shown(run):
    assert "does not hold this case" in case_list(run, ()).cards[0].question


def test_a_huge_run_stays_under_two_megabytes(run, cases):
    dev = trial("dev", 0.0, run.stack)
    long = "\"'<&>" * 2000
    outcomes = tuple(
        each.model_copy(update={"case": f"{each.case}-{copy}", "answer": each.answer.model_copy(update={"text": long})})
        for copy in range(12)
        for each in dev.outcomes
    )
    dev = dev.model_copy(update={"outcomes": outcomes})
    final = run.final.model_copy(update={"dev": dev})
    huge = run.model_copy(update={"final": final, "after": diagnosis(run.stack, dev)})
    made = page(huge, cases)
    assert made.cases.left_out > 0 and made.cases.cards
    assert len(render(made).encode()) < 2_000_000


def test_one_case_too_big_for_the_page_hides_no_other(run, cases):
    first = run.after.cases[0].case
    huge = tuple("x" * 1_490 + str(number) for number in range(1_000))
    made = page(run, tuple(case.model_copy(update={"expected": huge}) if case.id == first else case for case in cases))
    assert made.cases.left_out == 1 and len(made.cases.cards) == made.cases.total - 1 > 0
    alone = dataclasses.replace(made, cases=dataclasses.replace(made.cases, cards=(), left_out=made.cases.total))
    assert "No development case fails" not in render(alone)


def test_a_run_without_steps_prices_or_test_still_has_a_page(run):
    start = run.steps[0]
    dev = start.measured.dev.model_copy(update={"cost_per_answer": None})
    alone = start.measured.model_copy(update={"test": None, "edge": None, "dev": dev})
    empty = run.model_copy(
        update={
            "steps": (start.model_copy(update={"measured": alone}),),
            "final": alone,
            "stack": start.stack,
            "openings": (),
            "targets": (),
        }
    )
    made = page(empty, ())
    assert made.cost is None and "No price is known" in made.cost_note
    assert "no pull was kept" in made.headline.sentence and made.headline.difference == ""
    assert "The test set was not opened" in render(made)


def test_openings_elsewhere_and_a_changed_project_are_told(run, cases):
    assert "Outside of this run" not in render(page(run, cases)) and "has changed" not in render(page(run, cases))
    found = [
        Opened(at=f"2026-11-0{day}T10:00:00+00:00", run=by, stack="s")
        for day, by in ((1, "levers trial"), (3, "levers trial"), (2, "abc"))
    ]
    html = render(page(run, cases, since=Since(opened=tuple(found), changed=True)))
    assert "were opened 3 times: 2 by levers trial and 1 by run abc; last on 2026-11-03." in html
    assert "The project has changed since this run." in html


@pytest.mark.parametrize(
    ("name", "unit", "wanted", "reached", "words"),
    [
        ("quality", "share", 0.85, 72 / 85, ("at least 85%", "84.7059%")),
        ("p95_ms", "ms", 1500.0, 1500.4, ("at most 1500 ms", "1500.4 ms")),
        ("cost_per_answer", "USD", 0.004, 0.0040001, ("at most $0.004", "$0.0040001")),
        ("quality", "share", 0.9, 0.8, ("at least 90%", "80%")),
    ],
)
def test_a_target_that_is_just_missed_shows_by_how_much(name, unit, wanted, reached, words):
    target = Target(name=name, wanted=wanted, reached=reached, met=False, unit=unit, provenance="measured")
    assert (target_row(target).wanted, target_row(target).reached) == words


def test_an_interval_of_other_cases_stands_beside_no_share(run):
    (comparison, trial) = (run.steps[1].dev_pass, run.steps[1].measured.dev)
    assert compared_row("dev", comparison, trial).after_span
    assert not compared_row("dev", comparison.model_copy(update={"unscored": 1}), trial).after_span


def test_the_report_is_written_whole_and_the_same_every_time(tmp_path, run, cases):
    first = write_report(run, cases, tmp_path / "runs" / "report.html").read_bytes()
    again = Run.model_validate_json(a_run().model_dump_json())
    assert write_report(again, cases, tmp_path / "again.html").read_bytes() == first
    assert [each.name for each in (tmp_path / "runs").iterdir()] == ["report.html"]


def test_control_characters_and_lone_surrogates_do_not_break_the_page(tmp_path, run, cases):
    first = run.after.cases[0]
    bad = dataclasses.replace(case_list(run, cases).cards[0], answered="\x00\x1b[31m \ud800")
    made = page(run, cases)
    made = dataclasses.replace(made, cases=dataclasses.replace(made.cases, cards=(bad,)))
    html = render(made)
    assert first.case in html and "\x00" not in html and "\x1b" not in html
    html.encode("utf-8")


def test_trials_of_other_cases_are_not_compared(run):
    other = run.final.model_copy(
        update={"test": run.final.test.model_copy(update={"outcomes": run.final.test.outcomes[1:]})}
    )
    with pytest.raises(LeversError):
        page(run.model_copy(update={"final": other}), ())
