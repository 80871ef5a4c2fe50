"""Reviewed answers: what people said of real answers, to train a tone classifier on and to hold a judge against."""

import json
from collections.abc import Sequence

from levers.ledger import Record
from levers.trial.graders.contract import Kit
from levers.trial.records import Agreement
from levers.trial.statistics import wilson


class Reviewed(Record):
    """One answer and a person's verdict on it; `input` and `expected` where the verdict depends on them."""

    answer: str
    passed: bool
    input: str = ""
    expected: str = ""


def read_reviewed(name: str, kit: Kit) -> tuple[Reviewed, ...]:
    """Read a JSON Lines file of {"answer", "passed"} and, if wanted, "input" and "expected".

    Raises ValueError naming the line that is no such object.
    """
    rows = []
    for number, line in enumerate(kit.file(name).read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(Reviewed.model_validate(json.loads(line)))
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f'{name}:{number}: expected {{"answer": "…", "passed": true}}: {reason}') from None
    if not rows:
        raise ValueError(f"{name} is empty")
    return tuple(rows)


def agreement(pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    """Set people's verdicts (first) against a grader's: share, Wilson interval, Cohen's kappa (1960).

    Kappa is 1 for full agreement and 0 for what chance would give; where chance alone gives full agreement it is 0.
    Raises ValueError without pairs.
    """
    n = len(pairs)
    if not n:
        raise ValueError("there are no verdicts to compare")
    same = sum(person == grader for person, grader in pairs)
    yes_person, yes_grader = sum(person for person, _ in pairs) / n, sum(grader for _, grader in pairs) / n
    chance = yes_person * yes_grader + (1 - yes_person) * (1 - yes_grader)
    return Agreement(
        labels=n,
        agreement=same / n,
        interval=wilson(same, n),
        kappa=0.0 if chance >= 1 else (same / n - chance) / (1 - chance),
        missed=sum(grader and not person for person, grader in pairs),
        harsh=sum(person and not grader for person, grader in pairs),
    )


def in_words(found: Agreement) -> str:
    """Say an agreement in a line."""
    same = round(found.agreement * found.labels)
    return (
        f"agrees with people on {same} of {found.labels} (kappa {found.kappa:.2f}); "
        f"{found.missed} bad let pass, {found.harsh} good refused"
    )
