"""Grading and statistics per case, against the peers that do the same part of the work."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from benchmarks import Row, in_turns
from levers.stack import Answer
from levers.task import Task, init, load
from levers.task.records import Case
from levers.trial import Trial, compare
from levers.trial.measure import judge, summarise

REPEATS = 5


def measure() -> list[Row]:
    """Grade made-up answers to the example's dev cases, then compare two trials of them."""
    with tempfile.TemporaryDirectory() as scratch:
        task = load(init(Path(scratch) / "support"))
    cases = task.partition("dev")
    answers = [_answer(case, place) for place, case in enumerate(cases)]
    return [_grading(task, cases, answers), *_comparing(task, cases, answers)]


def _answer(case: Case, place: int) -> Answer:
    """Answer every second case rightly, the others in the right form."""
    expected: Any = case.expected
    right = {key: value[0] if isinstance(value, list | tuple) else value for key, value in expected.items()}
    return Answer(id=case.id, text=json.dumps(right if place % 2 else {**right, "answer": "something else"}))


def _grading(task: Task, cases: tuple[Case, ...], answers: list[Answer]) -> Row:
    validator = Draft202012Validator(task.answer_schema or {})

    def ours() -> None:
        for case, answer in zip(cases, answers, strict=True):
            judge(task, case, answer)

    def peer() -> None:
        for answer in answers:
            list(validator.iter_errors(json.loads(answer.text)))

    taken, limit = in_turns(ours, peer, REPEATS)
    what, against = f"grade with {len(task.config.graders)} graders", "jsonschema alone on the same answers"
    scale = 1e6 / len(cases)
    return Row("trials", what, taken * scale, against, limit * scale, "µs per case", "the rest compares and explains")


def _comparing(task: Task, cases: tuple[Case, ...], answers: list[Answer]) -> list[Row]:
    before, after = _trial(task, cases, answers), _trial(task, cases, [*answers[1:], answers[0]])
    differences = np.array([new.score - old.score for old, new in zip(before.outcomes, after.outcomes, strict=True)])
    try:
        from scipy.stats import bootstrap
    except ImportError:
        return []

    def peer() -> None:
        bootstrap((differences,), np.mean, n_resamples=10_000, method="BCa", rng=np.random.default_rng(0))

    taken, limit = in_turns(lambda: compare(before, after, "score"), peer, REPEATS)
    what, against = "compare two trials: BCa, permutation, power", "scipy's BCa bootstrap alone, 10,000 resamples"
    scale = 1e6 / len(cases)
    return [Row("trials", what, taken * scale, against, limit * scale, "µs per case", "below 1: faster than the peer")]


def _trial(task: Task, cases: tuple[Case, ...], answers: list[Answer]) -> Trial:
    named = [answer.model_copy(update={"id": case.id}) for case, answer in zip(cases, answers, strict=True)]
    outcomes = [judge(task, case, answer) for case, answer in zip(cases, named, strict=True)]
    return summarise(task, cases, outcomes, stack="made up")
