"""Prompts as a stack lays them out, answered by the library's local model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levers.model import Ask, Model, Reply
from levers.model.local import LocalModel
from levers.stack import Draft, Passage, Question, messages

REPLY_TOKENS = 40


def open_folder(folder: Path, adapter: Path | None = None) -> Model:
    """Open the model of a folder, whatever its name."""
    return LocalModel(f"hf/{folder.name}", folder, adapter)


def prompt(
    system: str,
    shown: Sequence[tuple[str, str]] | None,
    question: str,
    *,
    shots: Sequence[tuple[str, str]] = (),
    schema: dict[str, Any] | None = None,
    tokens: int = REPLY_TOKENS,
) -> Ask:
    """Lay out one question.

    Args:
        system: the instructions.
        shown: (document, text) of each passage, in order; None asks without passages.
        question: the question.
        shots: earlier turns, (input, output).
        schema: JSON Schema that the reply is decoded under.
        tokens: most tokens of the reply.
    """
    given = None if shown is None else tuple(_passage(title, text) for title, text in shown)
    draft = Draft(Question(id="", input=question), (system,), tuple(shots), given)
    return Ask(messages=messages(draft), max_tokens=tokens, json_schema=schema)


def _passage(title: str, text: str) -> Passage:
    return Passage(document=title, section="", heading="", text=text, start=0, end=len(text))


def texts(replies: Sequence[Reply]) -> list[str]:
    """Return the replies' texts; a failed one is empty, and so counts as wrong."""
    return [reply.text for reply in replies]
