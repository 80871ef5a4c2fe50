"""Memory estimates: formulas by hand, peaks that were measured, the field's own questions, and the laws of sizes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from levers.economics import Shape, Training, kv_cache, serving_memory, shape, shape_of_config, shapes, training_memory
from levers.economics.memory import ALL_LINEARS, GB, METHODS, NF4_CONSTANTS, trainable_weights
from levers.errors import UserError

SMALL = Shape(name="small", hidden=256, layers=4, heads=8, kv_heads=2, head_size=32, inner=688, vocabulary=8000)
WIDE = Shape(name="wide", hidden=1024, layers=2, heads=16, kv_heads=4, head_size=64, inner=4096, vocabulary=1000)
DEEP = Shape(name="deep", hidden=384, layers=8, heads=6, kv_heads=6, head_size=64, inner=1024, vocabulary=2000)

# Peaks in bytes of PyTorch's CPU allocator, taken by benchmarks/memory.py (torch 2.13.0, transformers 5.23, peft 0.21).
MEASURED: list[tuple[Shape, dict[str, Any], int]] = [
    (SMALL, {"method": "full", "precision": "float32"}, 173_655_332),
    (SMALL, {"method": "full", "precision": "float32", "checkpointing": True}, 135_322_660),
    (SMALL, {"method": "full", "precision": "bfloat16", "checkpointing": True}, 92_513_828),
    (SMALL, {"method": "full", "precision": "mixed"}, 170_181_924),
    (SMALL, {"method": "lora", "precision": "float32"}, 117_319_240),
    (SMALL, {"method": "lora", "precision": "bfloat16", "checkpointing": True}, 67_973_960),
    (SMALL, {"method": "lora", "precision": "bfloat16", "targets": ("q", "v")}, 83_370_760),
    (SMALL, {"method": "prompt", "precision": "float32"}, 113_264_268),
    (SMALL, {"method": "prefix", "precision": "float32"}, 109_344_140),
    (SMALL, {"method": "prefix", "precision": "bfloat16"}, 81_486_732),
    (DEEP, {"method": "full", "precision": "float32", "batch": 4}, 478_127_156),
    (DEEP, {"method": "lora", "precision": "float32", "batch": 4}, 337_529_480),
    (DEEP, {"method": "prefix", "precision": "float32", "batch": 4}, 278_874_124),
    (DEEP, {"method": "full", "precision": "float32", "batch": 4, "checkpointing": True}, 285_239_796),
    (WIDE, {"method": "full", "precision": "bfloat16"}, 284_865_006),
    (WIDE, {"method": "lora", "precision": "float32"}, 250_411_632),
    (WIDE, {"method": "qlora", "precision": "bfloat16"}, 130_871_332),  # bitsandbytes 0.50
]
SERVED = [(SMALL, 2, 4, 42_357_888), (DEEP, 4, 4, 151_156_480), (SMALL, 2, 2, 23_574_656), (DEEP, 4, 2, 75_588_608)]


@pytest.mark.parametrize(("small", "how", "peak"), MEASURED)
def test_training_peaks_are_what_was_measured(small: Shape, how: dict[str, Any], peak: int) -> None:
    found = training_memory(small, Training.model_validate({"batch": 2, "tokens": 256, **how}))
    assert found.peak == pytest.approx(peak, rel=0.15)


@pytest.mark.parametrize(("small", "batch", "size", "peak"), SERVED)
def test_serving_peaks_are_what_was_measured(small: Shape, batch: int, size: int, peak: int) -> None:
    found = serving_memory(small, batch, 516, size, size, prefill=batch * 512)
    assert found.peak == pytest.approx(peak, rel=0.15)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("llama-2-7b", 6_738_415_616), ("llama-3-8b", 8_030_261_248), ("llama-2-13b", 13_015_864_320),
     ("mistral-7b", 7_241_732_096), ("llama-3-70b", 70_553_706_496), ("tinyllama-1.1b", 1_100_048_384)],
)  # fmt: skip
def test_parameters_are_what_the_models_publish(name: str, parameters: int) -> None:
    assert shape(name).parameters == parameters


def qlora(name: str) -> float:
    return training_memory(shape(name), Training(method="qlora", checkpointing=True)).peak


def test_70b_qlora_does_not_fit_a_24_gb_card_and_65b_fits_48() -> None:
    """S1 says one consumer GPU; S0 and the QLoRA paper say 65B on 48 GB (facts, sections 8 and 9)."""
    assert qlora("llama-2-70b") > 32e9 and qlora("llama-65b") < 48e9
    assert 40e9 <= qlora("llama-2-70b") <= 48e9
    assert qlora("llama-2-7b") < 8e9


def test_16_bytes_a_weight() -> None:
    """Full tuning with Adam in mixed precision: 16 bytes a weight, 8 times the 16-bit model (facts, section 9)."""
    model = shape("llama-2-7b")
    for precision in ("mixed", "float32"):
        how = Training(method="full", precision=precision, checkpointing=True, tokens=64)
        assert training_memory(model, how).peak == pytest.approx(16 * model.parameters, rel=0.02)


def test_parts_by_hand() -> None:
    """LoRA on 7B at rank 16 on all linears: 40.0M weights; QLoRA's constants: 0.127 bits a weight (its section 3)."""
    assert trainable_weights(shape("llama-2-7b"), Training(method="lora")) == 39_976_960
    assert pytest.approx(0.127, abs=0.0005) == 8 * NF4_CONSTANTS
    assert kv_cache(shape("llama-2-7b"), 1, 1) == 2 * 32 * 4096 * 2
    assert trainable_weights(SMALL, Training(method="prompt", virtual_tokens=10)) == 2560
    assert trainable_weights(SMALL, Training(method="prefix", virtual_tokens=10)) == 10 * 4 * 2 * 64
    assert 0.001 < 39_976_960 / shape("llama-2-7b").parameters < 0.01  # 0.1 to 1 % of the weights


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(METHODS), st.integers(1, 8), st.integers(16, 4096), st.booleans(), st.sampled_from(sorted(shapes()))
)
def test_more_is_never_less(method: Any, batch: int, tokens: int, checkpointing: bool, name: str) -> None:
    def peak(**changes: Any) -> float:
        plain = {"method": method, "batch": batch, "tokens": tokens, "checkpointing": checkpointing}
        return training_memory(shape(name), Training.model_validate({**plain, **changes})).peak

    assert peak(batch=batch + 1) >= peak() and peak(tokens=tokens + 64) >= peak()
    assert peak(optimizer="adam8bit") <= peak() and peak(optimizer="sgd") <= peak(optimizer="adam8bit")
    assert peak(rank=32) >= peak()
    found = training_memory(shape(name), Training(method=method, batch=batch, tokens=tokens))
    assert found.peak == pytest.approx(sum(part.bytes for part in found.parts))
    if method in {"lora", "qlora"}:
        assert peak(method="qlora") < peak(method="lora")


@pytest.mark.parametrize("name", sorted(shapes()))
def test_an_adapter_keeps_less_beside_the_activations_than_full_tuning(name: str) -> None:
    """Not less in all: a small model on long texts keeps more inputs for its pairs (in float32) than it has weights."""

    def states(**how: Any) -> float:
        parts = training_memory(shape(name), Training.model_validate(how)).parts
        return sum(part.bytes for part in parts if part.name not in {"activations", "logits and loss"})

    assert states(method="qlora") < states(method="lora") < states(method="full", precision="mixed")


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 64), st.integers(16, 8192), st.sampled_from([4, 2, 1, 0.5]))
def test_serving_grows_with_sequences_and_shrinks_with_bits(batch: int, tokens: int, size: float) -> None:
    model = shape("llama-3-8b")
    plain = serving_memory(model, batch, tokens, size)
    assert serving_memory(model, batch + 1, tokens, size).peak > plain.peak
    assert serving_memory(model, batch, tokens, size, prefill=16).peak <= plain.peak
    assert serving_memory(model, batch, tokens, size / 2 if size > 0.5 else 0.5).peak <= plain.peak
    assert plain.fits(plain.peak) and not plain.fits(plain.peak, overhead=GB)


def test_a_shape_is_read_from_a_models_own_config(tmp_path: Path) -> None:
    config = {
        "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
        "intermediate_size": 4864, "vocab_size": 151936, "tie_word_embeddings": True,
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert shape_of_config(path).parameters == shape("qwen2.5-0.5b").parameters
    path.write_text(json.dumps({**config, "num_local_experts": 8, "vocab_size": 0, "hidden_size": "big"}))
    with pytest.raises(UserError) as caught:
        shape_of_config(path)
    assert [problem.field for problem in caught.value.problems] == ["hidden_size", "vocab_size", "num_local_experts"]
    path.write_text(json.dumps({**config, "num_experts": "8", "vocab_size": True}))
    with pytest.raises(UserError) as caught:
        shape_of_config(path)
    assert [problem.field for problem in caught.value.problems] == ["vocab_size", "num_experts"]
    deep = ["[" * depth + "]" * depth for depth in (500, 990, 5000, 100_000)]
    for text in ("{", "[]", *deep, *(f'{{"hidden_size": {each}}}' for each in deep)):
        path.write_text(text)
        with pytest.raises(UserError, match=r"config\.json"):
            shape_of_config(path)
    with pytest.raises(UserError, match=r"config\.json"):
        shape_of_config(tmp_path / "none.json")


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(ValidationError, match="mixed precision is for full tuning"):
        Training(method="lora", precision="mixed")
    with pytest.raises(ValidationError, match="targets are some of"):
        Training(targets=("q", "x"))
    with pytest.raises(UserError, match="llama-2-7b"):
        shape("llama-9")
    assert set(ALL_LINEARS) == set(SMALL.linears)
