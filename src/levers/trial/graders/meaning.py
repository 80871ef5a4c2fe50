"""The semantic grader, and what it shares with the judge: the text that is graded, and what it is set against."""

from collections.abc import Sequence

from levers.errors import LeversError
from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec
from levers.trial.graders.compared import accepted, json_object, value_text
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.text import clip

_THRESHOLD = 0.8


def semantic(spec: GraderSpec, pairs: Sequence[tuple[Case, Answer]], kit: Kit) -> list[Verdict | Exception]:
    """Credit is the best cosine of the answer's embedding and an accepted text's; it passes from `threshold` (0.8) up.

    The embedding model is the task's own. Cosines are the model's scale, not a probability: look at real pairs before
    you trust a threshold.
    """
    if kit.embedder is None:
        raise LeversError("no embedding model is at hand")
    embedder = kit.embedder()
    threshold = _THRESHOLD if spec.threshold is None else spec.threshold
    texts = [graded_text(spec, case, answer) for case, answer in pairs]
    wanted: list[tuple[str, ...] | Exception] = [_attempt(spec, case) for case, _ in pairs]
    needed = [text for text, _ in texts if text is not None]
    needed += [each for group in wanted if not isinstance(group, Exception) for each in group]
    unique = list(dict.fromkeys(needed))
    vectors = dict(zip(unique, embedder.embed(unique, "passage"), strict=True)) if unique else {}
    found: list[Verdict | Exception] = []
    for (text, why), group in zip(texts, wanted, strict=True):
        if isinstance(group, Exception):
            found.append(group)
        elif text is None:
            found.append(Verdict.of(False, why))
        else:
            best = max(float(vectors[text] @ vectors[each]) for each in group)
            credit = min(1.0, max(0.0, best))
            reason = f'cosine {best:.2f} is under {threshold:g}: expected "{clip(group[0])}", found "{clip(text)}"'
            found.append(Verdict.graded(credit, threshold, reason))
    return found


def graded_text(spec: GraderSpec, case: Case, answer: Answer) -> tuple[str | None, str]:
    """Return the text that is graded, the whole answer or one field; if there is none, None and why."""
    if spec.field is None:
        return answer.text, ""
    found, why = json_object(answer)
    if found is None or spec.field not in found:
        return None, why or f"the answer has no field {spec.field!r}"
    return value_text(found[spec.field]), ""


def wanted_texts(spec: GraderSpec, case: Case) -> tuple[str, ...]:
    """Return what the answer is set against. Raises ValueError where the case expects no such thing."""
    expected = case.expected
    if isinstance(expected, dict):
        if spec.field is None:
            return (value_text({key: accepted(value)[0] for key, value in expected.items()}),)
        if spec.field not in expected:
            raise ValueError(f"the expected answer has no field {spec.field!r}")
        return accepted(expected[spec.field])
    if spec.field:
        raise ValueError(f"the grader names field {spec.field!r}, but the expected answer is a text")
    return accepted(expected)


def _attempt(spec: GraderSpec, case: Case) -> tuple[str, ...] | Exception:
    try:
        return wanted_texts(spec, case)
    except ValueError as error:
        return error
