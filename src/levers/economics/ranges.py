"""A figure that is known as a range: its two ends, its unit, and where it comes from."""

from fractions import Fraction
from random import Random

from pydantic import Field, model_validator

from levers.economics.price import Provenance, written
from levers.ledger import Record


class Range(Record):
    """An amount between `low` and `high`; a figure that is known exactly has both ends alike.

    `unit` is USD, weeks, answers a day …; `open` says that `high` is a landmark and no limit.
    """

    name: str
    low: float = Field(ge=0, allow_inf_nan=False)
    high: float = Field(ge=0, allow_inf_nan=False)
    unit: str = "USD"
    provenance: Provenance = "assumed"
    source: str
    open: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError(f"{self.name}: the lower end {self.low:g} is above the upper end {self.high:g}")
        return self

    @property
    def middle(self) -> float:
        """Halfway between the ends."""
        return float((written(self.low) + written(self.high)) / 2)

    @property
    def exact(self) -> bool:
        """Tell whether the figure is known exactly."""
        return self.low == self.high

    def at(self, part: float) -> Fraction:
        """Return the amount at that part of the way from `low` (0) to `high` (1), exactly at both ends."""
        return written(self.low) + (written(self.high) - written(self.low)) * written(part)

    def draw(self, random: Random) -> float:
        """Draw an amount, every one between the ends as likely as another."""
        return self.low + (self.high - self.low) * random.random()


def fixed(name: str, value: float, source: str, provenance: Provenance = "assumed", unit: str = "USD") -> Range:
    """Return a figure that is known exactly as a range."""
    return Range(name=name, low=value, high=value, unit=unit, provenance=provenance, source=source)
