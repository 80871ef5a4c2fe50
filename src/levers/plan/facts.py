"""The field's decision tables as data: signals and their levers, scorecard, walls, team profiles; with sources."""

import json
from functools import cache
from importlib import resources
from typing import Any

from levers.economics import PriceBook, costs, gates, hidden_costs, latencies, projects, scenarios, sources, thresholds
from levers.ledger import Record


class Move(Record):
    """A lever and how it is pulled here. `trial` stands for a comparison that comes before any lever."""

    lever: str
    how: str


class Signal(Record):
    """A failure signal: its cause, the right levers in order, and the wrong ones that teams reach for."""

    name: str
    says: str
    cause: str
    right: tuple[Move, ...]
    wrong: tuple[Move, ...]
    source: str


class Dimension(Record):
    """One of S3's seven dimensions: each way's standing (0 to 2, our reading) and S3's words for it."""

    dimension: str
    prompting: tuple[float, str]
    retrieval: tuple[float, str]
    tuning: tuple[float, str]
    source: str


class Terms(Record):
    """What a lever takes: the kind of project, working days, expertise, and the data gates before it."""

    project: str
    days: tuple[float, float]
    kind: str
    needs: str
    gates: tuple[str, ...]


class Experiment(Record):
    """The one experiment that would confirm a lever: what to do, and what either outcome would mean."""

    do: str
    command: str
    yes: str
    no: str


@cache
def _signals() -> dict[str, Signal]:
    return {
        row["name"]: Signal.model_validate({**row, "right": _moves(row["right"]), "wrong": _moves(row["wrong"])})
        for row in data()["signals"]
    }


def signals() -> dict[str, Signal]:
    """Return the decision matrix: every failure signal by name."""
    return dict(_signals())


@cache
def scorecard() -> tuple[Dimension, ...]:
    """Return S3's seven dimensions."""
    return tuple(Dimension.model_validate(row) for row in data()["scorecard"])


@cache
def terms(lever: str) -> Terms:
    """Return what a lever takes."""
    return Terms.model_validate(data()["levers"][lever])


def experiment(lever: str) -> Experiment:
    """Return the experiment that would confirm a lever."""
    return Experiment.model_validate(data()["experiments"][lever])


def profile(name: str) -> dict[str, str]:
    """Return the team profile of that name: what it says, its advice, its source."""
    return next(row for row in data()["profiles"] if row["name"] == name)


def walls(lever: str) -> tuple[dict[str, str], ...]:
    """Return where a lever is the wrong one, each with its source."""
    return tuple(row for row in data()["walls"] if row["lever"] == lever)


def tables() -> dict[str, list[dict[str, Any]]]:
    """Return every table of the field's figures and decisions as plain rows, each row with its source."""
    held = data()
    listed = PriceBook.load()
    prices = [
        {
            "model": name,
            **{field: getattr(price, field) for field in price.origins},  # a field without an origin has no price
            "source": "; ".join(dict.fromkeys(str(origin) for origin in price.origins.values())),
        }
        for name, price in listed.listed.items()
    ]
    figures = {"latencies": latencies(), "thresholds": thresholds(), "costs": costs()}
    return {
        "changes": held["changes"],
        "signals": held["signals"],
        "scorecard": held["scorecard"],
        "gates": [each.model_dump(mode="json") for each in gates().values()],
        **{name: [each.model_dump(mode="json") for each in table.values()] for name, table in figures.items()},
        "walls": held["walls"],
        "prices": prices,
        "hidden": [each.model_dump(mode="json") for each in hidden_costs()],
        "projects": [each.model_dump(mode="json") for each in projects().values()],
        "scenarios": [
            {"name": each.name, "claim": each.claim, "agrees": each.agrees, "source": each.source}
            for each in scenarios()
        ],
        "practice": held["practice"],
        "profiles": held["profiles"],
        "sources": [{"source": code, "title": title} for code, title in sources().items()],
    }


def _moves(pairs: list[list[str]]) -> list[dict[str, str]]:
    return [{"lever": lever, "how": how} for lever, how in pairs]


@cache
def data() -> dict[str, Any]:
    """Return the tables as they are kept."""
    text = resources.files("levers.plan").joinpath("advice.json").read_text(encoding="utf-8")
    held: dict[str, Any] = json.loads(text)
    return held
