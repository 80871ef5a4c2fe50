"""Labels told by other cases of them: never by the case itself, and by no more work than a large set can bear."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from rapidfuzz import fuzz, process

from levers.diagnosis.probes import KNOWN, OF_EACH, apply_probes
from levers.stack import Given, ModelRef, Stack
from levers.task import Task
from levers.task.records import Case, DevCase, TaskConfig
from levers.trial.shelf import Shelf

WORDS = ("card", "loan", "fee", "rate", "bank", "code", "app", "limit", "note", "coin")


def task(labels: Sequence[str], choices: Sequence[str] | None) -> Task:
    """A dev case for every label, whose label is the whole answer."""
    grader = {"kind": "choice", "choices": choices}
    config = TaskConfig.model_validate({"name": "t", "instructions": "b.md", "golden": "g.jsonl", "graders": [grader]})
    cases = tuple(
        Case(
            id=f"c{at}",
            input=f"about my {WORDS[at % 10]} and {WORDS[at // 10 % 10]} number {at}",
            expected=label,
            partition="dev",
        )
        for at, label in enumerate(labels)
    )
    return Task(root=Path(), config=config, instructions="", cases=cases)


def told(made: Task, cases: Sequence[DevCase]) -> dict[str, str]:
    nothing = Shelf(None, pytest.fail)
    part = apply_probes(Stack(model=ModelRef(id="m")), ("instruction",), cases, made, nothing).part("given")
    assert isinstance(part, Given)
    return part.told


def by_hand(made: Task, case: DevCase, choices: Sequence[str] | None) -> str:
    """The likest of all other cases of every label, labels in the order in which they are met."""
    known: dict[str, list[str]] = {label: [] for label in choices or ()}
    for other in made.partition("dev"):
        if other.id != case.id:
            known.setdefault(str(other.expected), []).append(other.question)
    lines = ["The labels, each with messages that belong to it:"]
    for label, questions in known.items():
        near = process.extract(case.question, questions, scorer=fuzz.token_set_ratio, limit=OF_EACH)
        lines.append(f"- {label}" + "".join(f" | {question}" for question, _, _ in near))
    return "\n".join(lines)


@pytest.mark.parametrize("choices", [None, ("b", "a", "never")])
def test_in_a_small_set_the_likest_of_all_others_are_told(choices: Sequence[str] | None) -> None:
    made = task(["once", *"abcabbcacb", "a", "c"], choices)
    cases = made.partition("dev")
    assert told(made, cases) == {case.id: by_hand(made, case, choices) for case in cases}


def test_in_a_large_set_the_work_for_a_case_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    extract = process.extract

    def counted(query: str, choices: Sequence[str], **options: object) -> object:
        read.append(len(choices))
        return extract(query, choices, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("levers.diagnosis.probes.process.extract", counted)
    made = task(["a", "b"] * 450, ("a", "b"))
    cases = made.partition("dev")[:20]
    first = told(made, cases)
    assert max(read) == KNOWN and len(read) == 40
    assert first == told(made, cases)
    for case in cases:
        assert not any(line.split(" | ")[1:].count(case.question) for line in first[case.id].splitlines())
