"""Records as HTML tables for notebooks: the tables of the terminal, set as HTML without colours of their own."""

import html
import io

from rich.console import RenderableType

from levers.diagnosis.records import Diagnosis
from levers.loop.records import Run
from levers.plan.records import Plan
from levers.trial.records import Trial
from levers.view.layout import PlainConsole
from levers.view.terminal import diagnosis_table, plan_table, story, trial_table

WIDTH = 120


def run_html(run: Run) -> str:
    """Return a run's story as an HTML snippet."""
    return snippet(story(run))


def trial_html(trial: Trial) -> str:
    """Return a trial's figures as an HTML snippet."""
    return snippet(trial_table(trial))


def diagnosis_html(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as an HTML snippet."""
    return snippet(diagnosis_table(diagnosis))


def plan_html(plan: Plan) -> str:
    """Return a plan as an HTML snippet."""
    return snippet(plan_table(plan))


def text(what: RenderableType, width: int = WIDTH) -> str:
    """Return a renderable as plain text of that width, without colours."""
    out = io.StringIO()
    PlainConsole(file=out, width=width, color_system=None, force_terminal=False).print(what)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def snippet(what: RenderableType) -> str:
    """Return a renderable as an HTML snippet: escaped text in the notebook's own colours."""
    style = "overflow-x:auto;line-height:1.35;white-space:pre"
    return f'<pre style="{style}">{html.escape(text(what))}</pre>'
