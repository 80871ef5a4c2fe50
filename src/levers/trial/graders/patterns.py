"""The regex grader."""

import re

from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec
from levers.trial.graders.compared import compared, json_object, value_text
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.text import clip


def regex(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
    """Search `pattern` anywhere in the answer or its field; without a pattern, the accepted texts are the patterns."""
    if spec.pattern is None:
        return compared(_check)(spec, case, answer, kit)
    if spec.field is None:
        return _check(spec, answer.text, (spec.pattern,))
    found, why = json_object(answer)
    if found is None:
        return Verdict.of(False, why)
    if spec.field not in found:
        return Verdict.of(False, f"the answer has no field {spec.field!r}")
    return _check(spec, value_text(found[spec.field]), (spec.pattern,))


def _check(spec: GraderSpec, text: str, patterns: tuple[str, ...]) -> Verdict:
    matched = any(re.search(pattern, text) for pattern in patterns)
    return Verdict.of(matched, f'"{clip(text)}" does not match {" or ".join(clip(each) for each in patterns)}')
