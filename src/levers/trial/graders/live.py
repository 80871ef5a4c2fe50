"""Grade answers of live traffic with the graders of the golden set, unchanged: same code, same settings, same version.

Live questions come without an expected answer. Graders that need one do not score; the others run as in a trial.
"""

from collections.abc import Sequence

from levers.stack.records import Answer, Question
from levers.task.records import Case, GraderKind, GraderSpec
from levers.trial.graders import grade, grader_version
from levers.trial.graders.contract import Kit
from levers.trial.records import Grade

_WITHOUT_EXPECTED: tuple[GraderKind, ...] = ("schema", "tone", "code")


def scores_live(spec: GraderSpec) -> bool:
    """Tell whether a grader can score an answer when nobody knows the right one."""
    if spec.kind == "regex":
        return spec.pattern is not None
    if spec.kind == "judge":
        return not spec.pairwise and spec.rubric is not None
    return spec.kind in _WITHOUT_EXPECTED


def grade_live(specs: Sequence[GraderSpec], question: Question, answer: Answer, kit: Kit) -> list[Grade]:
    """Grade one live answer with every grader; those that need an expected answer are not scored, and say so."""
    case = Case(id=question.id, input=question.input, expected="", partition="dev", user=question.user)
    why = "live traffic has no expected answer"
    return [
        grade(spec, case, answer, kit)
        if scores_live(spec)
        else Grade(grader=spec.name, credit=None, passed=None, why=why, version=grader_version(spec, kit))
        for spec in specs
    ]
