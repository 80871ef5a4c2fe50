"""Units of measure that a numeric grader can turn into each other: "5 km" is "5,000 m"; money is never converted.

Factors are exact by definition (SI brochure, 9th edition; the international yard and pound agreement of 1959; the
calorie is the thermochemical one). A month has no fixed number of days, so months and years are a dimension of their
own, and units whose size depends on the country ("gallon") or the currency ("cent") turn into nothing else.
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
        "nm nanometer nanometre": "0.000000001",
        "µm μm micrometer micrometre micron": "0.000001",
        "mm millimeter millimetre": "0.001",
        "cm centimeter centimetre": "0.01",
        "m meter metre": "1",
        "km kilometer kilometre": "1000",
        "in inch inches": "0.0254",
        "ft foot feet": "0.3048",
        "yd yard": "0.9144",
        "mi mile": "1609.344",
        "NM nmi": "1852",
    },
    "mass": {
        "ng nanogram": "0.000000000001",
        "µg μg ug mcg microgram": "0.000000001",
        "mg milligram": "0.000001",
        "g gram": "0.001",
        "kg kilogram kilo": "1",
        "t tonne": "1000",
        "oz ounce": "0.028349523125",
        "lb lbs pound": "0.45359237",
    },
    "time": {
        "ns nanosecond": "0.000000001",
        "µs μs microsecond": "0.000001",
        "ms millisecond": "0.001",
        "s sec second": "1",
        "min minute": "60",
        "h hr hour": "3600",
        "d day": "86400",
        "w week": "604800",
        "fortnight": "1209600",
    },
    "calendar": {"month": "1", "quarter": "3", "yr year": "12", "decade": "120", "century centuries": "1200"},
    "area": {"cm²": "0.0001", "m² sqm": "1", "ha hectare": "10000", "km²": "1000000"},
    "volume": {
        "µl μl microliter microlitre": "0.000001",
        "ml milliliter millilitre cm³": "0.001",
        "cl": "0.01",
        "dl": "0.1",
        "l liter litre": "1",
        "m³": "1000",
    },
    "data": {
        "bit": "0.125",
        "Kb kbit kilobit": "125",
        "Mb mbit megabit": "125000",
        "Gb gbit gigabit": "125000000",
        "b byte": "1",
        "kb kilobyte": "1000",
        "mb megabyte": "1000000",
        "gb gigabyte": "1000000000",
        "tb terabyte": "1000000000000",
        "kib": "1024",
        "mib": "1048576",
        "gib": "1073741824",
    },
    "energy": {
        "mJ millijoule": "0.001",
        "j joule": "1",
        "kj kilojoule": "1000",
        "mj megajoule": "1000000",
        "kcal kilocalorie": "4184",
        "mWh": "3.6",
        "wh": "3600",
        "kwh": "3600000",
        "mwh": "3600000000",
        "gwh": "3600000000000",
        "twh": "3600000000000000",
    },
    "power": {
        "mW milliwatt": "0.001",
        "w watt": "1",
        "kw kilowatt": "1000",
        "mw megawatt": "1000000",
        "gw gigawatt": "1000000000",
    },
    "share": {"‰": "0.001", "% pct percent": "0.01"},
}
MONEY = {"usd": "$ usd dollar", "eur": "€ eur euro", "gbp": "£ gbp", "jpy": "¥ jpy yen", "chf": "chf franc"}
MONEY |= {code: code for code in "AUD BRL CAD CNY CZK DKK HKD HUF INR KRW MXN NOK NZD PLN SEK SGD TRY ZAR".split()}  # noqa: SIM905
_APART = {"cent": "¢ cent", "penny": "penny pence", "gallon": "gal gallon", "quart": "quart", "pint": "pint"}
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
    found |= {
        name: Unit(currency, Decimal(1)) for currency, names in (MONEY | _APART).items() for name in names.split()
    }
    found |= {
        name: Unit("temperature", Decimal(factor), Decimal(offset))
        for names, (factor, offset) in _TEMPERATURES.items()
        for name in names.split()
    }
    return found


UNITS = _table()


def unit(name: str) -> Unit | None:
    """Find a unit by symbol or English name, singular or plural; None when it is not known.

    Any case will do, unless the case tells two units apart: "mW" is not "MW", nor "Mb" (bits) "MB" (bytes).
    """
    told = name.strip()
    names = (told, told[:-1]) if told[-1:] in "sS" and len(told) > 2 else (told,)
    return next((UNITS[each] for each in (*names, *map(str.casefold, names)) if each in UNITS), None)
