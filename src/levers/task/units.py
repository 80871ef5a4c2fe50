"""Units of measure that a numeric grader can turn into each other: "5 km" is "5,000 m"; money is never converted.

Factors are exact by definition (SI brochure, 9th edition; the international yard and pound agreement of 1959).
"""

from decimal import Decimal
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit: its dimension, and value = number · factor + offset in the dimension's base unit."""

    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)


_SCALED: dict[str, dict[str, str]] = {
    "length": {
        "mm millimeter millimetre": "0.001",
        "cm centimeter centimetre": "0.01",
        "m meter metre": "1",
        "km kilometer kilometre": "1000",
        "in inch inches": "0.0254",
        "ft foot feet": "0.3048",
        "yd yard": "0.9144",
        "mi mile": "1609.344",
    },
    "mass": {
        "mg milligram": "0.000001",
        "g gram": "0.001",
        "kg kilogram kilo": "1",
        "t tonne": "1000",
        "oz ounce": "0.028349523125",
        "lb lbs pound": "0.45359237",
    },
    "time": {
        "ms millisecond": "0.001",
        "s sec second": "1",
        "min minute": "60",
        "h hr hour": "3600",
        "d day": "86400",
        "w week": "604800",
    },
    "volume": {"ml milliliter millilitre": "0.001", "cl": "0.01", "dl": "0.1", "l liter litre": "1"},
    "data": {
        "b byte": "1",
        "kb": "1000",
        "mb": "1000000",
        "gb": "1000000000",
        "tb": "1000000000000",
        "kib": "1024",
        "mib": "1048576",
        "gib": "1073741824",
    },
    "energy": {"j joule": "1", "kj": "1000", "wh": "3600", "kwh": "3600000"},
    "power": {"w watt": "1", "kw kilowatt": "1000", "mw megawatt": "1000000"},
    "share": {"% percent": "0.01"},
}
_MONEY = {"usd": "$ usd dollar", "eur": "€ eur euro", "gbp": "£ gbp", "jpy": "¥ jpy yen", "chf": "chf franc"}
_TEMPERATURES = {
    "°c c celsius": ("1", "273.15"),
    "k kelvin": ("1", "0"),
    "°f f fahrenheit": ("0.55555555555555555556", "255.37222222222222222"),
}


def _table() -> dict[str, Unit]:
    found = {
        name: Unit(dimension, Decimal(factor))
        for dimension, units in _SCALED.items()
        for names, factor in units.items()
        for name in names.split()
    }
    found |= {name: Unit(currency, Decimal(1)) for currency, names in _MONEY.items() for name in names.split()}
    found |= {
        name: Unit("temperature", Decimal(factor), Decimal(offset))
        for names, (factor, offset) in _TEMPERATURES.items()
        for name in names.split()
    }
    return found


UNITS = _table()


def unit(name: str) -> Unit | None:
    """Find a unit by symbol or English name, singular or plural, in any case; None when it is not known."""
    plain = name.strip().casefold()
    return UNITS.get(plain) or (UNITS.get(plain[:-1]) if plain.endswith("s") and len(plain) > 2 else None)
