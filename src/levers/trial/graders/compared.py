"""From a check of texts to a grader of answers: which part of the answer is compared, and with what.

expected is    field   what is compared
text, texts    no      the whole answer with each accepted text
JSON           yes     that field of the answer's JSON object with that field's accepted values
JSON           no      every expected field in turn; all must pass, the credit is their mean
"""

import json
from typing import Any

from levers.ledger import canonical
from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec
from levers.trial.graders.contract import Check, Grader, Kit, Verdict
from levers.trial.text import clip

_MISSING = object()


def compared(check: Check, *, plain_text: bool = False, typed: bool = False) -> Grader:
    """Make a grader of a check.

    `plain_text`: an answer that is no JSON is searched whole for the expected fields. `typed`: a field's text is no
    number, truth or null that is written alike, and numbers are compared by value.
    """

    def grader(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
        expected = case.expected
        if not isinstance(expected, dict):
            if spec.field:
                raise ValueError(f"the grader names field {spec.field!r}, but the expected answer is a text")
            return check(spec, answer.text, accepted(expected))
        found, why = json_object(answer)
        if spec.field and spec.field not in expected:
            raise ValueError(f"the expected answer has no field {spec.field!r}")
        wanted = {spec.field: expected[spec.field]} if spec.field else expected
        if found is None:
            if plain_text and not spec.field:
                return _mean({key: check(spec, answer.text, accepted(value)) for key, value in wanted.items()})
            return Verdict.of(False, why)
        verdicts = {key: _field(check, spec, found.get(key, _MISSING), value, typed) for key, value in wanted.items()}
        return verdicts[spec.field] if spec.field else _mean(verdicts)

    return grader


def accepted(expected: Any) -> tuple[str, ...]:
    """List the accepted texts of an expected value: a list names alternatives. Raises ValueError when it is empty."""
    options = expected if isinstance(expected, list | tuple) else (expected,)
    texts = tuple(value_text(each) for each in options)
    if not texts:
        raise ValueError("the expected answer lists no accepted value")
    return texts


def value_text(value: Any) -> str:
    """Write a JSON value as the text that graders compare: strings bare, lists joined by commas, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and not any(isinstance(each, dict | list) for each in value):
        return ", ".join(value_text(each) for each in value)
    return canonical(value)


def json_object(answer: Answer) -> tuple[dict[str, Any] | None, str]:
    """Parse the answer's text as one JSON object; if it is none, say why. Nothing may stand around the object."""
    cut = "; the answer was cut at its token limit" if answer.finish == "length" else ""
    try:
        value = json.loads(answer.text, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        return None, f"the answer is not JSON ({clip(str(error))}){cut}: {clip(answer.text)}"
    if not isinstance(value, dict):
        return None, f"the answer is JSON but not an object: {clip(answer.text)}"
    return value, ""


def no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is no JSON value")


def _field(check: Check, spec: GraderSpec, found: Any, expected: Any, typed: bool) -> Verdict:
    if found is _MISSING:
        optional = expected is None or (isinstance(expected, list) and None in expected)
        return Verdict.of(optional, "the field is missing")
    # A list as a whole may be meant: ["red", "blue"] accepts "red", "blue" and the list of both.
    whole = (value_text(expected),) if isinstance(found, list) and isinstance(expected, list) else ()
    options = (*expected, *whole) if isinstance(expected, list) else expected
    if typed and not isinstance(found, list):
        alike = [each for each in (options if isinstance(options, list | tuple) else [options]) if _alike(each, found)]
        if not alike:
            return Verdict.of(False, f"expected {clip(canonical(expected))}, found {clip(canonical(found))}")
        found, options = _by_value(found), [_by_value(each) for each in alike]
    return check(spec, value_text(found), accepted(options))


def _alike(one: Any, other: Any) -> bool:
    return isinstance(one, str) == isinstance(other, str)


def _by_value(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mean(verdicts: dict[str, Verdict]) -> Verdict:
    if not verdicts:
        raise ValueError("the expected answer has no fields")
    credits = [verdict.credit or 0.0 for verdict in verdicts.values()]
    why = "; ".join(f"{clip(key)}: {verdict.why}" for key, verdict in verdicts.items() if not verdict.passed)
    return Verdict(credit=sum(credits) / len(credits), passed=not why, why=why)
