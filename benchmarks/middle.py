"""Where a model reads best: the same question with the passage that answers it at every place among distractors.

After Liu et al., "Lost in the Middle: How Language Models Use Long Contexts" (TACL 2024), on their questions with the
best BM25 hits among other questions' passages as distractors. Every case is asked once for every place, so that places
are compared on the same cases. This is what the lever `order` looks for.
"""

import json
import lzma
import os
from typing import Any

from benchmarks import Row, Skipped, data_folder
from levers.errors import MissingExtra, ModelError
from levers.ledger import Message
from levers.model import Ask, Model, open_model
from levers.trial.paired import newcombe_paired
from levers.trial.statistics import mcnemar_exact
from levers.trial.text import contains

PASSAGES, ROOM = 7, 24
WORDS = 90  # of a passage at most: seven fit into pocket's window
CASES = int(os.environ.get("LEVERS_MIDDLE_CASES", "100"))
MODEL = os.environ.get("LEVERS_MIDDLE_MODEL", "pocket")
BRIEF = "Answer the question from the passages, in as few words as possible."


def measure() -> list[Row]:
    """Ask every case at every place; hold each place against the first one."""
    path = data_folder() / "lost_in_the_middle" / "mdqa_600.jsonl.xz"
    if not path.is_file():
        raise Skipped("lost_in_the_middle is not there: set LEVERS_DATA")
    with lzma.open(path, "rt", encoding="utf-8") as file:
        cases = [each for each in map(json.loads, file) if _answered(each)][:CASES]
    try:
        right = at_places(open_model(MODEL), cases)
    except (MissingExtra, ModelError) as error:
        raise Skipped(str(error)) from error
    return [_row(place, right[place], right[0]) for place in range(PASSAGES)]


def at_places(model: Model, cases: list[dict[str, Any]]) -> list[list[bool]]:
    """Return for each place, and each case, whether the answer holds an accepted text."""
    asks = [_ask(case, place) for place in range(PASSAGES) for case in cases]
    replies = iter(model.answer(asks))
    return [[_right(next(replies).text, case) for case in cases] for _ in range(PASSAGES)]


def _ask(case: dict[str, Any], place: int) -> Ask:
    shown = [_text(each) for each in case["distractors"][: PASSAGES - 1]]
    shown.insert(place, _text(case["gold"]))
    block = "\n\n".join(f"[{number}] {text}" for number, text in enumerate(shown, start=1))
    turn = Message(role="user", content=f"Passages:\n{block}\n\nQuestion: {case['question']}")
    return Ask(messages=(Message(role="system", content=BRIEF), turn), max_tokens=ROOM)


def _text(passage: dict[str, str]) -> str:
    return f"{passage['title']}\n{' '.join(passage['text'].split()[:WORDS])}"


def _answered(case: dict[str, Any]) -> bool:
    """Tell whether the passage still holds an answer once it is cut."""
    return _right(_text(case["gold"]), case)


def _right(text: str, case: dict[str, Any]) -> bool:
    return any(contains(text, answer) for answer in case["answers"])


def _row(place: int, here: list[bool], first: list[bool]) -> Row:
    pairs = list(zip(first, here, strict=True))
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    both = pairs.count((True, True))
    sure = newcombe_paired(both, gained, lost, len(pairs) - both - gained - lost)
    p_value = mcnemar_exact(gained, lost)
    told = f"{(gained - lost) / len(pairs):+.2f} ({sure.low:+.2f} to {sure.high:+.2f}, p = {p_value:.3f})"
    what = f"{MODEL}: the answer's passage at place {place + 1} of {PASSAGES}, {len(pairs)} questions"
    share = sum(here) / len(here)
    return Row("middle", what, share, "at the first place", sum(first) / len(first), "answered right", told)
