"""Graders: one verdict per grader and answer. Adding one is a function and a line in `GRADERS`."""

from levers.stack.records import Answer
from levers.task.records import Case, GraderKind, GraderSpec
from levers.trial.graders.compared import compared
from levers.trial.graders.contract import Grader, Schemas, Verdict
from levers.trial.graders.numbers import check_numeric
from levers.trial.graders.patterns import regex
from levers.trial.graders.structure import schema
from levers.trial.graders.support import citation
from levers.trial.graders.words import check_choice, check_contains, check_exact, check_f1
from levers.trial.records import Grade
from levers.trial.text import clip

GRADERS: dict[GraderKind, Grader] = {
    "exact": compared(check_exact),
    "contains": compared(check_contains, plain_text=True),
    "f1": compared(check_f1),
    "regex": regex,
    "numeric": compared(check_numeric),
    "schema": schema,
    "choice": compared(check_choice),
    "citation": citation,
}


def grade(spec: GraderSpec, case: Case, answer: Answer, schemas: Schemas) -> Grade:
    """Grade one answer with one grader; never raises.

    An answer that failed gets no credit, with its error as the reason.
    A grader that breaks yields a grade that is not scored.
    """
    if answer.error is not None or answer.finish == "error":
        verdict = Verdict.of(False, f"no answer: {clip(answer.error or 'the model gave an error')}")
        if spec.kind == "citation" and not case.evidence:
            verdict = Verdict(credit=None, passed=None, why=verdict.why)
    else:
        try:
            verdict = GRADERS[spec.kind](spec, case, answer, schemas)
        except Exception as error:  # a broken grader is recorded, it must not end the trial
            why = f"the grader broke: {type(error).__name__}: {clip(str(error))}"
            verdict = Verdict(credit=None, passed=None, why=why)
    return Grade(grader=spec.name, credit=verdict.credit, passed=verdict.passed, why=verdict.why)


__all__ = ["GRADERS", "grade"]
