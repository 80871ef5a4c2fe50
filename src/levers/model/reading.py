"""What all protocols read alike: thoughts written into the reply, stops the server does not know, confidence."""

import math
from collections.abc import Sequence

from levers.model.contract import TokenLogprob

THOUGHT = "<think>"
_CLOSE = "</think>"


def unthought(text: str) -> tuple[str, str]:
    """Split a reply that thinks aloud before it answers: `<think>…</think>answer` gives (thought, answer).

    A thought that is cut off has no answer yet. A template may have opened the thought, so that only its end is there.
    """
    if _CLOSE in text:
        thought, _, answer = text.partition(_CLOSE)
        return thought.removeprefix(THOUGHT).strip(), answer.strip()
    if text.startswith(THOUGHT):
        return text.removeprefix(THOUGHT).strip(), ""
    return "", text


def cut_at(text: str, stops: Sequence[str]) -> str:
    """Cut a text before the first of these stops."""
    places = [text.find(stop) for stop in stops if stop and stop in text]
    return text[: min(places)].rstrip() if places else text


def confidence(logprobs: Sequence[TokenLogprob] | None) -> float | None:
    """Return the probability of a reply's least probable token, None where the server gave none."""
    if not logprobs:
        return None
    return math.exp(min(0.0, *(each.logprob for each in logprobs)))
