"""Measure variants of a pull against each other on dev, and parse a pull's settings."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.situation import Situation
from levers.stack import Stack

S = TypeVar("S", bound=Record)


def best_of(situation: Situation, lever: str, variants: Sequence[tuple[str, Stack]]) -> tuple[Stack, tuple[str, ...]]:
    """Measure every variant on dev; return the best by mean credit, then passes, with a note each. Ties: the first."""
    if len(variants) == 1:
        return variants[0][1], ()
    measured = [(label, stack, situation.bench.trial(stack, "dev", f"{lever}, {label}")) for label, stack in variants]
    best = max(measured, key=lambda each: (each[2].score, each[2].quality))
    notes = tuple(
        f"{label}: dev {trial.quality:.3f} passing, {trial.score:.3f} credit"
        + (" (chosen)" if stack is best[1] else "")
        for label, stack, trial in measured
    )
    return best[1], notes


def parse(kind: type[S], lever: str, settings: dict[str, Any]) -> S:
    """Read a pull's settings, or say for each what is wrong with it."""
    try:
        return kind(**settings)
    except ValidationError as error:
        known = ", ".join(kind.model_fields) or "none"
        raise UserError(
            [
                Problem(
                    file=f"levers pull {lever}",
                    field=".".join(str(part) for part in each["loc"]),
                    found=repr(each["input"]),
                    expected=each["msg"],
                    hint=f"settings of {lever}: {known}",
                )
                for each in error.errors()
            ]
        ) from None
