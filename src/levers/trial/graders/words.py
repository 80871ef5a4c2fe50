"""Checks of words: exact, contains, f1, choice."""

from levers.task.records import GraderSpec
from levers.trial.graders.contract import Verdict
from levers.trial.text import clip, contains, normalise, token_f1

_F1_THRESHOLD = 0.8


def check_exact(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
    """Pass when the text equals an accepted one after normalisation."""
    return Verdict.of(normalise(text) in {normalise(each) for each in accepted}, _unlike(text, accepted))


def check_contains(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
    """Pass when an accepted text stands in the text as whole words."""
    return Verdict.of(any(contains(text, each) for each in accepted), _unlike(text, accepted))


def check_f1(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
    """Credit is SQuAD's F1 against the best accepted text; it passes from `threshold` (0.8) up."""
    threshold = _F1_THRESHOLD if spec.threshold is None else spec.threshold
    credit = max(token_f1(text, each) for each in accepted)
    passed = credit >= threshold
    why = "" if passed else f"F1 {credit:.2f} is under {threshold:g}: {_unlike(text, accepted)}"
    return Verdict(credit=credit, passed=passed, why=why)


def check_choice(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
    """Pass when the whole text is an accepted one of the `choices`."""
    found = normalise(text)
    if spec.choices is not None and found not in {normalise(each) for each in spec.choices}:
        return Verdict.of(False, f'"{clip(text)}" is none of the choices {", ".join(spec.choices)}')
    return Verdict.of(found in {normalise(each) for each in accepted}, _unlike(text, accepted))


def _unlike(text: str, accepted: tuple[str, ...]) -> str:
    wanted = " or ".join(f'"{clip(each)}"' for each in accepted[:3]) + (" or …" if len(accepted) > 3 else "")
    return f'expected {wanted}, found "{clip(text)}"'
