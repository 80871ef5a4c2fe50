"""Show what was found: the self-contained report of a run, the same story in the terminal, and progress on the way."""

from levers.view.page import page
from levers.view.progress import Progress
from levers.view.records import ReportPage, Since
from levers.view.render import render, write_report
from levers.view.snippets import diagnosis_html, plan_html, run_html, text, trial_html
from levers.view.terminal import (
    comparison_lines,
    diagnosis_table,
    margin_line,
    plan_table,
    step_line,
    story,
    trial_table,
)

__all__ = [
    "Progress",
    "ReportPage",
    "comparison_lines",
    "diagnosis_html",
    "diagnosis_table",
    "margin_line",
    "page",
    "plan_html",
    "plan_table",
    "Since",
    "render",
    "run_html",
    "step_line",
    "story",
    "text",
    "trial_html",
    "trial_table",
    "write_report",
]
