"""Tiny models of four makes, in folders in the Hugging Face layout, with tokenizers trained on the spot."""

import json
from pathlib import Path
from typing import Any

import pytest

from levers.ledger import Message
from levers.tuning import Sample

COLOURS = ["red", "blue", "green", "black", "white", "brown"]
THINGS = ["boots", "tent", "stove", "rope", "lamp", "pack", "mat", "axe"]
BRIEF = "You answer for a small shop. Say the colour of the thing that is asked for, as a JSON object and nothing else."
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% if m['role'] == 'assistant' %}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ROLES = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def make_sample(thing: str, colour: str, line: int = 0, brief: str = BRIEF) -> Sample:
    """Make a pair: a system text, a passage and a question, and the house's answer."""
    text = f"Passages: the {thing} is {colour}. Question: which colour has the {thing}?"
    turns = (Message(role="system", content=brief), Message(role="user", content=text))
    return Sample(messages=turns, answer=json.dumps({"answer": colour}), line=line)


def make_pairs(count: int, skip: int = 0) -> list[Sample]:
    """Make `count` different pairs."""
    every = [(thing, colour) for thing in THINGS for colour in COLOURS]
    return [make_sample(*every[(index * 7 + skip) % len(every)], line=index + 1) for index in range(count)]


def _tokenizer(chat: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    texts = [turn.content for pair in make_pairs(40) for turn in pair.messages] + [
        pair.answer for pair in make_pairs(40)
    ]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=ROLES, initial_alphabet=alphabet, show_progress=False)
    inner.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token=ROLES[0], eos_token=ROLES[1])
    if chat:
        tokenizer.chat_template = TEMPLATE
    return tokenizer


def _model(make: str, size: int) -> Any:
    import torch

    torch.manual_seed(1)
    if make == "gpt2":
        from transformers import GPT2Config, GPT2LMHeadModel

        shape = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
        return GPT2LMHeadModel(GPT2Config(vocab_size=size, eos_token_id=1, bos_token_id=1, **shape))
    if make == "pocket":
        from levers.model.pocket.configuration import PocketConfig
        from levers.model.pocket.modeling import PocketForCausalLM

        shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        return PocketForCausalLM(PocketConfig(vocab_size=size, num_bases=size, max_position_embeddings=256, **shape))
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    if make == "qwen":
        from transformers import Qwen2Config, Qwen2ForCausalLM

        shape |= {"num_key_value_heads": 2, "max_position_embeddings": 256}
        return Qwen2ForCausalLM(Qwen2Config(vocab_size=size, eos_token_id=1, **shape))
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(vocab_size=size, eos_token_id=1, max_position_embeddings=256, **shape))


@pytest.fixture(scope="session")
def pairs() -> Any:
    return make_pairs


@pytest.fixture(scope="session")
def sample() -> Any:
    return make_sample


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders of a chat Llama, a chat Qwen, a plain GPT-2 and a pocket, with random weights."""
    pytest.importorskip("peft")
    root = tmp_path_factory.mktemp("bases")
    folders = {}
    for make in ("llama", "qwen", "gpt2", "pocket"):
        tokenizer = _tokenizer(chat=make != "gpt2")
        folders[make] = root / make
        _model(make, len(tokenizer)).save_pretrained(folders[make])
        tokenizer.save_pretrained(folders[make])
    return folders
