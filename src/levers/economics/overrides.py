"""Read a team's prices.yaml: token prices or the price of a machine for each model, with all problems at once."""

import difflib
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from levers.economics.price import BUCKETS, EXTRAS, Bucket, Extra, Origin, Price
from levers.economics.quantities import LARGEST
from levers.errors import Problem, UserError
from levers.ledger.yaml import describe, line_of, parse_yaml

CACHE_READ_SHARE = 0.10
"""A cached token read costs about this share of an input token, where a provider's own figure is not known (S0)."""
CACHE_WRITE_SHARE = 1.25
"""The same for a cached token written: S0 speaks of a small premium; a quarter is what one provider asks."""

_SHAPE = "{input: 1.00, output: 4.00} in USD per 1M tokens, or {compute_hour: 0.50} in USD"
_FIELDS = (*BUCKETS, *EXTRAS)
_ALONE = ("request", "storage")  # a service that is paid by the call or by what it keeps needs no token price
_UNITS = {"cache_seconds": "seconds", "cache_minimum": "tokens"}


def read_overrides(path: Path, shown: str) -> dict[str, Price]:
    """Return the prices by model id (or pattern, `hf/*`) that the file gives; an empty file gives none.

    Cache prices that are left out are derived from the input price and marked "assumed". Raises UserError with every
    problem, by line; `shown` is how the problems name the file.
    """
    tree = _parse(path, shown)
    if tree is None:
        return {}
    if not isinstance(tree, CommentedMap):
        raise UserError(Problem(file=shown, line=1, found=describe(tree), expected=f"model ids, each with {_SHAPE}"))
    origin = Origin(provenance="price book", source=shown)
    problems: list[Problem] = []
    prices: dict[str, Price] = {}
    for model, entry in tree.items():
        found = _entry_problems(shown, tree, model, entry)
        problems += found
        if not found:
            prices[model] = _price(model, entry, origin)
    if problems:
        raise UserError(problems)
    return prices


def _parse(path: Path, shown: str) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        found, hint = "bytes that are not UTF-8", "save it as UTF-8"
        raise UserError(Problem(file=shown, line=line, found=found, expected="UTF-8 text", hint=hint)) from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        hint = "write it, or take `prices:` out of levers.yaml"
        raise UserError(Problem(file=shown, found=why, expected="a readable file", hint=hint)) from error
    tree, problem = parse_yaml(text, shown)
    if problem:
        raise UserError(problem)
    return tree


def _entry_problems(shown: str, tree: CommentedMap, model: Any, entry: Any) -> list[Problem]:
    line = line_of(tree, model) or 1
    if not isinstance(model, str) or not model or "*" in model[:-1]:
        expected = "a model id such as openai/gpt-4o, or a pattern with one * at its end, such as hf/*"
        return [Problem(file=shown, line=line, field=str(model), found=describe(model), expected=expected)]
    if not isinstance(entry, CommentedMap):
        return [Problem(file=shown, line=line, field=model, found=describe(entry), expected=_SHAPE)]
    problems = [
        problem
        for key, value in entry.items()
        for problem in _field_problems(shown, line_of(entry, key) or line, f"{model}.{key}", key, value)
    ]
    names = set(entry)
    if not names & set(BUCKETS):
        if not problems and not names & set(_ALONE):
            problems.append(Problem(file=shown, line=line, field=model, found="no price", expected=_SHAPE))
    elif "compute_hour" in names and names & set(BUCKETS) != {"compute_hour"}:
        hint = "a model is paid by the token or by the hour; delete one kind"
        problems.append(Problem(file=shown, line=line, field=model, found="both kinds", expected=_SHAPE, hint=hint))
    elif "compute_hour" not in names:
        lacking = [name for name in ("input", "output") if name not in names]
        for name in lacking:
            hint = "an embedding model has output: 0" if name == "output" else ""
            problems.append(
                Problem(file=shown, line=line, field=f"{model}.{name}", found="nothing", expected="a price", hint=hint)
            )
    return problems


def _field_problems(shown: str, line: int, field: str, key: Any, value: Any) -> list[Problem]:
    if key not in _FIELDS:
        close = difflib.get_close_matches(str(key), _FIELDS, n=1)
        hint = f"did you mean {close[0]}?" if close else ""
        expected = ", ".join(_FIELDS)
        return [Problem(file=shown, line=line, field=field, found="an unknown field", expected=expected, hint=hint)]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
        hint = "write the bare number, without a currency sign" if isinstance(value, str) else ""
        expected = f"{_UNITS.get(key, 'USD')}, a number that is 0 or more, {LARGEST:g} at the most"
        return [Problem(file=shown, line=line, field=field, found=describe(value), expected=expected, hint=hint)]
    return []


def _price(model: str, entry: CommentedMap, origin: Origin) -> Price:
    figures: dict[Bucket | Extra, float] = {name: float(entry[name]) for name in _FIELDS if name in entry}
    origins: dict[Bucket | Extra, Origin] = dict.fromkeys(figures, origin)
    if "input" in figures:
        derived: dict[Bucket, float] = {"cache_read": CACHE_READ_SHARE, "cache_write": CACHE_WRITE_SHARE}
        for bucket, share in derived.items():
            if bucket not in figures:
                figures[bucket] = round(figures["input"] * share, 12)
                source = f"{share:g} x the input price in {origin.source}; S0"
                origins[bucket] = Origin(provenance="assumed", source=source)
    return Price(model=model, origins=origins, **{str(bucket): value for bucket, value in figures.items()})
