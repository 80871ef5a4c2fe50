"""Every method trains every make, counts what it trains, goes on bit for bit, serves, and merges to the same scores."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from levers.errors import ModelError, UserError
from levers.tuning import METHODS, Method, Recipe, Sample, fit, recipe_for
from levers.tuning.counts import Shapes, trainable_weights
from levers.tuning.handover import TOLERANCE, hand_over, serving_commands

Pairs = Callable[..., list[Sample]]
HERE: tuple[Method, ...] = tuple(method for method in METHODS if method != "qlora")
RATES: dict[Method, float] = {"full": 2e-3, "prefix": 5e-2, "prompt": 1e-1}


def quick(method: Method, **changes: Any) -> Recipe:
    start = {"epochs": 2, "batch_size": 4, "learning_rate": RATES.get(method, 5e-3), "r": 4, "alpha": 8}
    return Recipe(method=method, virtual_tokens=5, **{**start, **changes})


@pytest.mark.parametrize("make", ["llama", "qwen", "pocket"])
@pytest.mark.parametrize("method", HERE)
def test_every_method_learns_and_trains_as_many_weights_as_the_formula(
    method: Method, make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs
) -> None:
    recipe = quick(method)
    fitted = fit(str(bases[make]), pairs(16), pairs(4, skip=24), recipe, tmp_path)
    assert fitted.losses[-1] < fitted.losses[0]
    assert fitted.dev_losses[-1] < fitted.dev_losses[0]
    assert fitted.trainable_parameters == trainable_weights(recipe, shapes_of(bases[make], method))
    assert fitted.adapter.name.startswith(f"{method}-")


def shapes_of(folder: Path, method: Method) -> Shapes:
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    head = model.get_output_embeddings()
    linears = [
        (each.in_features, each.out_features)
        for each in model.modules()
        if isinstance(each, torch.nn.Linear) and each is not head and (method != "dora" or each.weight.any())
    ]
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = heads * config.hidden_size // config.num_attention_heads
    weights = sum(weight.numel() for weight in model.parameters())
    return Shapes(linears, config.num_hidden_layers, config.hidden_size, width, weights)


def test_lora_plus_moves_b_at_its_own_rate(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    from safetensors.torch import load_file

    reached = {}
    for times in (1.0, 8.0):
        recipe = quick("lora", epochs=1, learning_rate=1e-3, lora_plus=times)
        fitted = fit(str(bases["llama"]), pairs(1), [], recipe, tmp_path)
        weights = load_file(fitted.adapter / "adapter_model.safetensors")
        reached[times] = max(float(weight.abs().max()) for name, weight in weights.items() if "lora_B" in name)
    assert reached[1.0] == pytest.approx(1e-3, rel=1e-3)  # B begins at zero, and Adam's first step is the rate
    assert reached[8.0] == pytest.approx(8e-3, rel=1e-3)


class _Stop(Exception):
    pass


@pytest.mark.parametrize("make", ["llama", "pocket"])
@pytest.mark.parametrize("method", ["rslora", "dora", "full", "prefix", "prompt"])
def test_a_resumed_run_equals_an_undisturbed_one(
    method: Method, make: str, bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: Pairs
) -> None:
    monkeypatch.setattr("levers.tuning.train.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("levers.tuning.train._CHECKPOINT_SHARE", 1e9)
    recipe = quick(method, dropout=0.1 if method in {"rslora", "dora"} else 0.0)

    def stop(progress: Any) -> None:
        if progress.step == 3:
            raise _Stop

    whole = fit(str(bases[make]), pairs(8), pairs(2), recipe, tmp_path / "whole")
    with pytest.raises(_Stop):
        fit(str(bases[make]), pairs(8), pairs(2), recipe, tmp_path / "cut", stop)
    resumed = fit(str(bases[make]), pairs(8), pairs(2), recipe, tmp_path / "cut")
    for name in sorted(path.name for path in whole.adapter.glob("*.safetensors")):
        assert (resumed.adapter / name).read_bytes() == (whole.adapter / name).read_bytes()
    assert resumed.losses == whole.losses


@pytest.mark.parametrize("make", ["llama", "pocket"])
@pytest.mark.parametrize("method", ["full", "prefix", "prompt"])
def test_what_is_no_low_rank_update_is_served_too(
    method: Method, make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs
) -> None:
    from levers.model.contract import Ask
    from levers.model.local import LocalModel

    fitted = fit(str(bases[make]), pairs(6), (), quick(method, learning_rate=5e-2), tmp_path)
    asks = [Ask(messages=item.messages, max_tokens=6) for item in pairs(6)]
    tuned = LocalModel("hf/tiny", bases[make], fitted.adapter)
    together = tuned.answer(asks)
    alone = [LocalModel("hf/tiny", bases[make], fitted.adapter).answer([ask])[0] for ask in asks[:2]]
    untuned = LocalModel("hf/tiny", bases[make])
    assert [reply.text for reply in alone] == [reply.text for reply in together[:2]]
    assert all(reply.finish in {"stop", "length"} for reply in together)
    assert tuned.id != untuned.id
    confidences = [reply.confidence for reply in untuned.answer(asks)]
    assert [reply.confidence for reply in together] != confidences


@pytest.mark.parametrize("make", ["llama", "qwen", "pocket"])
@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_learned_positions_score_as_in_peft_and_whatever_the_padding(
    method: Method, make: str, bases: dict[str, Path], pairs: Pairs
) -> None:
    import torch

    from levers.tuning.base import open_base
    from levers.tuning.encode import Encoder

    base = open_base(bases[make], quick(method))
    for weight in base.adapter().values():
        weight.data.normal_(std=0.5)
    ids = torch.tensor([Encoder(base.tokenizer, base.end_tokens).encode(pairs(1)[0]).prompt])
    ones, places = torch.ones_like(ids), torch.arange(ids.shape[1])[None]
    padding = torch.zeros((1, 3), dtype=torch.long)
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        theirs = base.model.peft(input_ids=ids, attention_mask=ones, position_ids=places).logits[:, -1]
        ours = base.model(input_ids=ids, attention_mask=ones, position_ids=places).logits[:, -1]
        wide = {"attention_mask": torch.cat([padding, ones], 1), "position_ids": torch.cat([padding, places], 1)}
        padded = base.model(input_ids=torch.cat([padding, ids], 1), **wide).logits[:, -1]
        bare = base.inner(input_ids=ids, attention_mask=ones, position_ids=places).logits[:, -1]
    likely = theirs > -30
    torch.testing.assert_close(ours[likely], theirs[likely], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(padded[likely], theirs[likely], rtol=1e-4, atol=1e-4)
    assert float((bare - theirs)[likely].abs().max()) > 1e-2


@pytest.mark.parametrize("make", ["llama", "pocket"])
def test_adapters_are_swapped_without_reading_the_base_again(
    make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levers.model import loaded, local
    from levers.model.contract import Ask

    recipes = [quick("lora", epochs=30, learning_rate=2e-2), quick("dora", epochs=20, learning_rate=2e-2)]
    first, second = (fit(str(bases[make]), pairs(6), (), recipe, tmp_path).adapter for recipe in recipes)
    asks = [Ask(messages=item.messages, max_tokens=6) for item in pairs(4)]
    apart = {
        adapter: local.LocalModel("hf/tiny", bases[make], adapter).answer(asks) for adapter in (None, first, second)
    }
    sure = {adapter: [reply.confidence for reply in replies] for adapter, replies in apart.items()}
    assert sure[first] != sure[None] != sure[second] != sure[first]
    loads: list[Path] = []
    read = loaded._load_weights
    monkeypatch.setattr(loaded, "_load_weights", lambda folder, adapter: loads.append(folder) or read(folder, adapter))
    model = local.LocalModel("hf/tiny", bases[make])
    untuned, ids = model.id, set()
    for adapter in (first, None, second, first, second, None):
        model.swap(adapter)
        replies = model.answer(asks)
        assert [reply.text for reply in replies] == [reply.text for reply in apart[adapter]]
        assert [reply.confidence for reply in replies] == pytest.approx(sure[adapter], rel=1e-4)
        ids.add(model.id)
    assert len(loads) == 1 and len(ids) == 3 and model.id == untuned
    with pytest.raises(ModelError, match="opened with an adapter"):
        local.LocalModel("hf/tiny", bases[make], first).swap(second)


def test_parts_of_a_batch_give_the_gradient_of_the_whole(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    whole = fit(str(bases["llama"]), pairs(8), (), quick("lora"), tmp_path)
    parts = fit(str(bases["llama"]), pairs(8), (), quick("lora", micro_batch=3), tmp_path)
    assert parts.adapter != whole.adapter
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4)


@pytest.mark.parametrize("make", ["llama", "qwen"])
@pytest.mark.parametrize("saving", [{"packing": True}, {"checkpointing": True}])
def test_packing_and_checkpointing_change_no_loss(
    saving: dict[str, bool], make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs
) -> None:
    plain = fit(str(bases[make]), pairs(8), pairs(3, skip=11), quick("lora"), tmp_path)
    saved = fit(str(bases[make]), pairs(8), pairs(3, skip=11), quick("lora", **saving), tmp_path)
    assert saved.adapter != plain.adapter
    assert saved.losses == pytest.approx(plain.losses, rel=1e-4)
    assert saved.dev_losses == pytest.approx(plain.dev_losses, rel=1e-4)


def test_layers_are_computed_anew_only_when_asked(bases: dict[str, Path], pairs: Pairs) -> None:
    from levers.tuning.base import open_base
    from levers.tuning.encode import Encoder
    from levers.tuning.loss import batch_loss

    calls = []
    for saving in (False, True):
        base = open_base(bases["llama"], quick("lora", checkpointing=saving))
        batch = [Encoder(base.tokenizer, base.end_tokens).encode(pairs(1)[0])]
        seen: list[int] = []
        base.inner.model.layers[0].self_attn.register_forward_pre_hook(lambda *_, seen=seen: seen.append(1))
        batch_loss(base, batch, False)[0].backward()  # type: ignore[no-untyped-call]
        calls.append(len(seen))
    assert calls == [1, 2]


def test_what_cannot_be_packed_or_computed_anew_says_so(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    for saving in ({"packing": True}, {"checkpointing": True}):
        with pytest.raises(ModelError) as told:
            fit(str(bases["pocket"]), pairs(4), (), quick("lora", **saving), tmp_path)
        assert told.value.hint


@pytest.mark.parametrize("make", ["llama", "qwen", "gpt2", "pocket"])
@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
def test_merged_weights_score_as_unmerged_ones(
    method: Method, make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs
) -> None:
    fitted = fit(str(bases[make]), pairs(8), (), quick(method), tmp_path)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        handed = hand_over(str(bases[make]), fitted.adapter, tmp_path / "out", pairs(4))
    assert handed.merged and handed.difference <= TOLERANCE
    assert {path.name for path in handed.folder.iterdir()} == {"adapter", "merged", "README.md", "Modelfile"}
    text = (handed.folder / "README.md").read_text()
    assert all(command in text for command in handed.commands)
    with pytest.raises(UserError, match="new or empty"):
        hand_over(str(bases[make]), fitted.adapter, tmp_path / "out")


def test_what_does_not_score_alike_leaves_the_folder_empty(
    bases: dict[str, Path], tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from levers.tuning import handover

    fitted, merge = fit(str(bases["llama"]), pairs(8), (), quick("lora"), tmp_path), handover._merge
    monkeypatch.setattr(handover, "_merge", lambda *given: merge(*given) + 1.0)
    with pytest.raises(ModelError, match="from unmerged ones"):
        hand_over(str(bases["llama"]), fitted.adapter, tmp_path / "out", pairs(4))
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.undo()
    assert hand_over(str(bases["llama"]), fitted.adapter, tmp_path / "out", pairs(4)).merged


def test_commands_fit_what_was_handed_over() -> None:
    settings = {"peft_type": "LORA", "base_model_name_or_path": "hf/acme/seven", "r": 16}
    first, *rest = serving_commands("llama", True, settings)
    assert first == "vllm serve acme/seven --enable-lora --max-lora-rank 16 --lora-modules tuned=./adapter"
    assert any(each.startswith("ollama create") for each in rest) and any("gguf" in each for each in rest)
    assert "only levers" in serving_commands("pocket", True, settings)[0]
    assert "PEFT only" in serving_commands("llama", False, {"peft_type": "PREFIX_TUNING"})[0]


def test_qlora_says_why_it_does_not_run_here(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ModelError, match="no CUDA device is here") as told:
        fit(str(bases["llama"]), pairs(4), (), quick("qlora"), tmp_path)
    assert "method lora" in told.value.hint


def test_each_method_starts_from_its_own_rate() -> None:
    assert recipe_for("hf/some").learning_rate == 2e-4
    assert recipe_for("pocket").learning_rate == recipe_for("pocket", "dora").learning_rate == 5e-4
    assert recipe_for("hf/some", "full").learning_rate == 2e-5
    assert recipe_for("pocket", "prefix").learning_rate == recipe_for("hf/some", "prefix").learning_rate == 1e-2


@pytest.mark.parametrize(("examples", "epochs"), [(0, 2), (1, 5), (180, 5), (400, 3), (445, 2), (10_000, 2)])
def test_pocket_sees_few_examples_more_often(examples: int, epochs: int) -> None:
    assert recipe_for("pocket", examples=examples).epochs == epochs
    assert recipe_for("hf/some", examples=examples).epochs == 3
