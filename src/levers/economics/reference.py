"""The field's reference figures, as data: gates, latencies, thresholds, costs, projects; none is measured."""

import json
import re
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from levers.economics.ranges import Range
from levers.errors import LeversError
from levers.ledger import Record


class Figure(Record):
    """A reference range in its unit, with its source. `open`: no upper end, `high` is a landmark."""

    name: str
    low: float
    high: float
    open: bool = False
    unit: str
    source: str
    about: str = ""

    def range(self) -> Range:
        """Return the figure as a range to compute with, marked "assumed"."""
        return Range(name=self.name, low=self.low, high=self.high, unit=self.unit, source=self.source, open=self.open)


class Gate(Record):
    """How much data a goal needs: the least, and what is usual at the most; `unit` says what is counted."""

    goal: str
    minimum: int
    maximum: int
    open: bool = False
    unit: str
    source: str
    about: str = ""

    def missing(self, count: int) -> int:
        """Return how many are lacking to the minimum, 0 when the gate is passed."""
        return max(0, self.minimum - count)


class Project(Record):
    """What a kind of project costs once, in USD (low, high), and per month where it runs; None where no source says.

    `open` says that the project's upper end is not a limit.
    """

    name: str
    compute: tuple[float, float] | None
    project: tuple[float, float]
    per_month: tuple[float, float] | None
    open: bool = False
    effort: str
    upkeep: str
    source: str
    about: str = ""


class Hidden(Record):
    """A cost that the figures of a way of answering (`kind`) leave out; a line of an offer named so covers it."""

    kind: str
    line: str
    about: str
    source: str


_R = TypeVar("_R")


def gates() -> dict[str, Gate]:
    """Return every data gate by its goal."""
    return dict(_tables()[0])


def latencies() -> dict[str, Figure]:
    """Return the field's approximate latencies by name, in milliseconds."""
    return dict(_tables()[1])


def thresholds() -> dict[str, Figure]:
    """Return the limits at which a way of working starts or stops to pay, by name."""
    return dict(_tables()[2])


def costs() -> dict[str, Figure]:
    """Return the field's prices, monthly costs and maintenance times by name."""
    return dict(_tables()[4])


def projects() -> dict[str, Project]:
    """Return what each kind of project costs, by name."""
    return dict(_tables()[3])


def hidden_costs() -> tuple[Hidden, ...]:
    """Return the costs that the sources call hidden, by way of answering."""
    return tuple(Hidden.model_validate(row) for row in _data()["hidden"])


def sources() -> dict[str, str]:
    """Return what each source's code stands for."""
    return dict(_data()["sources"])


def gate(goal: str) -> Gate:
    """Return the data gate of that goal. Raises LeversError naming the known goals."""
    return _pick(_tables()[0], goal, "data gate")


def latency(name: str) -> Figure:
    """Return that reference latency. Raises LeversError naming the known ones."""
    return _pick(_tables()[1], name, "reference latency")


def threshold(name: str) -> Figure:
    """Return that threshold. Raises LeversError naming the known ones."""
    return _pick(_tables()[2], name, "threshold")


def cost(name: str) -> Figure:
    """Return that reference cost. Raises LeversError naming the known ones."""
    return _pick(_tables()[4], name, "reference cost")


def project(name: str) -> Project:
    """Return the cost of that kind of project. Raises LeversError naming the known ones."""
    return _pick(_tables()[3], name, "kind of project")


def source_title(source: str) -> str:
    """Write out a source: "S4, S1" becomes each one's code and description; other words stay as they are."""
    titles: dict[str, str] = _data()["sources"]
    codes = dict.fromkeys(code for code in re.findall(r"\bS\d\b", source) if code in titles)
    return "; ".join(f"{code}: {titles[code]}" for code in codes) or source


def _pick(table: dict[str, _R], name: str, kind: str) -> _R:
    if name not in table:
        raise LeversError(f"no {kind} is called {name!r}", f"known: {', '.join(table)}")
    return table[name]


@cache
def _data() -> dict[str, Any]:
    text = resources.files("levers.economics").joinpath("reference.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@cache
def _tables() -> tuple[dict[str, Gate], dict[str, Figure], dict[str, Figure], dict[str, Project], dict[str, Figure]]:
    data = _data()
    return (
        {row["goal"]: Gate.model_validate(row) for row in data["gates"]},
        {row["name"]: Figure.model_validate(row) for row in data["latencies"]},
        {row["name"]: Figure.model_validate(row) for row in data["thresholds"]},
        {row["name"]: Project.model_validate(row) for row in data["projects"]},
        {row["name"]: Figure.model_validate(row) for row in data["costs"]},
    )
