"""The tone grader: rules, and a classifier trained on answers that people reviewed."""

import re
from collections.abc import Sequence
from typing import Any

from levers.errors import MissingExtra
from levers.stack.records import Answer
from levers.task.records import Case, GraderSpec, ToneRules
from levers.trial.graders.compared import json_object, value_text
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.graders.reviewed import Reviewed, agreement, read_reviewed
from levers.trial.records import Agreement
from levers.trial.text import clip

_SENTENCE = re.compile(r"[.!?…]+(?=\s|$)")
_LEAST = 5  # of each kind: with fewer, five-fold cross-validation cannot say what the classifier is worth


def tone(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
    """Pass when every one of the `rules` holds and the classifier gives at least `threshold` (0.5).

    The classifier learns from `labels`, answers that people reviewed (at least 5 good and 5 bad): logistic regression
    on words, word pairs and letter runs. Credit is the mean over the rules and the classifier's probability.
    """
    text = answer.text
    if spec.field:
        found, why = json_object(answer)
        if found is None or spec.field not in found:
            return Verdict.of(False, why or f"the answer has no field {spec.field!r}")
        text = value_text(found[spec.field])
    parts = _rules(spec.rules or ToneRules(), text)
    if spec.labels:
        threshold = 0.5 if spec.threshold is None else spec.threshold
        sure = float(_classifier(spec.labels, kit).predict_proba([text])[0, 1])
        parts.append((sure, sure >= threshold, f"it sounds unlike the reviewed answers ({sure:.2f})"))
    if not parts:
        raise ValueError("the grader has neither rules nor labels")
    why = "; ".join(why for _, held, why in parts if not held)
    return Verdict(credit=sum(credit for credit, _, _ in parts) / len(parts), passed=not why, why=why)


def tone_agreement(spec: GraderSpec, kit: Kit) -> Agreement | None:
    """Cross-validate the classifier on the reviewed answers; None where there are none."""
    if not spec.labels:
        return None
    rows = read_reviewed(spec.labels, kit)
    _enough(rows, spec.labels)
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    split = StratifiedKFold(_LEAST, shuffle=True, random_state=0)
    truth = [row.passed for row in rows]
    said = cross_val_predict(_pipeline(), [row.answer for row in rows], truth, cv=split)
    return agreement([(person, bool(found)) for person, found in zip(truth, said, strict=True)])


def _rules(rules: ToneRules, text: str) -> list[tuple[float, bool, str]]:
    words, sentences = len(text.split()), max(1, len(_SENTENCE.findall(text)))
    checks: list[tuple[bool, str]] = []
    if rules.min_words is not None:
        checks.append((words >= rules.min_words, f"{words} words, at least {rules.min_words} wanted"))
    if rules.max_words is not None:
        checks.append((words <= rules.max_words, f"{words} words, at most {rules.max_words} wanted"))
    if rules.max_sentences is not None:
        checks.append(
            (sentences <= rules.max_sentences, f"{sentences} sentences, at most {rules.max_sentences} wanted")
        )
    for pattern in rules.require:
        checks.append((bool(re.search(pattern, text, re.IGNORECASE)), f"nothing matches {clip(pattern)}"))
    for pattern in rules.forbid:
        match = re.search(pattern, text, re.IGNORECASE)
        checks.append((match is None, f'"{clip(match[0]) if match else ""}" is not wanted'))
    return [(float(held), held, why) for held, why in checks]


def _classifier(labels: str, kit: Kit) -> Any:
    """Train once per kit: the same labels give the same classifier."""
    key = f"tone {labels}"
    if key not in kit.cache:
        rows = read_reviewed(labels, kit)
        _enough(rows, labels)
        kit.cache[key] = _pipeline().fit([row.answer for row in rows], [row.passed for row in rows])
    return kit.cache[key]


def _enough(rows: Sequence[Reviewed], labels: str) -> None:
    good = sum(row.passed for row in rows)
    if min(good, len(rows) - good) < _LEAST:
        raise ValueError(f"{labels} holds {good} good and {len(rows) - good} bad answers; {_LEAST} of each are needed")


def _pipeline() -> Any:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ImportError as error:
        raise MissingExtra("scikit-learn", "local") from error
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")  # noqa: S106
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    return make_pipeline(make_union(words, letters), LogisticRegression(C=10, class_weight="balanced", random_state=0))
