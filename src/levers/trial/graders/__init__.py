"""Graders: one verdict per grader and answer. Adding one is a function and a line in `GRADERS` or `BATCHED`.

The number beside a kind is the version of its code: raise it with every change that can change a verdict. A grade's
version joins it with a digest of the grader's settings and files, so that two grades are comparable exactly if theirs
are equal.
"""

import functools
from collections.abc import Sequence

from levers.errors import BudgetError
from levers.ledger import digest
from levers.stack.records import Answer
from levers.task.records import Case, GraderKind, GraderSpec
from levers.trial.graders.compared import compared
from levers.trial.graders.contract import BatchGrader, Grader, Kit, Schemas, Verdict
from levers.trial.graders.judge import judged
from levers.trial.graders.meaning import semantic
from levers.trial.graders.numbers import check_numeric
from levers.trial.graders.patterns import regex
from levers.trial.graders.queries import sql
from levers.trial.graders.structure import schema
from levers.trial.graders.support import citation
from levers.trial.graders.tone import tone
from levers.trial.graders.validator import code
from levers.trial.graders.words import check_choice, check_contains, check_exact, check_f1
from levers.trial.records import Grade
from levers.trial.text import clip

GRADERS: dict[GraderKind, Grader] = {
    "exact": compared(check_exact, typed=True),
    "contains": compared(check_contains, plain_text=True),
    "f1": compared(check_f1),
    "regex": regex,
    "numeric": compared(check_numeric),
    "schema": schema,
    "choice": compared(check_choice),
    "citation": citation,
    "tone": tone,
    "sql": sql,
    "code": code,
}
BATCHED: dict[GraderKind, BatchGrader] = {"semantic": semantic, "judge": judged}
VERSIONS: dict[GraderKind, int] = {
    "exact": 2,
    "contains": 2,
    "f1": 2,
    "numeric": 3,
    "schema": 3,
    "citation": 3,
    "sql": 3,
    "code": 2,
    "judge": 2,
}
"""Versions of the graders' code; 1 where none is named."""


def grader_version(spec: GraderSpec, kit: Kit) -> str:
    """Name a grader's code, settings and the files it reads: `f1@1-3c9a1b20`. Files are read once for a kit."""
    key = f"version {_version(spec)}"
    if key not in kit.cache:
        kit.cache[key] = _version(spec, tuple(spec.files(kit.root, kit.tables).items()))
    found: str = kit.cache[key]
    return found


@functools.lru_cache(maxsize=256)
def _version(spec: GraderSpec, files: tuple[tuple[str, str], ...] = ()) -> str:
    told = spec.model_dump(mode="json", exclude_none=True)
    settings = digest([told, dict(files)] if files else told, 8).removeprefix("sha256-")
    return f"{spec.kind}@{VERSIONS.get(spec.kind, 1)}-{settings}"


def grade(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Grade:
    """Grade one answer with one grader; raises nothing but a judge's BudgetError.

    An answer that failed gets no credit, with its error as the reason; one that an outage of the server cost is not
    scored.
    A grader that breaks yields a grade that is not scored, marked as crashed.
    """
    return grade_all(spec, [(case, answer)], kit)[0]


def grade_all(spec: GraderSpec, pairs: Sequence[tuple[Case, Answer]], kit: Kit) -> list[Grade]:
    """Grade many answers with one grader; as `grade`, in their order."""
    grades = {place: _not_meant(spec, kit) for place, (case, _) in enumerate(pairs) if not spec.grades(case)}
    failed = (place for place, (_, answer) in enumerate(pairs) if place not in grades and _failed(answer))
    grades |= {place: _of_failure(spec, *pairs[place], kit) for place in failed}
    rest = [place for place in range(len(pairs)) if place not in grades]
    for place, found in zip(rest, _attempt(spec, [pairs[place] for place in rest], kit), strict=True):
        grades[place] = _crash(spec, found, kit) if isinstance(found, Exception) else _grade(spec, found, kit)
    return [grades[place] for place in range(len(pairs))]


def _attempt(spec: GraderSpec, pairs: Sequence[tuple[Case, Answer]], kit: Kit) -> Sequence[Verdict | Exception]:
    if spec.kind in BATCHED:
        try:
            return BATCHED[spec.kind](spec, pairs, kit) if pairs else []
        except BudgetError:
            raise
        except Exception as error:
            return [error] * len(pairs)
    found: list[Verdict | Exception] = []
    for case, answer in pairs:
        try:
            found.append(GRADERS[spec.kind](spec, case, answer, kit))
        except Exception as error:  # a broken grader is recorded, it must not end the trial
            found.append(error)
    return found


def _not_meant(spec: GraderSpec, kit: Kit) -> Grade:
    why = f"only for cases tagged {' or '.join(spec.only or ())}"
    return _grade(spec, Verdict(credit=None, passed=None, why=why), kit)


def _failed(answer: Answer) -> bool:
    return answer.error is not None or answer.finish == "error" or answer.outage


def _of_failure(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Grade:
    unsaid = "a reply was lost to an outage of the server" if answer.outage else "the model gave an error"
    verdict = Verdict.of(False, f"no answer: {clip(answer.error or unsaid)}")
    if answer.outage or (spec.kind == "citation" and spec.support != "answer" and not case.evidence):
        verdict = Verdict(credit=None, passed=None, why=verdict.why)
    return _grade(spec, verdict, kit)


def _grade(spec: GraderSpec, verdict: Verdict, kit: Kit) -> Grade:
    return Grade(
        grader=spec.name,
        credit=verdict.credit,
        passed=verdict.passed,
        why=verdict.why,
        version=grader_version(spec, kit),
    )


def _crash(spec: GraderSpec, error: Exception, kit: Kit) -> Grade:
    why = f"the grader broke: {type(error).__name__}: {clip(str(error))}"
    return Grade(grader=spec.name, credit=None, passed=None, why=why, crashed=True, version=grader_version(spec, kit))


__all__ = ["BATCHED", "GRADERS", "Kit", "Schemas", "Verdict", "grade", "grade_all", "grader_version"]
