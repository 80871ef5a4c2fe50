"""The schema grader."""

import functools
import json
from typing import Any

from levers.ledger import canonical
from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec
from levers.trial.graders.compared import json_object, no_constant
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.text import clip


def schema(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
    """Pass when the answer or its field is JSON that follows the named JSON Schema; formats such as "date" are checked.

    Credit of a faulty answer: the share of required fields that are valid; faults outside them count as one more field.
    """
    rules = kit.schemas[spec.schema_file or ""]
    if spec.field is None and rules.get("type", "object") != "object":
        return _not_an_object(answer, rules)
    value, why = json_object(answer)
    if value is None:
        return Verdict.of(False, why)
    if spec.field is None:
        return _judge(value, rules)
    if spec.field not in value:
        return Verdict.of(False, f"the answer has no field {spec.field!r}")
    return _judge(value[spec.field], rules)


def _not_an_object(answer: Answer, rules: dict[str, Any]) -> Verdict:
    try:
        value = json.loads(answer.text, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        return Verdict.of(False, f"the answer is not JSON ({clip(str(error))}): {clip(answer.text)}")
    return _judge(value, rules)


def _judge(value: Any, rules: dict[str, Any]) -> Verdict:
    errors = list(_validator(canonical(rules)).iter_errors(value))
    if not errors:
        return Verdict.of(True)
    required = rules.get("required", []) if isinstance(value, dict) else []
    faulty = {str(error.absolute_path[0]) for error in errors if error.absolute_path}
    invalid = sum(field not in value or field in faulty for field in required)
    elsewhere = faulty - set(required) or any(not e.absolute_path and not _at_root(e) for e in errors)
    total = len(required) + bool(elsewhere)
    credit = 1 - (invalid + bool(elsewhere)) / total if total else 0.0
    told = [f"{'.'.join(map(str, error.absolute_path)) or 'answer'}: {clip(error.message)}" for error in errors[:3]]
    return Verdict(credit=credit, passed=False, why=_told(told, len(errors)))


def _at_root(error: Any) -> bool:
    """Tell a field missing from the schema's own `required` from one that a rule within it asks for."""
    return error.validator == "required" and len(error.absolute_schema_path) == 1


def _told(told: list[str], count: int) -> str:
    more = f"; and {count - len(told)} more" if count > len(told) else ""
    return "; ".join(clip(each) for each in told) + more


@functools.lru_cache(maxsize=32)
def _validator(rules: str) -> Any:
    # Late, for it takes 0.1 s and only this grader needs it. The explicit registry keeps references off the network.
    from jsonschema import validators
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    parsed = json.loads(rules)
    kind = validators.validator_for(parsed, default=validators.Draft202012Validator)
    return kind(parsed, registry=REGISTRY, format_checker=kind.FORMAT_CHECKER)
