"""Measure variants of a pull against each other on dev, and parse a pull's settings."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.situation import Checking, Lever, Material, Situation
from levers.stack import Stack
from levers.task.records import Task
from levers.task.wording import nearest
from levers.trial import compare
from levers.trial.records import Trial

Variant = tuple[str, Stack]
S = TypeVar("S", bound=Record)
_BRING: dict[Material, str] = {
    "documents": "name their folder: knowledge: {documents: docs/}",
    "examples": "name their file: examples: examples.jsonl",
}


def best_of(situation: Situation, lever: str, variants: Sequence[Variant]) -> tuple[Stack, tuple[str, ...]]:
    """Measure every variant on dev; return the best by passes, then mean credit, with a note each. Ties: the first."""
    if len(variants) == 1:
        return variants[0][1], ()
    measured = [(label, stack, _measure(situation, lever, label, stack)) for label, stack in variants]
    return _choose(measured)


def unless_better(situation: Situation, lever: str, usual: Variant, other: Variant) -> tuple[Stack, tuple[str, ...]]:
    """Measure two variants on dev; return the usual one unless the other passes or earns more by more than chance."""
    pair = [(label, stack, _measure(situation, lever, label, stack)) for label, stack in (usual, other)]
    first, second = pair[0][2], pair[1][2]
    found = [compare(first, second, "pass"), compare(first, second, "score")]
    better = any(each.decisive and each.difference > 0 for each in found) and _merit(second) > _merit(first)
    return _noted(pair, pair[better])


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
    return _noted(measured, max(measured, key=lambda each: _merit(each[2])))


def _noted(
    measured: Sequence[tuple[str, Stack, Trial]], best: tuple[str, Stack, Trial]
) -> tuple[Stack, tuple[str, ...]]:
    notes = tuple(
        f"{label}: dev {trial.quality:.3f} passing, {trial.score:.3f} credit"
        + (" (chosen)" if stack is best[1] else "")
        for label, stack, trial in measured
    )
    return best[1], notes


def check_pull(lever: Lever, task: Task, settings: dict[str, Any], stack: Stack) -> None:
    """Refuse, before anything is measured, settings that are wrong and a project without the lever's material.

    Raises UserError with all of it at once.
    """
    there = {"documents": task.documents is not None, "examples": bool(task.examples)}
    problems = [
        Problem(file="levers.yaml", found=f"no {each}", expected=f"{each} for {lever.name}", hint=_BRING[each])
        for each in lever.wants
        if not there[each]
    ]
    try:
        parse(lever.settings, lever.name, settings)
        if not problems and isinstance(lever, Checking):
            lever.check(task, settings, stack)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(problems)


def parse(kind: type[S], lever: str, settings: dict[str, Any]) -> S:
    """Read a pull's settings, or say for each what is wrong with it."""
    try:
        return kind(**settings)
    except ValidationError as error:
        raise UserError([_wrong(kind, lever, each) for each in error.errors()]) from None


def _wrong(kind: type[Record], lever: str, detail: ErrorDetails) -> Problem:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        found, expected = "an unknown setting", f"one of {', '.join(kind.model_fields)}"
        near = nearest(name, kind.model_fields)
        hint = f'did you mean "{near}"?' if near else ""
        expected = expected if kind.model_fields else f"none, {lever} has nothing to set"
    else:
        found, expected = repr(detail["input"]), _wanted(kind.model_fields[name]) if name else detail["msg"]
        hint = f"settings of {lever}: {', '.join(kind.model_fields)}"
    return Problem(file=f"levers pull {lever}", field=name, found=found, expected=expected, hint=hint)


def _wanted(field: FieldInfo) -> str:
    """Say in plain words what a setting takes."""
    kinds = [each for each in get_args(field.annotation) if each is not type(None)]
    kind = kinds[0] if kinds and get_origin(field.annotation) is not Literal else field.annotation
    if get_origin(kind) is Literal:
        return f"one of {', '.join(str(each) for each in get_args(kind))}"
    bounds = [
        f"{word} {getattr(each, name):g}"
        for each in field.metadata
        for name, word in {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}.items()
        if hasattr(each, name)
    ]
    words: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}
    what = words.get(kind, "a text")
    return f"{what} of {' and '.join(bounds)}" if bounds else what
