import io

import pytest
from rich.console import Console, Group
from rich.text import Text

from levers.trial.records import Context, Interval, Leaks, Slice
from levers.view import (
    Progress,
    comparison_lines,
    diagnosis_html,
    diagnosis_table,
    plan_html,
    plan_table,
    run_html,
    step_line,
    story,
    text,
    trial_html,
    trial_table,
)
from levers.view.layout import grid
from levers.view.plans import plan_rows
from levers.view.terminal import steps_table


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def quiet() -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=False)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_story_fits_the_terminal_and_holds_the_figures(run, width):
    told = text(story(run), width)
    assert max(len(line) for line in told.splitlines()) <= width
    assert "report.html" in told and "34 of 40" in told and "dev is worse" in told
    if width >= 80:
        assert "4 ✓  tune       75% 60\N{EN DASH}86%  70% 52\N{EN DASH}83%" in told


def test_a_run_of_ten_steps_and_tiny_prices_keeps_one_line_a_step_in_80_columns(run):
    dev = run.steps[1].measured.dev
    slow = dev.latency["total"].model_copy(update={"p95_ms": 123.0})
    dear = dev.model_copy(update={"cost_per_answer": 6.6e-7, "latency": dev.latency | {"total": slow}})
    measured = run.steps[3].measured.model_copy(update={"dev": dear})
    last = run.steps[3].model_copy(update={"number": 10, "lever": "structure", "measured": measured, "p_value": 1e-4})
    assert len(text(steps_table((last,)), 80).rstrip().splitlines()) == 2


def test_data_is_not_read_as_markup_or_escapes(run):
    step = run.steps[1].model_copy(update={"lever": "[red]x[/red]", "why": "[/nonsense] \x1b[31mred"})
    assert "[red]x[/red] accepted: [/nonsense] \N{REPLACEMENT CHARACTER}[31mred" in text(step_line(step))
    assert "[red]x[/red]" in text(story(run.model_copy(update={"steps": (run.steps[0], step)})))


def test_no_text_of_a_table_or_line_reaches_the_terminal_as_a_command():
    names = grid("name", "what")
    names.add_row("A[/x] :warning:", "\x1b]0;title\x07")
    told = text(Group(names, Text("\x1b[2J\x9b1mgone", "bold"), "[draft] of [/step]"))
    assert "A[/x] :warning:" in told and "[draft] of [/step]" in told
    assert "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}1mgone" in told
    assert "\x1b" not in told and "\x9b" not in told


def test_tables_hold_their_records_figures(run):
    assert "30 of 40 pass" in text(trial_table(run.final.dev))
    assert "10 of 40 development cases fail" in text(diagnosis_table(run.after))
    told = text(plan_table(run.steps[2].plan))
    assert told.startswith("Next: retrieve") and "tune: ✗ tune a format: 1,000" in told
    assert "data gate: tune a format needs" not in told  # the gate says it, and once is enough
    assert "needed by: the cases that this probe mends" in told


def test_a_trial_tells_of_leaks_where_there_are_access_rules(run):
    trial = run.final.dev

    def told(**facts):
        return text(trial_table(trial.model_copy(update={"leaks": Leaks(**facts)})), 140)

    assert "leak" not in told(attempts=0)
    assert "no leak; 2 cases for what the user may not read" in told(attempts=2, ruled=True)
    assert "1 leak: dev-3; 1 case for" in told(attempts=1, leaks=("dev-3",), ruled=True)


def test_a_trial_tells_how_much_evidence_stood_in_the_prompts(run):
    trial = run.final.dev.model_copy(update={"context": None})
    assert "evidence shown" not in text(trial_table(trial))
    found = Context(cases=32, recall=0.75, interval=Interval(low=0.6, high=0.9), whole=20)
    told = text(trial_table(trial.model_copy(update={"context": found})), 140)
    assert "evidence shown" in told and "75% (60\N{EN DASH}90%), all of it in 20 of 32 cases that name any" in told
    assert "least of it for" not in told


def test_a_trial_names_the_slices_whose_evidence_is_shown_least(run):
    shares = {"fees": (1, 0.0), "hours": (8, 0.5), "staff": (4, 0.5), "stores": (6, 0.7), "trips": (9, 1.0)}
    slices = {tag: Slice(cases=cases, recall=recall) for tag, (cases, recall) in shares.items()}
    found = Context(cases=28, recall=0.75, interval=Interval(low=0.6, high=0.9), whole=20, slices=slices)
    told = text(trial_table(run.final.dev.model_copy(update={"context": found})), 140)
    assert "least of it for" in told and "0% of 1 case, hours 50% of 8 cases and staff 50% of 4 cases" in told
    assert "stores" not in told and "trips" not in told


def test_a_price_nobody_knows_is_unknown_and_never_zero(run):
    plan = run.steps[2].plan
    first = plan.options[0]
    unpriced = first.model_copy(update={"quote": first.quote.model_copy(update={"per_answer": None})})
    shown = plan.model_copy(update={"options": (unpriced,)})
    assert "unknown" in text(plan_table(shown))
    rows = plan_rows(shown, "")
    assert rows.options[0].per_answer.text == "unknown"
    assert "the file that prices names" in rows.notes[rows.options[0].per_answer.note - 1]


def test_a_comparison_says_when_it_is_not_decisive(run):
    assert "better: p < 0.001 by exact McNemar; 12 up, 0 down" in str(comparison_lines(run.steps[2].dev_pass))
    lines = str(comparison_lines(run.steps[3].dev_score))
    assert "not decisive: p = 0.50 by sign-flip permutation" in lines and "smallest detectable" in lines


def test_snippets_are_escaped(run):
    run = run.model_copy(update={"stopped": "<script>alert(1)</script>"})
    assert "&lt;script&gt;" in run_html(run) and "<script>" not in run_html(run)
    made = (trial_html(run.final.dev), diagnosis_html(run.after), plan_html(run.closing))
    assert all(each.startswith("<pre") and each.endswith("</pre>") for each in made)


def test_progress_away_from_a_terminal_is_a_line_now_and_then():
    console, clock = quiet(), Clock()
    with Progress(console, clock) as progress:
        for done in range(101):
            clock.now = done * 0.3
            progress("trial on dev", done, 100)
    lines = console.file.getvalue().splitlines()
    assert lines[-1] == "trial on dev: 100 done in 30 s"
    assert lines[0] == "trial on dev: 34 of 100, about 20 s left"
    assert 2 <= len(lines) <= 4


def test_progress_in_a_terminal_shows_bars_and_leaves_lines():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, legacy_windows=False)
    with Progress(console) as progress:
        progress("trial [on] dev", 0, 2)
        progress("probe", 1, 3)
        progress("trial [on] dev", 2, 2)
        progress("probe", 3, 3)
    shown = console.file.getvalue()
    assert "trial [on] dev: 2 done in 0 s" in shown and "probe: 3 done" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor that was hidden is back


def test_progress_stops_when_the_work_breaks():
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with pytest.raises(KeyError), Progress(console) as progress:
        progress("trial", 1, 2)
        raise KeyError("broken")
    assert "\x1b[?25h" in console.file.getvalue()


def test_the_same_work_can_come_again():
    console = quiet()
    progress = Progress(console)
    progress("trial", 1, 1)
    progress("trial", 1, 1)
    progress.close()
    assert console.file.getvalue().count("trial: 1 done") == 2


def test_a_replay_is_one_line_before_what_comes_next():
    console, clock = quiet(), Clock()
    with Progress(console, clock) as progress:
        for name in ("trial on dev", "probe format", "probe tone"):
            progress(name, 0, 9)
            progress(name, 9, 9)
        progress.say(Text("step 1"))
        progress("trial on test", 9, 9)
        progress("long", 0, 10)
        clock.now = 40.0
        progress("long", 10, 10)
    assert console.file.getvalue().splitlines() == [
        "3 pieces of work done in 0 s: replayed from the ledger, or small",
        "step 1",
        "trial on test: 9 done in 0 s",
        "long: 10 done in 40 s",
    ]


def test_work_that_ends_leaves_other_work_its_time():
    console, clock = quiet(), Clock()
    with Progress(console, clock) as progress:
        progress("long", 0, 10)
        progress("short", 1, 1)
        clock.now = 40.0
        progress("long", 5, 10)
        progress("long", 10, 10)
    assert console.file.getvalue().splitlines()[1:] == [
        "long: 5 of 10, about 40 s left",
        "long: 10 done in 40 s",
    ]
