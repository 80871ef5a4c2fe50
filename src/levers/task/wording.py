"""Plain words for what a field holds and for what pydantic found wrong; problems and the JSON Schema share them."""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from levers.errors import Problem
from levers.task.records import GRADER_KINDS
from levers.task.text import show

_TEXT_HINT = 'put it in quotes, as text: "{}"'

FIELDS: dict[str, str] = {
    "TaskConfig.name": "a short name for the task",
    "TaskConfig.instructions": "the file that says, in the team's words, what a good answer must do",
    "TaskConfig.golden": "the golden set: a JSON Lines file, one case a line",
    "TaskConfig.knowledge": "where the knowledge lies: documents, tables, access",
    "TaskConfig.examples": "reviewed examples to tune on: a JSON Lines, CSV or Parquet file",
    "TaskConfig.models": "which model does which job",
    "TaskConfig.graders": "a list of graders, at least one, such as - {kind: exact}",
    "TaskConfig.targets": "what the team needs: quality, cost_per_answer, p95_ms, freshness",
    "TaskConfig.traffic": "how much is asked",
    "TaskConfig.prices": "a file that overrides the dated price book",
    "Material.documents": "the folder of documents, such as docs/",
    "Material.tables": "the database file of figures that change too fast to index",
    "Material.access": "the file that says which groups may read which documents",
    "Models.answer": "the model that answers: pocket, hf/…, openai/… (any server of that format, by base_url), "
    "openai-responses/… or anthropic/…",
    "Models.reference": "a stronger model that probes may ask, or null",
    "Models.embed": "the embedding model: minilm, hf/… or openai/…",
    "Models.rerank": "the reranking model: minilm, hf/… (a cross-encoder), auto (minilm where it embeds) or null",
    "Models.base_url": "the address of a server that speaks the answering model's format, http://… or https://…",
    "Models.cache": "how long Anthropic keeps the part of the prompt that repeats: 5m, 1h or null",
    "Models.cap": "the most that all hosted calls of this project may cost together, in USD, 0 or more",
    "GraderSpec.kind": f"a kind of grader: {', '.join(GRADER_KINDS)}",
    "GraderSpec.field": "the field of a JSON answer that is graded",
    "GraderSpec.schema": "the JSON Schema file an answer must follow",
    "GraderSpec.choices": "the list of allowed answers",
    "GraderSpec.pattern": "a regular expression",
    "GraderSpec.named": "how reports call the grader; needed where two have the same kind and field",
    "GraderSpec.only": "the tags of the cases it grades; all cases unless given",
    "GraderSpec.threshold": "the credit from which an answer passes, between 0 and 1",
    "GraderSpec.tolerance": "how far a number may be off, 0 or more",
    "GraderSpec.relative": "how far a number may be off as a share of the expected one, such as 0.05",
    "GraderSpec.unit": "the unit of a number, such as km or EUR; other units of its kind are converted",
    "GraderSpec.support": "what a citation must do: lie in the case's evidence, or hold the answer's words",
    "GraderSpec.rules": "how an answer must sound, as rules",
    "GraderSpec.labels": 'reviewed answers: a JSON Lines file of {"answer", "passed"}',
    "GraderSpec.database": "the SQLite file that queries run on, read-only; the task's tables unless given",
    "GraderSpec.command": "the command that decides, as a list of words; it reads JSON on stdin",
    "GraderSpec.model": "the model that judges",
    "GraderSpec.rubric": "what a good answer must do, for the judge",
    "GraderSpec.pairwise": "whether the judge compares the answer with the accepted one",
    "ToneRules.min_words": "the fewest words an answer may have",
    "ToneRules.max_words": "the most words an answer may have",
    "ToneRules.max_sentences": "the most sentences an answer may have",
    "ToneRules.require": "patterns that must be in the answer",
    "ToneRules.forbid": "patterns that must not be in the answer",
    "Targets.quality": "the share of test cases that must pass, between 0 and 1",
    "Targets.cost_per_answer": "USD per answer, 0 or more",
    "Targets.p95_ms": "milliseconds, more than 0, that 95 % of the answers must keep",
    "Targets.freshness": "how soon a change must show: a number and s, m, h or d, such as 1h",
    "Traffic.answers_per_day": "a number of answers, 0 or more",
    "Case.id": "a text that no other case has",
    "Case.input": 'a text, or a list of messages {"role", "content"}',
    "Case.expected": "a text, a list of accepted texts, or a JSON object",
    "Case.partition": "dev, test or edge",
    "Case.evidence": 'a list of passages such as ["docs/returns.md#refunds"]',
    "Case.user": "a user's name as text, or null",
    "Case.tags": "a list of texts",
    "Example.messages": "a list of messages, the answer last",
    "Example.evidence": 'a list of passages such as ["docs/returns.md#refunds"]',
    "Message.role": "system, user or assistant",
    "Message.content": "the turn's text",
}

_HINTS: dict[str, str] = {
    "TaskConfig.knowledge": "write {documents: docs/}",
    "TaskConfig.models": "write {answer: pocket}",
    "TaskConfig.graders": "write - {kind: exact}",
    "TaskConfig.targets": "write {quality: 0.9}",
    "TaskConfig.traffic": "write {answers_per_day: 10000}",
    "Models.cap": "write a number, such as 5.00",
    "Targets.quality": "write 90 % as 0.9",
    "Targets.cost_per_answer": "write a number, such as 0.004",
    "Targets.p95_ms": "write a number, such as 1500",
    "Targets.freshness": "write an hour as 1h, ten minutes as 10m",
    "Traffic.answers_per_day": "write a number, such as 10000",
    "GraderSpec.kind": "contains is a start: the answer holds the expected text",
    "GraderSpec.only": "write the tags in square brackets",
    "GraderSpec.choices": "write a list: [first, second]",
    "GraderSpec.threshold": "write 80 % as 0.8",
    "GraderSpec.tolerance": "write a number, such as 0.5",
    "GraderSpec.relative": "write 5 % as 0.05",
    "GraderSpec.rules": "write {max_words: 60}",
    "GraderSpec.command": "write a list of words: [python, check.py]",
    "GraderSpec.pairwise": "write true or false",
    "ToneRules.min_words": "write a whole number, 1 or more",
    "ToneRules.max_words": "write a whole number, 1 or more",
    "ToneRules.max_sentences": "write a whole number, 1 or more",
    "ToneRules.require": "write a list of patterns in square brackets",
    "ToneRules.forbid": "write a list of patterns in square brackets",
    "Case.input": "write it as text, in quotes",
    "Case.expected": 'put a number in quotes: "42"',
    "Case.evidence": "put it in square brackets",
    "Example.evidence": "put it in square brackets",
    "Case.tags": "put it in square brackets",
    "Example.messages": 'write [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]',
    "Message.role": "the one who asks is user, the one who answers is assistant",
    "Message.content": "write it as text, in quotes",
    "Case.partition": "levers may look at dev, test is opened only to confirm a step, edge is adversarial or off topic",
}


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option that looks most like the word, or None when none comes near."""
    names = {option.casefold(): option for option in options}
    found = difflib.get_close_matches(word.casefold(), list(names), n=1, cutoff=0.6)
    return names[found[0]] if found else None


def did_you_mean(word: str, options: Iterable[str], expected: str = "") -> str:
    """Return 'did you mean …?', or the whole choice when nothing comes near and `expected` does not list it."""
    choice = list(options)
    close = nearest(word, choice)
    if close:
        return f'did you mean "{close}"?'
    return "" if all(option in expected for option in choice) else f"choose from: {', '.join(choice)}"


def hint_of(key: str) -> str:
    """Return how to write a field, `Record.field`, that holds a value of another kind."""
    return _HINTS.get(key, "write it as text, in quotes")


def unwritten(path: Sequence[str | int]) -> str:
    """Return a path as users read it: ("graders", 1, "kind") is `graders[1].kind`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def explain(
    error: ValidationError, model: type[BaseModel], raw: Any, file: str, line_of: Callable[[Sequence[str | int]], int]
) -> list[Problem]:
    """Turn pydantic's errors about `raw` into problems of `file`; `line_of` finds the line of a path inside it."""
    problems = []
    details = error.errors(include_url=False)
    inner = {detail["loc"][:place] for detail in details for place in range(len(detail["loc"]))}
    misspelt = {
        (*detail["loc"][:-1], nearest(str(detail["loc"][-1]), _names(_locate(model, detail)[0])))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    details = [detail for detail in details if not (detail["type"] == "missing" and detail["loc"] in misspelt)]
    # A list whose entries are all faulty is also "too short"; the entries' own errors say more.
    details = [detail for detail in details if not (detail["type"] == "too_short" and detail["loc"] in inner)]
    for detail in _one_branch(details, raw):
        owner, path = _locate(model, detail)
        problem = _problem(detail, owner, path)
        where = path[:-1] if detail["type"] == "missing" else path
        problems.append(problem.model_copy(update={"file": file, "line": line_of(where)}))
    return problems


def _one_branch(details: list[ErrorDetails], raw: Any) -> list[ErrorDetails]:
    """Keep, for a field that may be of several types, only what is said about the type the user meant."""
    kept: list[ErrorDetails] = []
    settled: set[str] = set()
    for detail in details:
        loc = detail["loc"]
        branch = loc[1] if len(loc) > 1 and loc[0] in ("input", "expected") else None
        if branch is None:
            kept.append(detail)
        elif isinstance(raw, dict) and isinstance(raw[str(loc[0])], list):
            if str(branch).startswith("tuple"):
                kept.append(detail)
        elif str(loc[0]) not in settled:
            settled.add(str(loc[0]))
            kept.append({**detail, "loc": loc[:1], "type": "wrong_type", "input": raw[str(loc[0])]})
    return kept


def _locate(model: type[BaseModel], detail: ErrorDetails) -> tuple[type[BaseModel], list[str | int]]:
    """Return the record that owns the faulty field, and the path without pydantic's names of union branches."""
    owner, path = model, list[str | int]()
    inner: type[BaseModel] | None = model
    for place, part in enumerate(detail["loc"]):
        if isinstance(part, int):
            path.append(part)
            continue
        field = _field(inner, part) if inner else None
        last = place == len(detail["loc"]) - 1
        if field is None and not (last and detail["type"] == "extra_forbidden"):
            continue
        path.append(part)
        owner = inner or owner
        inner = _record_in(field.annotation) if field else inner
    return owner, path


def _field(model: type[BaseModel] | None, name: str) -> FieldInfo | None:
    if model is None:
        return None
    return next((field for own, field in model.model_fields.items() if name in (own, field.alias)), None)


def _names(model: type[BaseModel]) -> list[str]:
    """Return a record's fields as users write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _record_in(annotation: Any) -> type[BaseModel] | None:
    """Return the record that an annotation holds: `X`, `X | None`, `tuple[X, ...]`."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in get_args(annotation) if (found := _record_in(part))), None)


def _problem(detail: ErrorDetails, owner: type[BaseModel], path: Sequence[str | int]) -> Problem:
    kind, value = detail["type"], detail["input"]
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    key = next((key for cls in owner.__mro__ if (key := f"{cls.__name__}.{name}") in FIELDS), name)
    written = FIELDS.get(key, "")
    field = unwritten(path)
    if kind == "extra_forbidden":
        expected = f"one of {', '.join(_names(owner))}"
        hint = did_you_mean(name, _names(owner), expected) or "remove it: nothing reads it"
        return Problem(file="", field=field, found=f'unknown key "{name}"', expected=expected, hint=hint)
    if kind == "missing":
        return Problem(file="", field=field, found="nothing", expected=written, hint=f'add "{name}"')
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
        hint = did_you_mean(str(value), allowed, written) or hint_of(key)
        return Problem(file="", field=field, found=show(value), expected=written, hint=hint)
    inside = bool(path) and isinstance(path[-1], int)
    if kind == "string_type":
        expected = "a text" if inside or not written else written
        hint = _TEXT_HINT.format(show(value)) if isinstance(value, int | float) else hint_of(key)
        return Problem(file="", field=field, found=show(value), expected=expected, hint=hint)
    if kind in ("too_short", "string_too_short"):
        return Problem(file="", field=field, found=show(value), expected=written, hint="fill it in")
    hint = hint_of(key)
    if key == "TaskConfig.graders" and value in GRADER_KINDS:
        hint = f"write - {{kind: {value}}}"
    if inside:
        return Problem(file="", field=field, found=show(value), expected=f"an entry of {written}", hint=hint)
    return Problem(file="", field=field, found=show(value), expected=written or detail["msg"], hint=hint)
