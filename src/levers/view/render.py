"""Set a page: Jinja templates with autoescape, one style sheet and one small script inline, nothing from outside."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from levers.ledger import write_atomic
from levers.loop.records import Run
from levers.task.records import Case
from levers.view.page import ANSWERS_PER_DAY, NOTHING_SINCE, page
from levers.view.records import ReportPage, Since
from levers.view.words import plain


def write_report(
    run: Run,
    cases: Sequence[Case],
    path: Path,
    answers_per_day: float = ANSWERS_PER_DAY,
    since: Since = NOTHING_SINCE,
) -> Path:
    """Write the report of a finished run to `path`, whole or not at all, and return the path.

    `answers_per_day` is the task's traffic, `since` what came to pass outside of the run.
    """
    write_atomic(path, render(page(run, cases, answers_per_day, since)))
    return path


def render(page: ReportPage) -> str:
    """Set a page as one HTML document that needs no other file.

    All texts are escaped; the document's own policy forbids every request and every script but its own.
    """
    return set_template("report.html.j2", page=page, style=_own("report.css"), script=_own("report.js"))


def set_template(name: str, **values: Any) -> str:
    """Render one of the room's templates; control characters in the values come out as replacement characters."""
    return plain(_environment().get_template(name).render(values))


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["sha256"] = _policy_hash
    return environment


@cache
def _read(name: str) -> str:
    return files("levers.view").joinpath("templates", name).read_text(encoding="utf-8")


def _own(name: str) -> Markup:
    return Markup(_read(name))  # noqa: S704  our own file, not data


def _policy_hash(script: str) -> str:
    """Return a script's hash as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
