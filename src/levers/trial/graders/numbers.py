"""The check of numbers."""

import re
from decimal import Decimal

from levers.task.records import GraderSpec
from levers.task.units import MONEY, Unit, unit
from levers.trial.graders.contract import Verdict
from levers.trial.text import clip, first_number, number_at

_AFTER = re.compile(r"\s*-?\s*(°\s*[CFcf]|[%‰€$£¥¢]|[A-Za-zµμ]+[²³]?)")
_BEFORE = re.compile(r"([€$£¥]|\b[A-Z]{3})\s*[-+−]?$")  # noqa: RUF001
_NOT_INCHES = re.compile(r"\s*in\s+(?!(?:long|wide|high|deep|thick|tall|across|by|x|and|or|to)\b)\w")  # "12 in total"


def check_numeric(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
    """Pass when the first number is within `tolerance` (absolute, default 0) or `relative` of an accepted one.

    Units are ignored unless `unit` names one: then a number in another unit of its kind is converted, one in a unit of
    another kind fails, and a number without a unit counts as one in `unit`. Money is never converted, nor months and
    years into days. Words of size multiply: "5 million".
    """
    wanted = [_value(each, spec.unit) for each in accepted]
    if None in wanted:
        raise ValueError(f"an expected answer holds no such number: {', '.join(clip(each) for each in accepted)}")
    found = _value(text, spec.unit)
    if found is None:
        what = f"no number in {spec.unit}" if spec.unit and first_number(text) is not None else "no number"
        return Verdict.of(False, f'{what} in "{clip(text)}"')
    absolute, relative = Decimal(str(spec.tolerance or 0)), Decimal(str(spec.relative or 0))
    near = any(abs(found - each) <= max(absolute, relative * abs(each)) for each in wanted if each is not None)
    within = f"{absolute}" if not relative else f"max({absolute}, {relative:%})"
    shown = f" {spec.unit}" if spec.unit else ""
    wished = " or ".join(_plain(each) for each in wanted if each is not None)
    return Verdict.of(near, f"expected {wished}{shown} ± {within}, found {_plain(found)}{shown}")


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}" if value == value.to_integral() else str(value)


def _value(text: str, wanted: str | None) -> Decimal | None:
    """Return the first number of a text; with a wanted unit, converted to it, and None where it has another kind."""
    if wanted is None:
        return first_number(text)
    target = unit(wanted)
    if target is None:
        raise ValueError(f"{wanted!r} is no unit that is known")
    span = number_at(text)
    if span is None:
        return None
    number, start, end = span
    own = _unit_beside(text, start, end) or target
    if own.dimension != target.dimension:
        return None
    return (number * own.factor + own.offset - target.offset) / target.factor


def _unit_beside(text: str, start: int, end: int) -> Unit | None:
    before, after = _BEFORE.search(text[:start]), _AFTER.match(text, end)
    if before and (found := unit(before[1])) and found.dimension in MONEY:
        return found
    return unit(after[1].replace(" ", "")) if after and not _NOT_INCHES.match(text, end) else None
