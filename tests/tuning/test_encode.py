"""Encoding and the plan of batches."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.model.chat import render
from levers.tuning.encode import Encoded, Encoder, schedule, shared_length
from levers.tuning.records import Sample

Pairs = Callable[..., list[Sample]]


def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def test_prompt_is_what_is_served_and_answer_ends(bases: dict[str, Path], pairs: Pairs) -> None:
    for make in ("llama", "gpt2"):
        tok = tokenizer(bases[make])
        encoded = Encoder(tok, (tok.eos_token_id,)).encode(pairs(1)[0])
        served = tok(render(tok, pairs(1)[0].messages), add_special_tokens=make == "gpt2")["input_ids"]
        assert list(encoded.prompt) == served
        assert tok.decode(encoded.answer).strip() == pairs(1)[0].answer + "<|end|>"
        assert encoded.answer.count(tok.eos_token_id) == 1


def test_line_break_after_the_end_token_is_not_learnt(bases: dict[str, Path], pairs: Pairs) -> None:
    tok = tokenizer(bases["llama"])
    tok.chat_template = tok.chat_template.replace("<|end|>", "<|end|>\n")
    encoded = Encoder(tok, (tok.eos_token_id,)).encode(pairs(1)[0])
    assert encoded.answer[-1] == tok.eos_token_id


def test_shared_head_ends_where_the_system_text_ends(bases: dict[str, Path], pairs: Pairs, sample: Any) -> None:
    tok = tokenizer(bases["llama"])
    encoder = Encoder(tok, (tok.eos_token_id,))
    batch = [encoder.encode(pair) for pair in pairs(3)]
    shared = shared_length(batch)
    assert tok.decode(batch[0].prompt[:shared]) == "<|system|>" + pairs(1)[0].messages[0].content
    other = encoder.encode(sample("tent", "red", brief="Another brief."))
    assert shared_length([*batch, other]) == 0


def test_no_shared_head_without_ends() -> None:
    assert shared_length([Encoded((1, 2, 3), (4,)), Encoded((1, 2, 5), (4,))]) == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_schedule_repeats_from_its_seed(seed: int) -> None:
    lengths = [3, 9, 4, 4, 8, 1, 2, 7, 5, 6]
    assert schedule(lengths, 3, 2, seed) == schedule(lengths, 3, 2, seed)
    assert schedule(lengths, 3, 2, seed) != schedule(lengths, 3, 2, seed + 1)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=200), st.integers(1, 16), st.integers(1, 3))
def test_schedule_shows_every_example_once_an_epoch(lengths: list[int], size: int, epochs: int) -> None:
    plan = schedule(lengths, size, epochs, 0)
    assert len(plan) == epochs
    for batches in plan:
        assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
        assert all(0 < len(batch) <= size for batch in batches)
        assert len(batches) == len(plan[0])


def test_batches_pad_little() -> None:
    lengths = [(index * 37) % 400 + 1 for index in range(128)]
    (batches,) = schedule(lengths, 8, 1, 0)
    padded = sum(max(lengths[index] for index in batch) * len(batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)
