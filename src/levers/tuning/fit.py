"""Fit an adapter: the room's door. Loads nothing heavy until `fit` or `measure_lengths` is called."""

import json
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levers.errors import MissingExtra, Problem, UserError
from levers.ledger import digest, write_atomic
from levers.model.pocket import weights_path
from levers.model.weights import configured_window, folder_digest, model_folder
from levers.tuning.encode import Encoded, Encoder
from levers.tuning.guards import Finding
from levers.tuning.records import Fitted, Method, OnProgress, Recipe, Sample, data_digest

if TYPE_CHECKING:
    from levers.tuning.base import Base
    from levers.tuning.checkpoint import State

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "levers.json")
MODEL_FILES = ("config.json", "model.safetensors", "levers.json")
# Wall times differ from run to run; kept out of levers.json, so that a rerun's folder has the same digest.
_TIMING = "timing.log"
RECIPE = "recipe.yaml"
# Part of every adapter's name: raise it when a change to the training changes weights, so that nothing old is reused.
_TRAINING = 4


def recipe_for(base: str, method: Method = "lora", examples: int = 0) -> Recipe:
    """Return the recipe to start from: the field's usual rate for the method; for the embedded model what suits it.

    `examples` is how many there are to learn from, 0 where that is not known yet: few of them `pocket` sees more often.
    """
    if base == "pocket" and method in {"lora", "rslora", "dora"}:
        seen = math.ceil(POCKET_STEPS * Recipe().batch_size / examples) if examples else POCKET_EPOCHS[0]
        epochs = min(max(seen, POCKET_EPOCHS[0]), POCKET_EPOCHS[1])
        return Recipe(method=method, learning_rate=POCKET_RATE, epochs=epochs)
    return Recipe(method=method, learning_rate=RATES.get(method, Recipe().learning_rate))


# Measured on the dev cases of `support` (docs/lab/pocket.md): higher rates learn the examples by heart, and so does a
# third epoch of 445 examples; 180 of a house format want five.
POCKET_RATE, POCKET_STEPS, POCKET_EPOCHS = 5e-4, 110, (2, 5)
# Where all weights move, small steps (Touvron et al. 2023 tune Llama 2 at 2e-5); where only fresh vectors do, large
# ones (PEFT's own examples of prefix and prompt tuning).
RATES: dict[Method, float] = {"full": 2e-5, "prefix": 1e-2, "prompt": 3e-2}


def fit(
    base: str,
    samples: Sequence[Sample],
    dev_samples: Sequence[Sample],
    recipe: Recipe,
    folder: Path,
    on_progress: OnProgress | None = None,
    root: Path | None = None,
) -> Fitted:
    """Tune a model on samples and return the finished adapter, in PEFT's own layout.

    The adapter's folder, under `folder`, is named by base weights, samples and recipe: the same job again returns the
    same folder at once. A killed run goes on from its last checkpoint; the finished folder appears in one step.

    Args:
        base: `pocket`, `hf/<folder or hub id>`, or a folder in the Hugging Face layout.
        samples: the pairs to learn, each prompt as it will be served.
        dev_samples: pairs that decide which epoch is kept, by how many of their tokens are right; may be empty.
        recipe: how to tune.
        folder: where adapters are kept.
        on_progress: called after every step.
        root: the folder that a relative base starts from.

    Raises:
        UserError: no sample fits the window, or the losses grow beyond all numbers.
        ModelError: the base cannot be loaded, or no adapter fits it.
        MissingExtra: torch, transformers or peft is not installed.
    """
    source = base_folder(base, root)
    names = [folder_digest(source), data_digest(tuple(samples), tuple(dev_samples))]
    name = f"{recipe.method}-{digest([*names, recipe, _TRAINING]).removeprefix('sha256-')}"
    finished = folder / name
    if _is_whole(finished):
        return _read(finished)
    opened = _open(source, recipe)
    kept, left_out = _encode(opened, samples, recipe)
    if not kept:
        raise UserError(_nothing_fits(base, samples, recipe, opened.window))
    if recipe.soft:
        kept = _softened(kept, samples, left_out, folder / recipe.taught)
    dev, _ = _encode(opened, dev_samples, recipe)
    work = folder / f".{name}.work"
    state, weights = _train(opened, kept, dev, recipe, work, on_progress)
    trainable, total = opened.sizes()
    fitted = Fitted(
        adapter=finished,
        base=_public_name(base),
        base_digest=names[0],
        data_digest=names[1],
        recipe=recipe,
        losses=tuple(state.losses),
        dev_losses=tuple(state.dev_losses),
        dev_right=tuple(state.dev_right),
        best_epoch=state.best_epoch,
        examples=len(kept),
        left_out=tuple(left_out),
        steps=state.step,
        tokens=state.tokens,
        answer_tokens=state.answer_tokens,
        seconds=round(state.seconds, 3),
        trainable_parameters=trainable,
        total_parameters=total,
        precision=opened.precision,
    )
    _publish(opened, weights, fitted, work)
    return fitted


def measure_lengths(base: str, samples: Sequence[Sample], recipe: Recipe) -> list[Finding]:
    """Find samples whose prompt and answer exceed the window, reading the base's tokenizer and configuration only."""
    source = base_folder(base)
    try:
        from levers.tuning.base import open_tokenizer
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    tokenizer = open_tokenizer(source)
    encoder = Encoder(tokenizer, () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,))
    limit = _limit(recipe, _configured_window(source, recipe))
    lengths = [(sample.line, encoder.encode(sample).length) for sample in samples]
    return [
        Finding(kind="too long", line=line, detail=f"{length} tokens, {limit} fit")
        for line, length in lengths
        if length > limit
    ]


def window_of(base: str, recipe: Recipe, root: Path | None = None) -> int:
    """Return the most tokens of prompt and answer that a tuning of this base takes. Raises ModelError: no such base."""
    return _limit(recipe, _configured_window(base_folder(base, root), recipe))


def base_folder(base: str, root: Path | None = None) -> Path:
    """Return the folder of a model reference; relative ones start from `root` first.

    Raises:
        ModelError: there is none.
    """
    return weights_path() if base == "pocket" else model_folder(base.removeprefix("hf/"), root)


def _open(source: Path, recipe: Recipe) -> "Base":
    try:
        from levers.tuning.base import open_base
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    import torch

    with torch.random.fork_rng():
        return open_base(source, recipe)


def _train(
    opened: "Base",
    kept: list[Encoded],
    dev: list[Encoded],
    recipe: Recipe,
    work: Path,
    on_progress: OnProgress | None,
) -> tuple["State", dict[str, Any]]:
    import torch

    from levers.tuning.train import Job, train

    with torch.random.fork_rng():
        return train(Job(opened, kept, dev, recipe, work / "checkpoint.safetensors"), on_progress)


def _encode(opened: "Base", samples: Sequence[Sample], recipe: Recipe) -> tuple[list[Encoded], list[int]]:
    """Encode samples; those beyond the window are left out, never cut, and their lines returned."""
    encoder = Encoder(opened.tokenizer, opened.end_tokens)
    limit = _limit(recipe, opened.window)
    kept, left_out = [], []
    for sample in samples:
        encoded = encoder.encode(sample)
        if encoded.length > limit:
            left_out.append(sample.line)
        else:
            kept.append(encoded)
    return kept, left_out


def _softened(kept: Sequence[Encoded], samples: Sequence[Sample], left_out: Sequence[int], path: Path) -> list[Encoded]:
    """Put what a teacher holds of each answer beside it."""
    from levers.tuning.soft import check_tokens, read_soft

    skipped = set(left_out)
    found = [one for one, each in zip(read_soft(path, len(samples)), samples, strict=True) if each.line not in skipped]
    lines = [each.line for each in samples if each.line not in skipped]
    for item, soft, line in zip(kept, found, lines, strict=True):
        check_tokens(soft, item.answer, line)
    return [replace(item, soft=soft) for item, soft in zip(kept, found, strict=True)]


def _limit(recipe: Recipe, window: int | None) -> int:
    return recipe.max_length if window is None else min(recipe.max_length, window)


def _configured_window(source: Path, recipe: Recipe) -> int | None:
    window = configured_window(source)
    taken = recipe.virtual_tokens if recipe.method in {"prefix", "prompt"} else 0
    return None if window is None else window - taken


def _nothing_fits(base: str, samples: Sequence[Sample], recipe: Recipe, window: int | None) -> Problem:
    if not samples:
        return Problem(file="examples", found="no examples", expected="at least one", hint="bring reviewed examples")
    limit = _limit(recipe, window)
    return Problem(
        file="examples",
        found=f"{len(samples)} examples, all longer than {limit} tokens",
        expected=f"prompts and answers that {_public_name(base)} can read",
        hint="shorten the prompts: fewer passages, shorter instructions",
    )


def _public_name(base: str) -> str:
    """Name a base without the place of its folder on this machine."""
    name = base.removeprefix("hf/")
    return f"hf/{Path(name).name}" if Path(name).expanduser().is_dir() else base


def _publish(opened: "Base", weights: dict[str, Any], fitted: Fitted, work: Path) -> None:
    """Write the adapter's folder beside its place, then move it there in one step."""
    building = work / "adapter"
    shutil.rmtree(building, ignore_errors=True)
    _write_adapter(opened, weights, building, fitted.base)
    timing = {"seconds": fitted.seconds}
    record = fitted.model_dump(mode="json", exclude={"adapter", "seconds"})
    write_atomic(building / RECIPE, recipe_text(fitted.recipe))
    write_atomic(building / _TIMING, json.dumps(timing) + "\n")
    write_atomic(building / "levers.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    try:
        os.rename(building, fitted.adapter)
    except OSError:
        if not _is_whole(fitted.adapter):  # else another process finished the same job first
            shutil.rmtree(fitted.adapter, ignore_errors=True)
            os.rename(building, fitted.adapter)
    shutil.rmtree(work, ignore_errors=True)


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe as YAML: every value, and behind it where its default comes from."""
    lines = []
    for name, said in recipe.explain().items():
        value = getattr(recipe, name)
        lines.append(f"{name}: {json.dumps(value)}  # {said.removeprefix(f'{value}: ')}\n")
    return "".join(lines)


def _write_adapter(opened: "Base", weights: dict[str, Any], building: Path, base: str) -> None:
    for name, weight in opened.adapter().items():
        weight.data.copy_(weights[name])
    opened.save(building)
    (building / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    path = building / "adapter_config.json"
    if not path.exists():  # a whole model, which names no base
        return
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base
    # PEFT writes sets in whatever order they come; the folder's digest must not depend on it.
    for key, value in settings.items():
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            settings[key] = sorted(value)
    write_atomic(path, json.dumps(settings, indent=2, sort_keys=True) + "\n")


def _is_whole(adapter: Path) -> bool:
    return any(all((adapter / name).is_file() for name in names) for names in (ADAPTER_FILES, MODEL_FILES))


def _read(adapter: Path) -> Fitted:
    record = json.loads((adapter / "levers.json").read_text(encoding="utf-8"))
    try:
        seconds = float(json.loads((adapter / _TIMING).read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        seconds = 0.0
    return Fitted(adapter=adapter, seconds=seconds, **record)
