"""Measure variants of a pull against each other on dev, and parse a pull's settings."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.situation import Situation
from levers.stack import Stack
from levers.trial.records import Trial

Variant = tuple[str, Stack]
S = TypeVar("S", bound=Record)


def best_of(situation: Situation, lever: str, variants: Sequence[Variant]) -> tuple[Stack, tuple[str, ...]]:
    """Measure every variant on dev; return the best by passes, then mean credit, with a note each. Ties: the first."""
    if len(variants) == 1:
        return variants[0][1], ()
    measured = [(label, stack, _measure(situation, lever, label, stack)) for label, stack in variants]
    return _choose(measured)


def climb(
    situation: Situation,
    lever: str,
    variants: Sequence[Variant],
    further: Callable[[Stack], Sequence[Variant]] = lambda best: (),
) -> tuple[Stack, tuple[str, ...]]:
    """Measure variants of growing size on dev until one is worse than what went before; return the best, with notes.

    What goes before the first is the stack as it is. More of the same seldom helps once less of it hurt, and the larger
    variants are the slow ones. Where the best is better than the stack as it is, `further` variants of it are measured.
    """
    if len(variants) == 1:
        return variants[0][1], ()
    measured: list[tuple[str, Stack, Trial]] = []
    before: Trial = situation.trial
    for label, stack in variants:
        trial = _measure(situation, lever, label, stack)
        measured.append((label, stack, trial))
        if _merit(trial) < _merit(before):
            break
        before = trial
    left = [label for label, _ in variants[len(measured) :]]
    best = max(measured, key=lambda each: _merit(each[2]))
    if _merit(best[2]) > _merit(situation.trial):
        measured += [(label, stack, _measure(situation, lever, label, stack)) for label, stack in further(best[1])]
    chosen, notes = _choose(measured)
    return chosen, (*notes, *(f"{label}: not tried, the smaller one was worse than what went before" for label in left))


def _measure(situation: Situation, lever: str, label: str, stack: Stack) -> Trial:
    return situation.bench.trial(stack, "dev", f"{lever}, {label}")


def _merit(trial: Trial) -> tuple[float, float]:
    """Passes first, for they are what the target counts; credit decides between equals."""
    return trial.quality, trial.score


def _choose(measured: Sequence[tuple[str, Stack, Trial]]) -> tuple[Stack, tuple[str, ...]]:
    best = max(measured, key=lambda each: _merit(each[2]))
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
