"""What is paid once or by the month beside answers: hosted training by the token, storage by the gigabyte."""

import math
from fractions import Fraction

from levers.economics.price import CostFigure, Extra, Price, written
from levers.errors import Problem, UserError


def training_cost(price: Price, tokens: int, epochs: float = 3) -> CostFigure:
    """Return the USD of a hosted tuning run: tokens x epochs x the price of 1M training tokens.

    Three epochs are the field's usual start (S3). Raises UserError where no training price is known.
    """
    figure = _known(price, "training", "USD per 1M training tokens; hosted tuning is 0.80 to 3 (S0)")
    return _figure(price, "training", float(_count("tokens", tokens) * _count("epochs", epochs) * figure / 1_000_000))


def storage_cost(price: Price, gigabytes: float) -> CostFigure:
    """Return the USD a month of keeping so many gigabytes. Raises UserError where no storage price is known."""
    figure = _known(price, "storage", "USD per GB and month")
    return _figure(price, "storage", float(_count("gigabytes", gigabytes) * figure))


def _known(price: Price, name: Extra, unit: str) -> Fraction:
    value = getattr(price, name)
    if value is None:
        hint = f'add it in prices.yaml: "{price.model}": {{…, {name}: 3.00}}'
        raise UserError(
            Problem(file="prices", field=f"{price.model}.{name}", found="nothing", expected=unit, hint=hint)
        )
    return written(value)


def _count(name: str, value: float) -> Fraction:
    if not (math.isfinite(value) and value >= 0):
        raise UserError(Problem(file=name, found=str(value), expected="a number, 0 or more"))
    return written(value)


def _figure(price: Price, name: Extra, value: float) -> CostFigure:
    origin = price.origins.get(name)
    if origin is None:
        return CostFigure(value=value, provenance="assumed", source="no source given")
    return CostFigure(value=value, provenance=origin.provenance, source=str(origin))
