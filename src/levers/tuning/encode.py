"""From samples to token ids, and from ids to batches. Pure lists: no torch here."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from levers.ledger import Message
from levers.model.chat import render
from levers.tuning.records import Sample

_WINDOWS_SORTED = 16  # batches drawn together and sorted by length, so that a batch pads little yet stays mixed


@dataclass(frozen=True)
class Encoded:
    """A sample as token ids. `ends` are the places in the prompt where a leading message ends, longest last.

    `soft` is what a teacher holds of the answer's tokens, None without one.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    ends: tuple[int, ...] = ()
    soft: Any = None

    @property
    def length(self) -> int:
        """Prompt and answer tokens."""
        return len(self.prompt) + len(self.answer)


class Encoder:
    """Encodes samples with one tokenizer, exactly as the model is served: same layout, answer up to its end token."""

    def __init__(self, tokenizer: Any, end_tokens: Sequence[int]) -> None:
        """Keep the tokenizer and the tokens that end a reply, the first of which closes an answer that lacks one."""
        self._tokenizer = tokenizer
        self._end_tokens = tuple(end_tokens)
        self._templated = bool(getattr(tokenizer, "chat_template", None))
        self._known: dict[str, tuple[int, ...]] = {}

    def encode(self, sample: Sample) -> Encoded:
        """Return the ids of a sample."""
        text = render(self._tokenizer, sample.messages)
        prompt = self._ids(text, special=not self._templated)
        answer = self._ids(self._answer_text(sample, text), special=False)
        if self._end_tokens and not set(self._end_tokens).intersection(answer):
            answer = (*answer, self._end_tokens[0])
        return Encoded(prompt, answer, self._ends(sample.messages, text, prompt))

    def _answer_text(self, sample: Sample, prompt: str) -> str:
        """Return what the template writes after the prompt: the answer and the turn's end."""
        if not self._templated:
            return " " + sample.answer
        turns = [*sample.messages, Message(role="assistant", content=sample.answer)]
        whole = self._template(turns)
        if whole is None or not whole.startswith(prompt):
            return sample.answer
        # Some templates put a line break after the end token; nothing after it is ever generated.
        return whole[len(prompt) :].rstrip("\n") if whole.endswith("\n") else whole[len(prompt) :]

    def _ends(self, messages: Sequence[Message], text: str, prompt: tuple[int, ...]) -> tuple[int, ...]:
        """Find where leading messages end, where the template writes them alone as it does in the whole prompt."""
        if not self._templated:
            return ()
        ends = []
        for count in range(1, len(messages)):
            head = self._template(messages[:count])
            if not head or not text.startswith(head):
                continue
            ids = self._shared_ids(head)
            if prompt[: len(ids)] == ids:
                ends.append(len(ids))
        return tuple(ends)

    def _template(self, messages: Sequence[Message]) -> str | None:
        turns = [message.model_dump() for message in messages]
        try:
            return str(self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=False))
        except Exception:  # templates raise whatever their author wrote; without an answer from it nothing is shared
            return None

    def _shared_ids(self, text: str) -> tuple[int, ...]:
        if text not in self._known:
            self._known[text] = self._ids(text, special=False)
        return self._known[text]

    def _ids(self, text: str, special: bool) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=special)["input_ids"])


def schedule(lengths: Sequence[int], batch_size: int, epochs: int, seed: int) -> list[list[list[int]]]:
    """Plan the batches of every epoch: epoch, batch, indices.

    Examples are shuffled, sorted by length within stretches of a few batches, and the batches shuffled again. The plan
    depends on the arguments alone, so that an interrupted run finds its place.
    """
    plan = []
    for epoch in range(epochs):
        draw = random.Random(f"{seed}/{epoch}")
        order = list(range(len(lengths)))
        draw.shuffle(order)
        stretch = batch_size * _WINDOWS_SORTED
        batches: list[list[int]] = []
        for start in range(0, len(order), stretch):
            part = sorted(order[start : start + stretch], key=lambda index: (lengths[index], index))
            batches += [part[at : at + batch_size] for at in range(0, len(part), batch_size)]
        draw.shuffle(batches)
        plan.append(batches)
    return plan


def shared_length(batch: Sequence[Encoded]) -> int:
    """Return how many leading prompt tokens all of a batch share, cut where a message ends; 0 where none are."""
    first = batch[0]
    for end in reversed(first.ends):
        head = first.prompt[:end]
        if all(end in other.ends and other.prompt[:end] == head for other in batch[1:]):
            return end
    return 0
