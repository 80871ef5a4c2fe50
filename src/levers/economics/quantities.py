"""Quantities as people write them: 10k/day, 5m, 24GB, 800ms, 15000..30000; a missing unit is a problem, not a guess."""

import re
from dataclasses import dataclass, field

from levers.economics.price import written
from levers.economics.ranges import Range
from levers.economics.totals import DAYS_PER_MONTH, DAYS_PER_YEAR, MONTHS_PER_YEAR, WEEKS_PER_YEAR
from levers.errors import Problem, UserError

# A comma is a decimal sign in half of the world: only where it can be nothing else it parts thousands.
_GROUPED = r"[1-9]\d{0,2}(?:,\d{3})+"
_NUMBER = re.compile(rf"([+-]?(?:(?:{_GROUPED}|\d[\d_]*)(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*([kKmMbB]?)", re.ASCII)
_COMMAS = re.compile(rf"(?P<good>{_GROUPED}(?:\.\d+)?(?![\d,]))|\d+(?:\.\d+)*(?:,\d+)+(?:\.\d+)?", re.ASCII)
# No figure of a case is larger or nearer to 0, and whatever is reckoned from a handful within them stays finite.
LARGEST, SMALLEST = 1e15, 1e-15
_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "d": 86_400.0}
BYTES = {
    "MB": 10.0**6, "GB": 10.0**9, "TB": 10.0**12, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
}  # fmt: skip
PER_DAY = {"s": 86_400.0, "second": 86_400.0, "minute": 1440.0, "hour": 24.0, "h": 24.0, "day": 1.0, "d": 1.0,
           "week": 1 / 7, "month": 1 / DAYS_PER_MONTH, "year": 1 / DAYS_PER_YEAR}  # fmt: skip
CHANGES_PER_YEAR = {
    "never": 0.0, "yearly": 1.0, "quarterly": 4.0, "monthly": float(MONTHS_PER_YEAR), "weekly": WEEKS_PER_YEAR,
    "daily": float(DAYS_PER_YEAR), "hourly": 24.0 * DAYS_PER_YEAR,
}  # fmt: skip
_YEARLY = {"year": 1.0, "month": float(MONTHS_PER_YEAR), "week": WEEKS_PER_YEAR, "day": float(DAYS_PER_YEAR)}


@dataclass
class Reader:
    """Reads a command's quantities and collects what is wrong with them, so that all problems show at once."""

    problems: list[Problem] = field(default_factory=list)

    def number(self, name: str, text: str | float, low: float = 0.0, high: float = LARGEST) -> float:
        """Read a plain number (10k, 2.5M and 60,000 are fine) that lies between the limits."""
        found = _number(str(text).strip())
        if found is None:
            return self._refuse(name, text, "a number", "write it without a unit; 10k and 2.5M are fine")
        return self._within(name, text, found, low, high)

    def whole(self, name: str, text: str | float, low: int = 0, high: float = LARGEST) -> int:
        """Read a whole number that lies between the limits."""
        found = self.number(name, text, low, high)
        if not found.is_integer():
            self._refuse(name, text, "a whole number", "tokens, calls and layers are counted")
        return int(found)

    def share(self, name: str, text: str | float) -> float:
        """Read a share between 0 and 1; `80%` is 0.8, and a bare 80 is refused with that hint."""
        words = str(text).strip()
        found = _number(words.removesuffix("%").strip())
        if found is None:
            return self._refuse(name, text, "a share between 0 and 1", "write 0.8 or 80%")
        value = float(written(found) / 100) if words.endswith("%") and found < LARGEST else found
        if value == 0 or SMALLEST <= value <= 1:
            return value
        bare = not words.endswith("%") and 1 < value <= 100
        hint = f"write {value / 100:g} or {value:g}%" if bare else "a share is part of a whole"
        return self._refuse(name, text, "a share between 0 and 1", hint)

    def seconds(self, name: str, text: str, example: str = "5m") -> float:
        """Read a time with its unit (800ms, 5m, 1h) as seconds; the hint is written like the example."""
        return self._with_unit(name, text, SECONDS, "a time with its unit", example)

    def milliseconds(self, name: str, text: str, example: str = "800ms") -> float:
        """Read a time with its unit as milliseconds."""
        units = {unit: seconds * 1000 for unit, seconds in SECONDS.items()}
        return self._with_unit(name, text, units, "a time with its unit", example)

    def bytes(self, name: str, text: str) -> float:
        """Read an amount of memory with its unit (24GB, 80GiB) as bytes."""
        return self._with_unit(name, text, BYTES, "an amount of memory with its unit", "24GB")

    def per_day(self, name: str, text: str) -> float:
        """Read a volume with its unit of time (10k/day, 3M/month) as so many a day; months have 30 days, years 360."""
        words = str(text).strip()
        amount, slash, unit = words.partition("/")
        found = _number(amount.strip())
        hint = f"write {amount.strip() or '10k'}/day"
        if found is None or not slash or unit.strip() not in PER_DAY:
            return self._refuse(name, text, "a volume with its unit of time", f"{hint}; also /{', /'.join(PER_DAY)}")
        return self._within(name, text, found * PER_DAY[unit.strip()])

    def per_year(self, name: str, text: str) -> float:
        """Read how often something changes: never, quarterly, daily …, or 6/year, as times a year."""
        words = str(text).strip().lower()
        if words in CHANGES_PER_YEAR:
            return CHANGES_PER_YEAR[words]
        amount, slash, unit = words.partition("/")
        found = _number(amount)
        if found is None or not slash or unit not in _YEARLY:
            known = ", ".join(CHANGES_PER_YEAR)
            return self._refuse(name, text, f"{known}, or a number such as 6/year", "say how often it changes")
        return self._within(name, text, found * _YEARLY[unit])

    def span(self, name: str, text: str | float, unit: str) -> Range:
        """Read an amount or a range of amounts, 15000..30000, as the user's own figure."""
        low, dots, high = str(text).strip().partition("..")
        ends = [_number(part.strip().lstrip("$")) for part in ((low, high) if dots else (low,))]
        source = "given by you"
        if any(end is None for end in ends):
            self._refuse(name, text, f"{unit}, a number or a range", "write 15000 or 15000..30000")
            return Range(name=name, low=0, high=0, unit=unit, provenance="assumed", source=source)
        before = len(self.problems)
        values = [self._within(name, text, end or 0.0) for end in ends]
        if values[0] > values[-1]:
            if len(self.problems) == before:  # an end that was refused has no order
                self._refuse(name, text, "the lower end first", f"write {high}..{low}")
            values.sort()
        return Range(name=name, low=values[0], high=values[-1], unit=unit, provenance="assumed", source=source)

    def done(self) -> None:
        """Raise UserError with every problem so far; does nothing when there is none."""
        if self.problems:
            raise UserError(self.problems)

    def refuse(self, name: str, found: str, expected: str, hint: str = "") -> None:
        """Note a problem of the caller's own."""
        self.problems.append(Problem(file=name, found=found, expected=expected, hint=hint))

    def _with_unit(self, name: str, text: str, units: dict[str, float], expected: str, example: str) -> float:
        found = re.fullmatch(r"\s*([+-]?[\d.,_e]+?)\s*([A-Za-z]*)\s*", str(text))
        value = _number(found[1]) if found else None
        if found is None or value is None:
            return self._refuse(name, text, expected, f"write {example}; units: {', '.join(units)}")
        if found[2] not in units:
            said = f"{found[1]}{example.lstrip('0123456789')}"
            hint = f"write {said}" if not found[2] else f"units: {', '.join(units)}"
            return self._refuse(name, text, expected, hint)
        return self._within(name, text, value * units[found[2]])

    def _within(self, name: str, text: str | float, value: float, low: float = 0.0, high: float = LARGEST) -> float:
        if 0 < value < SMALLEST:
            hint = "too small to reckon with: is the unit right?"
            return self._refuse(name, text, f"0, or {SMALLEST:g} or more", hint)
        if low <= value <= high:
            return value
        if value > high == LARGEST:
            return self._refuse(name, text, f"{high:g} at the most", "too large to reckon with: is the unit right?")
        limit = f"{low:g} or more" if high == LARGEST else f"between {low:g} and {high:g}"
        return self._refuse(
            name, text, f"a number, {limit}", "costs and volumes are never negative" if value < 0 else ""
        )

    def _refuse(self, name: str, text: str | float, expected: str, hint: str) -> float:
        hint = _comma_hint(str(text)) or hint
        self.refuse(name, repr(text) if isinstance(text, str) else str(text), expected, hint)
        return 0.0


def figure(value: float) -> float:
    """Return a figure that code gives as it is. Raises ValueError where `Reader` would refuse it."""
    if value == 0 or SMALLEST <= value <= LARGEST:
        return value
    raise ValueError(f"{value} is neither 0 nor between {SMALLEST:g} and {LARGEST:g}")


def often(per_year: float) -> str:
    """Say how often something changes, in the word it was given in where there is one: weekly, or 6 times a year."""
    words = {rate: name for name, rate in CHANGES_PER_YEAR.items()}
    return words.get(per_year) or f"{per_year:,.3g} times a year"


def _number(text: str) -> float | None:
    """Return the number that is written; None when it is none. One that no float holds is infinite."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    return float(found[1].replace(",", "").replace("_", "")) * _FACTORS[found[2].lower()]


def _comma_hint(text: str) -> str:
    """Return how to write the numbers whose commas part no thousands; empty where there are none."""
    wrong = [found[0] for found in _COMMAS.finditer(text) if not found["good"]]
    if not wrong:
        return ""
    if any("." in each or each.count(",") > 1 for each in wrong):
        return "a comma parts thousands, as in 60,000; write decimals with a point, as in 0.015"
    mended = _COMMAS.sub(lambda found: found[0] if found["good"] else found[0].replace(",", "."), text.strip())
    return f"write {mended}; a comma parts thousands, as in 60,000"
