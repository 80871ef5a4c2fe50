"""Probes: changes nobody could ship, that show what a case needed. Each adds perfect material to a stack.

format       the answer's JSON Schema is imposed while decoding (or asked of the server)
knowledge    the case's own evidence is the only passage; without a document that holds it, the expected fact itself is
instruction  what the graders want beside the facts is spelt out for the case: the label imposed, the pattern told
tone         the answers to the most similar other cases are shown

Where a label is the whole answer, handing it over would prove nothing: then every label is told by other cases of it.
"""

import itertools
import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz, process

from levers.diagnosis.records import ProbeName
from levers.stack import Given, Passage, Stack
from levers.task.leaks import first_value, said_fields
from levers.task.records import Case, DevCase, GraderSpec, Task
from levers.task.rules import plain
from levers.trial.shown import Library

Passages = Mapping[str, tuple[Passage, ...]]
"""Passages by case id."""
_Placed = tuple[int, DevCase]

CONTENT = frozenset({"exact", "contains", "f1", "numeric", "sql", "code", "semantic", "judge"})  # graders of facts
OF_EACH = 2  # other cases that tell what a label means
KNOWN = 200  # cases of a label that those are looked for among
_SEED = 0
SHOWN = 4  # the field shows 3 to 10 in a prompt; a small model's window holds four beside the passages
STATED = "stated fact"


def apply_probes(
    stack: Stack,
    probes: Sequence[ProbeName],
    cases: Sequence[DevCase],
    task: Task,
    library: Library,
    arranged: Passages | None = None,
) -> Stack:
    """Return the stack with the probes' perfect material for these cases added as its last part.

    `arranged` are passages to hand over for `knowledge` in place of the evidence alone. What a case's user may not read
    is handed to nobody.
    """
    passages = arranged or {case.id: evidence_of(case, library, task.config.graders) for case in cases}
    material = Given(
        passages=dict(passages) if "knowledge" in probes else {},
        pairs={case.id: _similar(case, task, library) for case in cases} if "tone" in probes else {},
        schemas=_schemas(probes, cases, task),
        told=_told(cases, task) if "instruction" in probes else {},
    )
    bare = stack.without("given")
    if "knowledge" in probes:  # the evidence alone: no other source of facts beside it
        bare = bare.without("inline").without("retrieve")
    return bare.model_copy(update={"parts": (*bare.parts, material)})


def expected_texts(case: Case, graders: Sequence[GraderSpec]) -> tuple[str, ...]:
    """Return the accepted answers of a case as texts; for JSON, the accepted values of the first field of facts."""
    value: Any = case.expected
    if isinstance(value, dict):
        value = value[fields[0]] if (fields := _fact_fields(case, graders)) else ""
    if isinstance(value, list | tuple):
        return tuple(str(each) for each in value)
    return (str(value),)


def said_text(answer: str, case: Case, graders: Sequence[GraderSpec]) -> str:
    """Return what an answer says where the case's expected texts stand."""
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        return answer.strip()
    if not isinstance(parsed, dict):
        return str(parsed)
    fields = _fact_fields(case, graders)
    return str(parsed.get(fields[0], "")).strip() if fields else first_value(answer).strip()


def _fact_fields(case: Case, graders: Sequence[GraderSpec]) -> tuple[str, ...]:
    """Return the fields of a JSON expectation that hold its facts: those that graders of facts compare.

    All that are no labels where such a grader reads the whole answer; the first of text or number where there is none.
    """
    if not isinstance(case.expected, dict):
        return ()
    own = [spec for spec in graders if spec.kind in CONTENT and spec.grades(case)]
    named = dict.fromkeys(spec.field for spec in own if spec.field is not None and spec.field in case.expected)
    if named:
        return tuple(named)
    fields = said_fields(case.expected)
    labels = {spec.field for spec in graders if spec.kind == "choice"}
    facts = [name for name in fields if name not in labels]
    return tuple(facts if own and facts else fields[:1])


def first_answer(case: Case) -> str:
    """Return the golden answer as the stack would have to write it: accepted lists reduced to their first entry."""
    if isinstance(case.expected, dict):
        return json.dumps({key: _first(value) for key, value in case.expected.items()}, ensure_ascii=False)
    return str(_first(case.expected))


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def evidence_of(case: Case, library: Library, graders: Sequence[GraderSpec]) -> tuple[Passage, ...]:
    """Return the case's evidence that its user may read; the expected fact itself where no document holds any."""
    found = library.evidence(case)
    if found or not case.evidence:
        return tuple(each for each in found if library.may_find(each, case.user))
    # The documents do not hold the evidence: state the fact itself, to see whether knowing it would have been enough.
    return (stated(case, graders),)


def stated(case: Case, graders: Sequence[GraderSpec]) -> Passage:
    """Return the expected fact itself as a passage; where it has many fields, each under its name."""
    fields = _fact_fields(case, graders)
    said = expected_texts(case, graders)[0]
    if isinstance(case.expected, dict) and len(fields) > 1:
        said = ", ".join(f"{name} {_first(case.expected[name])}" for name in fields)
    text = f"{case.question.rstrip('?. ')}: {said}."
    return Passage(document=STATED, section="", heading="", text=text, start=0, end=len(text))


def holds_answer(case: Case, passages: Sequence[Passage], graders: Sequence[GraderSpec]) -> bool:
    """Say whether an accepted answer stands in the passages."""
    return any(stands(accepted, passages) for accepted in expected_texts(case, graders) if accepted)


def stands(text: str, passages: Sequence[Passage]) -> bool:
    """Say whether a text stands in the passages, whatever its case; a number not within a longer one."""
    before, after = r"(?<!\d)" if text[:1].isdigit() else "", r"(?!\d)" if text.isdigit() else ""
    pattern = f"{before}{re.escape(text.casefold())}{after}"
    return re.search(pattern, " ".join(each.text for each in passages).casefold()) is not None


def answer_label(graders: Sequence[GraderSpec]) -> GraderSpec | None:
    """Return the choice grader whose label is the whole answer: the first, where no grader compares facts."""
    if any(spec.kind in CONTENT for spec in graders):
        return None
    return next((spec for spec in graders if spec.kind == "choice"), None)


def _similar(case: Case, task: Task, library: Library) -> tuple[tuple[str, str], ...]:
    """Return the likest other questions with their answers, the likest last: none that says what this one asks.

    Neither the same question, asked by another user, nor one whose evidence the case's user may not read.
    """
    asked = plain(case.question)
    others = [other for other in task.partition("dev") if other.id != case.id and plain(other.question) != asked]
    questions = [other.question for other in others]
    ranked = process.extract(case.question, questions, scorer=fuzz.token_set_ratio, limit=None)
    open_to = (
        others[place]
        for _, _, place in ranked
        if all(library.may_find(each, case.user) for each in library.evidence(others[place]))
    )
    return tuple((other.question, first_answer(other)) for other in reversed(list(itertools.islice(open_to, SHOWN))))


def _schemas(probes: Sequence[ProbeName], cases: Sequence[DevCase], task: Task) -> dict[str, dict[str, Any]]:
    schema = task.answer_schema
    if schema is None or not {"format", "instruction"} & set(probes):
        return {}
    if "instruction" not in probes:
        return {case.id: schema for case in cases}
    return {case.id: _imposed(schema, case, task.config.graders) for case in cases}


def _imposed(schema: dict[str, Any], case: Case, graders: Sequence[GraderSpec]) -> dict[str, Any]:
    """Narrow the schema so that every label a choice grader asks for can only be the right one."""
    if not isinstance(case.expected, dict):
        return schema
    whole = answer_label(graders)
    fields = [
        spec.field for spec in graders if spec.kind == "choice" and spec.field in case.expected and spec is not whole
    ]
    properties = dict(schema.get("properties", {}))
    for name in fields:
        if name in properties:
            accepted = case.expected[name]
            values = list(accepted) if isinstance(accepted, list | tuple) else [accepted]
            properties[name] = {**properties[name], "enum": values}
    return {**schema, "properties": properties}


def _told(cases: Sequence[DevCase], task: Task) -> dict[str, str]:
    """Spell out what graders without a schema want: labels of a plain choice, patterns of a regex."""
    told: dict[str, str] = {}
    whole = answer_label(task.config.graders)
    known = _by_label(whole, task) if whole else {}
    for case in cases:
        lines: list[str] = []
        for spec in task.config.graders:
            if spec is whole:
                lines.append(_meanings(spec, case, known))
            elif spec.kind == "choice" and spec.field is None:
                lines.append(f"Answer with exactly: {expected_texts(case, task.config.graders)[0]}")
            if spec.kind == "regex" and spec.pattern:
                lines.append(f"The answer must match the pattern {spec.pattern}")
        if lines:
            told[case.id] = "\n".join(lines)
    return told


def _by_label(spec: GraderSpec, task: Task) -> dict[str, list[_Placed]]:
    """Group the dev cases by their label, at most 200 of each, with their places; labels that may be chosen first."""
    known: dict[str, list[_Placed]] = {label: [] for label in spec.choices or ()}
    for place, case in enumerate(task.partition("dev")):
        if (label := _label(spec, case)) is not None:
            known.setdefault(label, []).append((place, case))
    draw = random.Random(_SEED)
    return {
        label: group if len(group) <= KNOWN else [group[at] for at in sorted(draw.sample(range(len(group)), KNOWN))]
        for label, group in known.items()
    }


def _meanings(spec: GraderSpec, case: Case, known: Mapping[str, Sequence[_Placed]]) -> str:
    """Tell every label by the other dev cases of it that are likest to this one; never by the case itself."""
    others = {label: [each for each in group if each[1].id != case.id] for label, group in known.items()}
    choices = set(spec.choices or ())
    # A label that only cases show stands where the first other case of it does: the case's own must not come first.
    told = sorted(
        (label for label, group in others.items() if group or label in choices),
        key=lambda label: -1 if label in choices else others[label][0][0],
    )
    lines = ["The labels, each with messages that belong to it:"]
    for label in told:
        questions = [other.question for _, other in others[label]]
        near = process.extract(case.question, questions, scorer=fuzz.token_set_ratio, limit=OF_EACH)
        lines.append(f"- {label}" + "".join(f" | {question}" for question, _, _ in near))
    return "\n".join(lines)


def _label(spec: GraderSpec, case: Case) -> str | None:
    value = case.expected.get(spec.field) if isinstance(case.expected, dict) and spec.field else case.expected
    found = _first(value)
    return found if isinstance(found, str) else None
