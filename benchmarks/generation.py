"""Answering with pocket, against nothing but the matrix products of its prompts' linear layers: the floor.

The floor multiplies matrices of the layers' own shapes by plain torch in the same run, for as many tokens as the
prompts have. What lies above it is attention, norms, the copy head over the vocabulary, a decoding step for each
token of the reply, tokenizing and bookkeeping. No prompt shares its beginning with another: nothing is spared.
"""

import hashlib
from collections.abc import Callable

from benchmarks import Row, Skipped, in_turns
from levers.errors import MissingExtra, ModelError
from levers.ledger import Message
from levers.model import Ask, Model, open_model

REPEATS, BATCH, TOKENS = 3, 32, 300
REPLY = 12  # tokens: a short answer in a JSON object of one key
TARGET = 2.5
SENTENCE = "Parcel {code} is left with the neighbour at number {number} when you are out. "
# Every reply has the same length, whatever the weights make of the question.
SCHEMA = {"type": "string", "minLength": 40, "maxLength": 40}


def measure() -> list[Row]:
    """Answer a batch of prompts with a reply of usual length, then with one token."""
    try:
        model = open_model("pocket")
        rows = [_row(model, REPLY, "a reply of {} tokens"), _row(model, 1, "a reply of one token")]
    except (MissingExtra, ModelError) as error:
        raise Skipped(str(error)) from error
    return rows


def _row(model: Model, reply: int, what: str) -> Row:
    asks = [_ask(model, number, reply) for number in range(BATCH)]
    replies = model.answer(asks)
    read, written = (sum(getattr(each.usage, side) for each in replies) for side in ("input", "output"))
    floor, operations = _floor(read)
    ours, limit = in_turns(lambda: model.answer(asks), floor, REPEATS)
    note = f"target {TARGET}; {read / ours:,.0f} tokens/s, the floor ran at {operations / limit / 1e9:,.0f} GFLOP/s"
    return Row(
        "generation",
        f"{BATCH} prompts of {read // BATCH} tokens at once, {what.format(written // BATCH)}",
        ours * 1e6 / read,
        "the prompts' linear layers alone, float32",
        limit * 1e6 / read,
        "µs per prompt token",
        note,
    )


def _ask(model: Model, number: int, reply: int) -> Ask:
    """Make a prompt of about 300 tokens that begins like no other."""
    passage, ask = "", Ask(messages=(Message(role="user", content=""),))
    count = getattr(model, "count_tokens")  # noqa: B009  (local models have it, the contract does not)
    while count(ask) < TOKENS:
        code = hashlib.sha256(f"{number}/{len(passage)}".encode()).hexdigest()[:4]
        passage += SENTENCE.format(code=code, number=number + 1)
        content = f"{passage}Question: who has the parcel?"
        ask = Ask(messages=(Message(role="user", content=content),), max_tokens=reply, json_schema=SCHEMA)
    return ask


def _floor(tokens: int) -> tuple[Callable[[], None], int]:
    """Return what runs the linear layers' products for so many tokens, and how many operations that is."""
    import torch

    shapes = _linear_shapes()
    states = {size: torch.randn(tokens, size) for size in {inner for _, inner in shapes}}
    weights = [torch.randn(outer, inner) for outer, inner in shapes]

    def run() -> None:
        with torch.inference_mode():
            for weight in weights:
                torch.nn.functional.linear(states[weight.shape[1]], weight)

    return run, 2 * tokens * sum(outer * inner for outer, inner in shapes)


def _linear_shapes() -> list[tuple[int, int]]:
    """Return (out, in) of every linear layer that each prompt token passes through."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from levers.model.pocket import register, weights_path

    register()
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(weights_path()))
    linears = [module for module in model.layers.modules() if isinstance(module, torch.nn.Linear)]
    return [(linear.out_features, linear.in_features) for linear in linears]
