"""What sharpening is told, and what it hands back."""

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from levers.ledger import Record

OnStep = Callable[[int, int], None]


class Pair(Record):
    """A question and the places of the passages that answer it.

    `alike` are places of near-duplicates of those: neither right nor wrong. `line` is where the pair was read.
    """

    question: str
    passages: tuple[int, ...] = Field(min_length=1)
    alike: tuple[int, ...] = ()
    line: int = 0


class SharpenRecipe(Record):
    """How to sharpen; docs/lab/sharpen.md says what was tried."""

    learning_rate: float = Field(default=5e-5, gt=0, description="peak of the schedule")
    epochs: int = Field(default=3, ge=1, description="passes over the pairs")
    batch_size: int = Field(default=32, ge=1, description="pairs per step")
    temperature: float = Field(default=0.05, gt=0, description="similarities are divided by it in the loss")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of steps with rising rate, then linear decay")
    weight_decay: float = Field(default=0.01, ge=0, description="AdamW's decay")
    max_grad_norm: float = Field(default=1.0, gt=0, description="gradients are clipped to this norm")
    seed: int = Field(default=0, description="decides the order of the pairs")


class HeldOut(Record):
    """How well held-out questions find their passages: recall@1, mean reciprocal rank, mean loss in nats."""

    recall: float
    rank: float
    loss: float


class Sharpened(Record):
    """What came out: the embedder's folder, and the held-out figures, the untuned embedder's first.

    `best_epoch` counts from 1; 0 says that no epoch was better than none, and then the folder holds no weights.
    """

    embedder: Path
    base: str
    pairs: int
    held_out: tuple[HeldOut, ...]
    best_epoch: int
    recipe: SharpenRecipe


class Material(Record):
    """What to sharpen on: pairs to learn, and pairs that decide which epoch is kept."""

    learn: tuple[Pair, ...] = Field(min_length=1)
    decide: tuple[Pair, ...] = Field(min_length=1)
