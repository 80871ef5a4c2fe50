"""The price book: dated prices that come with levers, and the team's own over them."""

import difflib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from levers.economics.overrides import read_overrides
from levers.economics.price import BUCKETS, EXTRAS, Bucket, Extra, Origin, Price
from levers.errors import Problem, UserError
from levers.ledger import Record

_LOCAL = ("pocket", "minilm", "hf/")


class PriceBook(Record):
    """Prices by model id. A name ending in `*` is a pattern for every id that starts so; the longest match wins.

    The team's own prices (`own`) come before the book's, patterns included: `hf/*` in prices.yaml speaks for every
    hf model.
    """

    version: int
    as_of: str
    listed: dict[str, Price]
    own: dict[str, Price] = Field(default_factory=dict)

    @classmethod
    def load(cls, overrides: Path | None = None, shown: str | None = None) -> "PriceBook":
        """Read the book that comes with levers, and the team's prices.yaml over it.

        `shown` is how problems name that file (by default its bare name). Raises UserError with every
        problem of the file.
        """
        version, as_of, listed = _packaged()
        own = read_overrides(overrides, shown or overrides.name) if overrides else {}
        return cls(version=version, as_of=as_of, listed=listed, own=own)

    def find(self, model: str) -> Price | None:
        """Return the price of that provider/model id, or None where none is known."""
        return _match(self.own, model) or _match(self.listed, model)

    def charged(self, model: str) -> Price | None:
        """Return the price that a model's replies are charged at, or None.

        A hosted model that has an hour's price alone has none: its replies do not tell how long a machine was busy.
        """
        found = self.find(model)
        return found if found is None or model.startswith(_LOCAL) or found.for_calls else None

    def price(self, model: str) -> Price:
        """Return the price of that provider/model id. Raises UserError, saying how to give one, where none is known."""
        found = self.find(model)
        if found is None:
            raise UserError(self.missing(model))
        return found

    def missing(self, model: str) -> Problem:
        """Say that this model has no price, and how to give it one."""
        if model.startswith(_LOCAL):
            entry = f'"{model}": {{compute_hour: 0.50}} (USD per hour of your machine)'
        else:
            entry = f'"{model}": {{input: 1.00, output: 4.00}} (USD per 1M tokens; both 0 for a server of your own)'
        known = sorted({*self.own, *self.listed} - {model})
        close = difflib.get_close_matches(model, known, n=1, cutoff=0.8)
        meant = f"; or did you mean {close[0]}?" if close else ""
        hourly = self.find(model) is not None
        return Problem(
            file="prices.yaml",
            field=model,
            found="only a price by the hour" if hourly else "no price",
            expected=f"one in the price book of {self.as_of} or in your prices (--prices, or `prices:` in levers.yaml)",
            hint=f"write {entry} in its place: a server's replies do not tell how long its machine was busy"
            if hourly
            else f"add a line {entry}{meant}",
        )

    def uncapped(self, model: str, file: str | None) -> Problem:
        """Say that a cap cannot hold this model, for it has no price. `file` is the project's own prices, if any."""
        place = file or "prices.yaml (and write `prices: prices.yaml` in levers.yaml)"
        missing = self.missing(model)
        return Problem(
            file="levers.yaml",
            field="models.cap",
            found=f"{missing.found} for {model}",
            expected="one, for a cap counts prices",
            hint=f"in {place} {missing.hint}",
        )


def _match(prices: dict[str, Price], model: str) -> Price | None:
    if model in prices:
        return prices[model]
    patterns = [name for name in prices if name.endswith("*") and model.startswith(name[:-1])]
    return prices[max(patterns, key=len)] if patterns else None


@cache
def _packaged() -> tuple[int, str, dict[str, Price]]:
    text = resources.files("levers.economics").joinpath("prices.json").read_text(encoding="utf-8")
    book: dict[str, Any] = json.loads(text)
    entries = {name: _price(name, entry) for name, entry in book["models"].items()}
    return book["version"], book["as_of"], entries


def _price(name: str, entry: dict[str, Any]) -> Price:
    named: dict[str, Any] = entry["origins"]
    figures = {bucket: entry[bucket] for bucket in (*BUCKETS, *EXTRAS) if bucket in entry}
    origins: dict[Bucket | Extra, Origin] = {
        bucket: Origin.model_validate(named.get(bucket) or named["default"]) for bucket in figures
    }
    return Price(model=name, origins=origins, **figures)
