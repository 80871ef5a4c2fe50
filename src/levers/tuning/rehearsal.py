"""Rehearsal: what the model did under other instructions is learnt beside the new, so that it still follows them.

A small adapter tuned on one instruction answers every instruction in the new manner. Some of the prompts are learnt a
second time, each under another instruction, with the reply that the untuned model gave to that: in the manner of Li
and Hoiem's "Learning without Forgetting" (2016), with replies in the place of probabilities. docs/lab/pocket.md has
the figures.
"""

import random
from collections.abc import Sequence

from levers.ledger import Message
from levers.model.contract import Ask, Model
from levers.tuning.records import Sample

_TOKENS = 64  # the longest reply that is rehearsed
INSTRUCTIONS = (
    "",
    "Answer the question from the passages. Keep it short.",
    "Reply with the answer only.",
    "Use only the passages. Give the answer in a few words.",
    "Answer briefly and exactly, in the words of the passage.",
    'Answer from the passages. If the answer is not there, say "unknown".',
    'Reply as JSON: {"answer": "..."}',
    "You help readers. Say what the passages say about the question, nothing more.",
)


def rehearse(model: Model, samples: Sequence[Sample], share: float, seed: int = 0) -> list[Sample]:
    """Return a share of the prompts under other instructions, each with the reply that the model gives to it now.

    Args:
        model: the model as it is before the tuning.
        samples: what is to be learnt; their system text is what is exchanged, the rest of each prompt stays.
        share: of the samples, 0 to 1. Prompts whose reply is empty, cut short or failed are left out.
        seed: decides which prompts, and the instruction of each.
    """
    rng = random.Random(seed)
    chosen = rng.sample(list(samples), round(len(samples) * share))
    prompts = [_under(rng.choice(INSTRUCTIONS), sample.messages) for sample in chosen]
    replies = model.answer([Ask(messages=prompt, max_tokens=_TOKENS) for prompt in prompts])
    return [
        Sample(messages=prompt, answer=reply.text, line=sample.line)
        for sample, prompt, reply in zip(chosen, prompts, replies, strict=True)
        if reply.finish == "stop" and reply.text.strip()
    ]


def _under(instruction: str, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Exchange the system text; a prompt keeps its other turns."""
    kept = [each for each in messages if each.role != "system"]
    return (*([Message(role="system", content=instruction)] if instruction else []), *kept)
