"""The prompt against its material: examples, graders, golden cases, sizes; and what a serious prompt has."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema

from levers.diagnosis.lint.records import Finding, Prompt, Shown, Weight
from levers.economics import threshold
from levers.trial.text import normalise

CHARACTERS_PER_TOKEN = 4  # of English text
LEAST_SHOWN, MOST_SHOWN = 3, 10  # examples in a prompt (S2)
_SHARE = 0.8  # of the shown examples: a model that sees one label so often answers with it
_LONG = 40  # characters of a golden answer that cannot stand in a brief by chance
_ROLE = re.compile(
    r"\b(?:you are|you're|act as|your (?:task|job|role))\b|^[^\w\n]*you \w+", re.IGNORECASE | re.MULTILINE
)
_ORDERED = re.compile(
    r"^[^\w\n]*(?:answer|classify|extract|summari[sz]e|translate|write|read|review|label|decide|return"
    r"|reply|convert|rewrite|draft|grade|list|find|tell)\b",
    re.IGNORECASE | re.MULTILINE,
)
_EDGE = re.compile(
    r"\b(?:if|when|where|unless|otherwise|in case|unknown|unclear|unsure|refuse|decline)\b"
    r"|\b(?:do not|don't|never) (?:guess|invent|make up|assume)\b",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"\b(?:json|format|sentences?|words?|lines?|list|label|category|markdown|table|number|paragraphs?"
    r"|bullet|phrase|code|sql|yes or no|letter"
    r"|short|brief|concise|xml|csv|date)\b",
    re.IGNORECASE,
)


def examples_hold(prompt: Prompt) -> Iterator[Finding]:
    """Examples that the graders would fail: the model learns the fault."""
    for shown in prompt.examples:
        answer = _parsed(shown.answer)
        if prompt.schema_ is not None:
            why = _against(answer, prompt.schema_)
            if why:
                yield _example(prompt, shown, "example-schema", why)
                continue
        for field, labels in prompt.choices.items():
            value = _label(shown, field)
            if value is not None and normalise(value) not in {normalise(label) for label in labels}:
                yield _example(prompt, shown, "example-label", f"the label {value!r}, none of {', '.join(labels)}")
        for pattern in prompt.patterns:
            if not re.search(pattern, shown.answer):
                yield _example(prompt, shown, "example-pattern", f"an answer that {pattern} does not match")


def examples_agree(prompt: Prompt) -> Iterator[Finding]:
    """Examples shown twice, with one answer or with two; and one label nearly everywhere."""
    first: dict[str, Shown] = {}
    for shown in prompt.examples:
        before = first.setdefault(_flat(shown.question), shown)
        if before is shown:
            continue
        same = _flat(before.answer) == _flat(shown.answer)
        what = "the same example" if same else "the same question with another answer"
        yield _example(
            prompt, shown, "example-repeat" if same else "example-conflict", f"{what} as in line {before.line}"
        )


def labels_balanced(prompt: Prompt) -> Iterator[Finding]:
    """One label in nearly all examples."""
    for field, labels in prompt.choices.items():
        named = {normalise(label): label for label in labels}
        values = [normalise(_label(shown, field) or "") for shown in prompt.examples]
        counted = Counter(named[value] for value in values if value in named)
        total = sum(counted.values())
        if total >= 5 and len(labels) > 1 and counted.most_common(1)[0][1] > _SHARE * total:
            label, count = counted.most_common(1)[0]
            found = f"{count} of {total} examples say {label!r}"
            reason = "a model that sees one label so often answers with it"
            yield _general(prompt, "example-balance", found, reason, "show examples of the other labels too", "breaks")


def leaks(prompt: Prompt) -> Iterator[Finding]:
    """Golden questions or answers in what the model is shown: what is then measured is copying."""
    text = _flat(prompt.text)
    asked = {_flat(question): case for case, question, _ in prompt.golden}
    reason, fix = "the result would measure copying", "take it out of the prompt, or the case out of the golden set"
    for case, question, answers in prompt.golden:
        whole = _flat(question)
        if len(whole) >= _LONG and whole in text:
            yield _general(prompt, "leak", f"the question of golden case {case}", reason, fix, "breaks")
        elif any(len(_flat(answer)) >= _LONG and _flat(answer) in text for answer in answers):
            yield _general(prompt, "leak", f"the answer of golden case {case}", reason, fix, "breaks")
    for shown in prompt.examples:
        if _flat(shown.question) in asked:
            found = f"the question of golden case {asked[_flat(shown.question)]}"
            yield _example(prompt, shown, "leak", found).model_copy(update={"reason": reason, "fix": fix})


def sizes(prompt: Prompt) -> Iterator[Finding]:
    """Too long for the window, too long to be read well, too short for the cache that is asked for."""
    shown = sorted((len(each.question) + len(each.answer) for each in prompt.examples), reverse=True)
    length = (len(prompt.text) + sum(shown[: prompt.nearest])) // CHARACTERS_PER_TOKEN
    limit = threshold("inline")
    if prompt.window is not None and length > prompt.window:
        reason, fix = (
            "the model refuses it or forgets its beginning",
            "shorten it, show fewer examples, or take another model",
        )
        found = f"about {length:,} tokens, and a window of {prompt.window:,}"
        yield _general(prompt, "window", found, reason, fix, "breaks")
    elif length > limit.low:
        reason = (
            f"beyond {limit.low:,.0f} tokens finding what a question needs is cheaper and reads better ({limit.source})"
        )
        yield _general(prompt, "long", f"about {length:,} tokens", reason, "move knowledge into documents", "breaks")
    if prompt.cache_minimum is not None and length < prompt.cache_minimum:
        found = f"about {length:,} tokens, and a cache that starts at {prompt.cache_minimum:,}"
        fix = "show examples in the same prompt, or take the cache out of levers.yaml"
        yield _general(prompt, "cache", found, "what is shorter is never cached", fix, "breaks")


def serious(prompt: Prompt) -> Iterator[Finding]:
    """What a serious prompt has: role or task, form of the answer, what to do where there is none, labels, examples."""
    text = prompt.text
    if not text.strip():
        return
    if not (_ROLE.search(text) or _ORDERED.search(text)):
        reason, fix = "a model without a task continues the text", "begin with who it is or what it does"
        yield _general(prompt, "role", "no role and no task", reason, fix)
    asked = _FORM.search(text) or (prompt.schema_ is not None and prompt.imposed)
    wants_json = prompt.schema_ is not None and not prompt.imposed and not re.search(r"\bjson\b", text, re.IGNORECASE)
    if not asked or wants_json:
        formal = prompt.schema_ is not None or prompt.choices or prompt.patterns
        reason = "graders ask for a form; what is not said is guessed" if formal else "what is not said is guessed"
        yield _general(prompt, "format", "no word on the form of the answer", reason, "say how the answer must look")
    if not _EDGE.search(text):
        reason = "without it a model invents an answer where there is none"
        fix = "say what to answer when the question is outside the task or the facts are missing"
        yield _general(prompt, "edge", "no word on what to do where there is no answer", reason, fix)
    shown = " ".join([text, json.dumps(prompt.schema_, ensure_ascii=False) if prompt.imposed else ""]).casefold()
    for field, labels in prompt.choices.items():
        absent = [label for label in labels if label.casefold() not in shown]
        if absent:
            found = f"no word on the label{'s' if len(absent) > 1 else ''} {', '.join(absent[:5])}"
            fix = f"list the labels{f' of {field}' if field else ''} with a line on each"
            yield _general(prompt, "labels", found, "a label that is not named is not chosen", fix)
    count = len(prompt.examples[: prompt.nearest])
    if count > MOST_SHOWN:
        reason = f"{LEAST_SHOWN} to {MOST_SHOWN} do most of the good, and each is paid for with every question (S2)"
        yield _general(prompt, "examples", f"{count} examples", reason, "keep the most different ones")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _label(shown: Shown, field: str) -> str | None:
    """Return what an example says where a label stands, None where it leaves the field out."""
    answer = _parsed(shown.answer) if field else None
    if not isinstance(answer, dict):
        return shown.answer.strip()
    value = answer.get(field)
    return None if value is None else str(value)


def _against(answer: Any, schema: dict[str, Any]) -> str:
    if isinstance(answer, str):
        return "an answer that is no JSON"
    error = next(iter(jsonschema.validators.validator_for(schema)(schema).iter_errors(answer)), None)
    return "" if error is None else f"an answer against the schema: {error.message[:100]}"


def _flat(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _example(prompt: Prompt, shown: Shown, rule: str, found: str) -> Finding:
    return Finding(
        rule=rule,
        weight="breaks",
        file=prompt.examples_file,
        line=shown.line or None,
        found=found,
        reason="the model does what it is shown, before what it is told",
        fix="mend the example, or take it out",
    )


def _general(  # one place for all that concerns the prompt as a whole
    prompt: Prompt, rule: str, found: str, reason: str, fix: str, weight: Weight = "lacks"
) -> Finding:
    return Finding(rule=rule, weight=weight, file=prompt.file, line=None, found=found, reason=reason, fix=fix)
