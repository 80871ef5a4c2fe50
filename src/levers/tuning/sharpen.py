"""Sharpen an embedder: the door. Tunes how questions are embedded; loads nothing heavy until it has to train."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from levers.errors import MissingExtra
from levers.ledger import digest, write_atomic
from levers.model.weights import file_digest
from levers.tuning.pairs import Material, OnStep, Pair, Sharpened, SharpenRecipe

RECORD = "levers.json"
# Part of every embedder's name: raise it when a change to the training changes weights, so that nothing old is reused.
_TRAINING = 1


def sharpen(
    base: str,
    material: Material,
    vectors: NDArray[np.float32],
    recipe: SharpenRecipe,
    folder: Path,
    on_step: OnStep | None = None,
) -> Sharpened:
    """Tune a copy of an embedder on questions, against passage vectors that stay as they are.

    The copy lies under `folder` in the Hugging Face layout, named by base, pairs, vectors and recipe: the same job
    again returns the same folder at once. The folder appears in one step; a killed run starts again.

    Args:
        base: `minilm`, or a folder in the Hugging Face layout whose vectors are means over tokens, as minilm's are.
        material: the pairs.
        vectors: unit vectors of all passages by that embedder, shape (passages, dimension).
        recipe: how to tune.
        folder: where sharpened embedders are kept.
        on_step: told (steps done, steps in all).

    Raises:
        MissingExtra: torch, transformers or the package with the weights is not installed.
        ModelError: the base cannot be loaded.
    """
    source = _source(base)
    name = f"{'minilm' if base == 'minilm' else source.name}@sha256-{file_digest(source / 'model.safetensors')[:16]}"
    seen = hashlib.sha256(np.ascontiguousarray(vectors, dtype="<f4").tobytes()).hexdigest()
    sides = [[pair.model_dump(exclude={"line"}) for pair in side] for side in (material.learn, material.decide)]
    target = folder / f"query-{digest([name, sides, seen, recipe, _TRAINING]).removeprefix('sha256-')}"
    if (target / RECORD).is_file():
        return Sharpened(embedder=target, **json.loads((target / RECORD).read_text(encoding="utf-8")))
    from levers.tuning.contrast import contrast

    weights, held_out, best = contrast(source, material, vectors, recipe, on_step)
    done = Sharpened(
        embedder=target, base=name, pairs=len(material.learn), held_out=held_out, best_epoch=best, recipe=recipe
    )
    _publish(done, source, weights)
    return done


def split(pairs: Sequence[Pair], one_in: int = 10) -> Material:
    """Hold every tenth pair out."""
    return Material(
        learn=tuple(pair for place, pair in enumerate(pairs) if place % one_in), decide=tuple(pairs[::one_in])
    )


def _source(base: str) -> Path:
    try:
        from levers.model.embed import minilm_folder
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    return minilm_folder() if base == "minilm" else Path(base)


def _publish(done: Sharpened, source: Path, weights: bytes | None) -> None:
    """Write the folder beside its place, then move it there in one step."""
    work = done.embedder.with_name(f".{done.embedder.name}.{os.getpid()}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        if weights is not None:
            # Everything beside the weights is the base's own: tokenizer, configuration, pooling.
            skipped = shutil.ignore_patterns("*.safetensors", "*.bin", "README.md", ".git*")
            shutil.copytree(source, work, dirs_exist_ok=True, ignore=skipped)
            write_atomic(work / "model.safetensors", weights)
        record = done.model_dump(mode="json", exclude={"embedder"})
        write_atomic(work / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        try:
            os.rename(work, done.embedder)
        except OSError:
            if not (done.embedder / RECORD).is_file():  # else another process finished the same job first
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
