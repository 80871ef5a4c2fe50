"""Answering with local models: against the floor, and against transformers' own `generate`.

The first rows set pocket against nothing but the matrix products of its prompts' linear layers: the floor.

The floor multiplies matrices of the layers' own shapes by plain torch in the same run, for as many tokens as the
prompts have. What lies above it is attention, norms, the copy head over the vocabulary, a decoding step for each
token of the reply, tokenizing and bookkeeping. No prompt shares its beginning with another: nothing is spared.

The last rows are a few-shot workload: instructions and examples that all questions share, then a short question. There
`generate` gets the same prompts in one batch, with the same weights, and must give the same replies.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Row, Skipped, in_turns
from benchmarks.structure import save_qwen3
from levers.errors import MissingExtra, ModelError
from levers.ledger import Message
from levers.model import Ask, Model, open_model

REPEATS, BATCH, TOKENS = 3, 32, 300
REPLY = 12  # tokens: a short answer in a JSON object of one key
TARGET = 2.5
SHARED, FEW_SHOT_TARGET = 1000, 3.0
SENTENCE = "Parcel {code} is left with the neighbour at number {number} when you are out. "
# Every reply has the same length, whatever the weights make of the question.
SCHEMA = {"type": "string", "minLength": 40, "maxLength": 40}


def measure() -> list[Row]:
    """Answer a batch of prompts with a reply of usual length, then with one token."""
    try:
        model = open_model("pocket")
        rows = [_row(model, REPLY, "a reply of {} tokens"), _row(model, 1, "a reply of one token")]
        rows.append(_few_shot("pocket", model))
        with tempfile.TemporaryDirectory() as folder:
            shaped = open_model(f"hf/{save_qwen3(Path(folder), wide=256, layers=6)}")
            rows.append(_few_shot("Qwen3's shape, 6 layers, 256 wide", shaped))
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


def _few_shot(name: str, model: Model) -> Row:
    asks = _shared_asks(model)
    loaded: Any = getattr(model, "_load")()  # noqa: B009  (local models have it, the contract does not)
    prompts = [loaded.tokens_of(ask) for ask in asks]
    texts: list[list[str]] = [[], []]

    def ours() -> None:
        texts[0] = [reply.text for reply in model.answer(asks)]

    def theirs() -> None:
        texts[1] = _plain(loaded, prompts)

    mine, plain = in_turns(ours, theirs, REPEATS)
    same = sum(one == other for one, other in zip(*texts, strict=True))
    shared = next(at for at, each in enumerate(zip(*prompts, strict=False)) if len(set(each)) > 1)
    whole = sum(map(len, prompts)) // len(prompts)
    return Row(
        "generation",
        f"{name}: {BATCH} prompts of {whole} tokens, the first {shared} the same, {REPLY} tokens of reply at most",
        mine * 1e3 / BATCH,
        "plain `generate` of transformers, one batch",
        plain * 1e3 / BATCH,
        "ms per answer",
        f"{plain / mine:.1f} times as fast, target {FEW_SHOT_TARGET:.0f}; {same} of {BATCH} replies are the same",
    )


def _plain(loaded: Any, prompts: list[list[int]]) -> list[str]:
    """Answer by `generate`: one batch, padded on the left, greedy."""
    import torch

    batch = loaded.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    with torch.inference_mode():
        written = loaded.model.generate(**batch, max_new_tokens=REPLY, do_sample=False, pad_token_id=loaded.pad)
    replies = written[:, batch["input_ids"].shape[1] :]
    return [loaded.tokenizer.decode(each, skip_special_tokens=True).strip() for each in replies]


def _shared_asks(model: Model) -> list[Ask]:
    """Make prompts whose instructions and examples, about 1,000 tokens, are the same."""
    count = getattr(model, "count_tokens")  # noqa: B009  (local models have it, the contract does not)
    turns = [Message(role="system", content="Answer with the number of the house.")]
    while count(Ask(messages=tuple(turns))) < SHARED:
        number = len(turns)
        parcel = SENTENCE.format(code=f"{number:04x}", number=number)
        turns.append(Message(role="user", content=f"{parcel}Who has the parcel?"))
        turns.append(Message(role="assistant", content=f"number {number}"))
    asked = [SENTENCE.format(code=f"{at:04d}", number=at) + "Who has the parcel?" for at in range(100, 100 + BATCH)]
    return [Ask(messages=(*turns, Message(role="user", content=text)), max_tokens=REPLY) for text in asked]


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
