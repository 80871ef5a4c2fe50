"""Replies under a JSON Schema: is every one valid, and what does holding a model to it cost per token?

Two models: `pocket`, and one of Qwen3's shape with random weights, which left alone never writes JSON. The schemas are
those of `json_mode_chats`' replies and 200 generated ones. The cost is what choosing tokens takes longer with a schema
than without one, over the same scores, beside the whole time that the model takes for a token.
"""

import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from benchmarks import Row, Skipped, data_folder
from benchmarks.schemas import Schema, generated, of_replies
from levers.errors import MissingExtra, ModelError
from levers.ledger import Message
from levers.model import Ask, Model, open_model

GENERATED = 200
EVERY = int(os.environ.get("LEVERS_STRUCTURE_EVERY", "1"))  # of the schemas: one in so many
ROOM = 1100  # tokens of a reply at most; the random model's tokens are single letters, mostly
POCKET_ROOM, POCKET_EVERY = 250, 5  # enough for the keys of the longest reply; one in five of those that never end
FREE, FREE_ROOM = 24, 96  # asks repeated without a schema, and their room
STEPS, ROWS = 100, 8
CHATS = "json_mode_chats/json_mode_dataset.jsonl"


def measure() -> list[Row]:
    """Answer under every schema with both models, and time the choosing of tokens."""
    chats = data_folder() / CHATS
    if not chats.is_file():
        raise Skipped(f"{CHATS} is not there: set LEVERS_DATA")
    sets = {
        "schemas of real replies, every part with a maximum": of_replies(chats)[::EVERY],
        "generated schemas, a fifth of the parts without a maximum": list(generated(GENERATED))[::EVERY],
    }
    endless = "schemas of real replies, none with a maximum"
    without = of_replies(chats, bounded=False)[::EVERY]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            shaped = open_model(f"hf/{save_qwen3(Path(folder))}")
            models = (
                ("Qwen3's shape, random weights", shaped, ROOM, without),
                ("pocket", open_model("pocket"), POCKET_ROOM, without[::POCKET_EVERY]),
            )
            for name, model, room, last in models:
                kinds = {**sets, endless: last}
                rows += [_valid(f"{name}, {len(each)} {kind}", model, each, room) for kind, each in kinds.items()]
                rows.append(_overhead(name, model))
        except (MissingExtra, ModelError) as error:
            raise Skipped(str(error)) from error
    return rows


def asks_for(schemas: Sequence[Schema | None], room: int) -> list[Ask]:
    """Return one ask for each schema; None is an ask for free text."""
    return [
        Ask(
            messages=(Message(role="user", content=f"Fill in form {number} and reply with JSON."),),
            max_tokens=room,
            json_schema=schema,
        )
        for number, schema in enumerate(schemas)
    ]


def is_valid(text: str, schema: Schema) -> bool:
    """Tell whether a reply is JSON of that schema."""
    try:
        return bool(Draft202012Validator(schema).is_valid(json.loads(text)))
    except ValueError:
        return False


def _valid(name: str, model: Model, schemas: Sequence[Schema], room: int) -> Row:
    begun = time.perf_counter()
    replies = model.answer(asks_for(schemas, room))
    seconds = time.perf_counter() - begun
    cut = sum(reply.finish == "length" for reply in replies)
    good = sum(is_valid(reply.text, schema) for reply, schema in zip(replies, schemas, strict=True))
    few = schemas[:: max(1, len(schemas) // FREE)]
    free = model.answer(asks_for([None] * len(few), FREE_ROOM))
    alone = sum(is_valid(reply.text, schema) for reply, schema in zip(free, few, strict=True))
    written = sum(reply.usage.output for reply in replies)
    return Row(
        "structure",
        f"{name}: {good} of them valid",
        good / len(schemas),
        "every one",
        1.0,
        "of the replies",
        f"{cut} ended at the limit of {room} tokens; without a schema {alone} of {len(few)} are valid; "
        f"{written:,} tokens in {seconds:,.0f} s",
    )


def _overhead(name: str, model: Model) -> Row:
    from levers.model.decode import Steering, new_row

    long = {"type": "string", "minLength": 4 * STEPS, "maxLength": 4 * STEPS}
    asks = asks_for([long] * ROWS, STEPS)
    begun = time.perf_counter()
    written = sum(reply.usage.output for reply in model.answer(asks))
    whole = (time.perf_counter() - begun) / written
    loaded: Any = getattr(model, "_load")()  # noqa: B009  (local models have it, the contract does not)
    constrainer, eos = getattr(loaded, "_constrainer"), loaded.eos  # noqa: B009

    def choosing(schema: Schema | None) -> float:
        rows = [new_row(ask, constrainer) for ask in asks_for([schema] * ROWS, STEPS)]
        steering = Steering(rows, constrainer, eos, forward=False)
        scores = _scores(loaded.vocabulary, eos)
        begun = time.perf_counter()
        for _ in range(STEPS):
            steering.choose(scores.clone(), list(range(ROWS)))
        return (time.perf_counter() - begun) / (STEPS * ROWS)

    choosing(long)
    extra = min(choosing(long) - choosing(None) for _ in range(3))
    return Row(
        "structure",
        f"{name}: holding a token to its schema, {ROWS} replies at once",
        extra * 1e6,
        "a whole token of this model",
        whole * 1e6,
        "µs per token",
        f"a vocabulary of {loaded.vocabulary:,}; the ratio is the schema's share of the time",
    )


def _scores(vocabulary: int, eos: Sequence[int]) -> Any:
    """Return [rows, vocabulary] scores under which no reply ends of itself."""
    import torch

    scores = torch.randn(ROWS, vocabulary, generator=torch.Generator().manual_seed(0))
    scores[:, list(eos)] = -torch.inf
    return scores


def save_qwen3(folder: Path, wide: int = 64, layers: int = 2) -> Path:
    """Save a model of Qwen3's shape with random weights and a byte-level tokenizer."""
    try:
        import tokenizers
        import torch
        from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
    except ImportError as error:
        raise Skipped(str(error)) from error
    inner = tokenizers.Tokenizer(tokenizers.models.BPE())
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    letters = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<end>"], initial_alphabet=letters, show_progress=False
    )
    inner.train_from_iterator(['{"name": "refund", "days": 14, "open": true, "notes": []}, null'], trainer)
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<end>").save_pretrained(folder)
    config = Qwen3Config(
        vocab_size=400,
        hidden_size=wide,
        intermediate_size=2 * wide,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=wide // 4,
        max_position_embeddings=4096,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    return folder
