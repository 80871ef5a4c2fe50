"""Tuning: two hundred examples of a house format that the prompt names but does not explain.

The rule: `ANSWER <answer> / SOURCE <the passage's document> / DESK <question word>`. It is laid over questions of
the training-marked SQuADShifts; the cases are those passages that the training recipe holds out.
"""

import random
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from readings import held_out, trained, window
from sources import Reading, readings

from levers.model import Ask
from levers.tuning import Sample, fit, recipe_for

from .asking import open_folder, prompt
from .reading import Reader, reading
from .scoring import is_exact, normalised, share

SYSTEM = "Answer from the passages. Reply in the house format."
EXAMPLES, HELD_OUT, CASES, READ = 200, 10, 100, 200  # one example in ten decides which epoch is kept, as the lever does
_SHAPE = re.compile(r"ANSWER (.+) / SOURCE (\S+) / DESK (\w+)")


def _document(item: Reading) -> str:
    return re.sub(r"[^a-z0-9]+", "-", item.title.lower()).strip("-")[:24] + ".md"


def _desk(question: str) -> str:
    found = re.search(r"\b(who|when|where|why|how|which|what)\b", question.lower())
    return found[0] if found else "other"


def _pair(item: Reading, rng: random.Random) -> tuple[Ask, str]:
    text, _ = window(item.passage, item.start, len(item.answer), 350, rng)
    ask = prompt(SYSTEM, [(_document(item), text)], item.question, tokens=64)
    return ask, f"ANSWER {item.answer} / SOURCE {_document(item)} / DESK {_desk(item.question)}"


def pairs(limit: int | None = None) -> tuple[list[tuple[Ask, str]], list[tuple[Ask, str]]]:
    """Return examples and cases, prompt and reply each; no passage stands on both sides."""
    rng = random.Random(200)
    cases = [item for item in readings() if item.passage in held_out()]
    return (
        [_pair(item, rng) for item in rng.sample(trained(), EXAMPLES)],
        [_pair(item, rng) for item in rng.sample(cases, min(limit or CASES, CASES, len(cases)))],
    )


def obeys(reply: str, wanted: str) -> bool:
    """Say whether a reply has the house format with the right source and desk; the answer itself may be wrong."""
    found, right = _SHAPE.fullmatch(reply.strip()), _SHAPE.fullmatch(wanted)
    return bool(found and right and found.groups()[1:] == right.groups()[1:])


def _share_obeyed(folder: Path, cases: list[tuple[Ask, str]], adapter: Path | None) -> dict[str, float]:
    replies = open_folder(folder, adapter).answer([ask for ask, _ in cases])
    told = [(reply.text, wanted) for reply, (_, wanted) in zip(replies, cases, strict=True)]
    inside = [_SHAPE.fullmatch(text.strip()) for text, _ in told]
    answers = [_SHAPE.fullmatch(wanted) for _, wanted in told]
    right = [
        bool(one and other) and is_exact(normalised(one[1]), [other[1]])
        for one, other in zip(inside, answers, strict=True)
        if other
    ]
    return {"obeyed": share([obeys(*each) for each in told]), "answer_em": share(right)}


def tuning(folder: Path, limit: int | None = None) -> dict[str, Any]:
    """Tune as the `tune` lever does; return what it brought, what it took, and what it cost elsewhere."""
    examples, cases = pairs(limit)
    samples = [Sample(messages=ask.messages, answer=reply) for ask, reply in examples]
    learnt = [sample for place, sample in enumerate(samples) if place % HELD_OUT]
    read = min(limit or READ, READ)
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        recipe = recipe_for("pocket", examples=len(learnt))
        fitted = fit(f"hf/{folder}", learnt, samples[::HELD_OUT], recipe, Path(scratch))
        seconds = time.perf_counter() - begun
        before, after = (_share_obeyed(folder, cases, adapter) for adapter in (None, fitted.adapter))
        unread, reread = (
            reading(Reader(open_folder(folder, adapter), read))["squad2_dev"]["f1"]
            for adapter in (None, fitted.adapter)
        )
    return {
        "before": before,
        "after": after,
        "seconds": round(seconds, 1),
        "epochs": len(fitted.losses),
        "examples": len(samples),
        "n": len(cases),
        "reading_f1": {"before": unread, "after": reread, "drop": round(unread - reread, 1), "n": read},
    }
