"""The contrastive loop behind sharpen: questions learn, passages stand still. Imports torch.

The loss is InfoNCE (van den Oord, Li and Vinyals 2018) with every passage of the index as a negative, where the usual
in-batch form (MultipleNegativesRanking) has the passages of the batch and a few mined ones: as passage vectors are
frozen, all of them cost one matrix product, and the hardest negatives are always among them.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from levers.model.embed import load_encoder, mean_over_tokens
from levers.tuning.pairs import HeldOut, Material, OnStep, Pair, SharpenRecipe
from levers.tuning.train import rate_share

_FROZEN = ("embeddings.", "pooler.")  # word vectors of the questions' own words stay general; no pooler is used


def contrast(
    source: Path, material: Material, vectors: NDArray[np.float32], recipe: SharpenRecipe, on_step: OnStep | None
) -> tuple[bytes | None, tuple[HeldOut, ...], int]:
    """Train, and return the weights to keep as safetensors (None where no epoch helped), held-out figures, best epoch.

    An epoch is kept for the best mean reciprocal rank, ties for the lower loss. No dropout and a seeded order: the same
    job gives the same weights on the same machine.
    """
    run = _Run(source, vectors, recipe)
    held_out, best, kept = [run.look(material.decide)], 0, None
    batches = -(-len(material.learn) // recipe.batch_size)
    steps = batches * recipe.epochs
    for epoch in range(recipe.epochs):
        order = list(material.learn)
        random.Random(f"{recipe.seed}/{epoch}").shuffle(order)
        for batch in range(batches):
            step = epoch * batches + batch
            run.step(order[batch::batches], rate_share(step, steps, recipe.warmup))
            if on_step:
                on_step(step + 1, steps)
        held_out.append(run.look(material.decide))
        if (held_out[-1].rank, -held_out[-1].loss) > (held_out[best].rank, -held_out[best].loss):
            best, kept = epoch + 1, run.weights()
    better = best and held_out[best].rank > held_out[0].rank
    return (kept, tuple(held_out), best) if better else (None, tuple(held_out), 0)


class _Run:
    """A model in training, before vectors that do not change."""

    def __init__(self, source: Path, vectors: NDArray[np.float32], recipe: SharpenRecipe) -> None:
        self.tokenizer, self.model = load_encoder(source)
        self.recipe = recipe
        self.vectors = torch.from_numpy(np.array(vectors, dtype=np.float32))
        for name, weight in self.model.named_parameters():
            weight.requires_grad_(not name.startswith(_FROZEN))
        self.learning = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(self.learning, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    def step(self, pairs: Sequence[Pair], share: float) -> None:
        """Learn from a batch, at a share of the peak rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * share
        self._losses(pairs, self._similar(pairs)).mean().backward()  # type: ignore[no-untyped-call,unused-ignore]
        torch.nn.utils.clip_grad_norm_(self.learning, self.recipe.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def look(self, pairs: Sequence[Pair]) -> HeldOut:
        """Rank all passages for held-out questions."""
        losses, ranks = [], []
        ordered = sorted(pairs, key=lambda pair: len(pair.question))
        with torch.inference_mode():
            for start in range(0, len(ordered), self.recipe.batch_size):
                part = ordered[start : start + self.recipe.batch_size]
                similar = self._similar(part)
                losses += self._losses(part, similar).tolist()
                ranks += [_rank(row, pair) for row, pair in zip(similar, part, strict=True)]
        found = np.array(ranks, dtype=np.float64)
        return HeldOut(
            recall=round(float((found == 1).mean()), 6),
            rank=round(float((1 / found).mean()), 6),
            loss=round(float(np.mean(losses)), 6),
        )

    def weights(self) -> bytes:
        """Return the model as it is now, as a safetensors file."""
        tensors: dict[str, Any] = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        return save(tensors, metadata={"format": "pt"})

    def _similar(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """Return similarities [pairs, passages]; near-duplicates of the evidence count as infinitely far."""
        questions = mean_over_tokens(self.tokenizer, self.model, [pair.question for pair in pairs])
        aside = torch.zeros(len(pairs), len(self.vectors), dtype=torch.bool)
        for row, pair in enumerate(pairs):
            aside[row, list(pair.alike)] = True
        return (questions @ self.vectors.T).masked_fill(aside, -torch.inf)

    def _losses(self, pairs: Sequence[Pair], similar: torch.Tensor) -> torch.Tensor:
        """Return -log of the share that the right passages have in the softmax over all, one number for each pair."""
        right = torch.full_like(similar, -torch.inf)
        for row, pair in enumerate(pairs):
            right[row, list(pair.passages)] = 0.0
        scaled = similar / self.recipe.temperature
        return torch.logsumexp(scaled, 1) - torch.logsumexp(scaled + right, 1)


def _rank(similar: torch.Tensor, pair: Pair) -> int:
    """Return the rank, from 1, of the best right passage."""
    return int((similar > similar[list(pair.passages)].max()).sum()) + 1
