"""What a tuning run is told, and what it hands back."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field

from levers.ledger import Message, Record, digest


class Sample(Record):
    """One pair to tune on: the prompt as it will be served, and the answer wanted. `line` is where it was read."""

    messages: tuple[Message, ...] = Field(min_length=1)
    answer: str
    line: int = 0

    @property
    def question(self) -> str:
        """The last turn of the prompt."""
        return self.messages[-1].content


Method = Literal["lora", "rslora", "dora", "qlora", "full", "prefix", "prompt"]
METHODS: dict[Method, str] = {
    "lora": "low-rank update of every linear layer (Hu et al. 2021)",
    "rslora": "LoRA scaled by alpha/sqrt(r), steadier at high ranks (Kalajdzievski 2023)",
    "dora": "LoRA on the direction of each column, its length learnt apart (Liu et al. 2024)",
    "qlora": "LoRA over frozen weights in 4 bits, NF4 (Dettmers et al. 2023); needs CUDA and bitsandbytes",
    "full": "every weight; 16 bytes a weight with Adam, and the most forgetting",
    "prefix": "learned keys and values before every layer's own (Li and Liang 2021)",
    "prompt": "learned vectors before the text (Lester et al. 2021)",
}


class Recipe(Record):
    """How to tune. Every default names its source; `explain` returns the sources."""

    method: Method = Field(default="lora", description="LoRA, W + (alpha/r) B A (Hu et al. 2021); see METHODS")
    r: int = Field(default=16, ge=1, description="rank of the update; the field's usual start (S0, S1)")
    alpha: int = Field(default=32, ge=1, description="scale of the update, twice the rank; the field's usual start")
    learning_rate: float = Field(default=2e-4, gt=0, description="peak of the schedule; the usual start from 1B up")
    epochs: int = Field(default=3, ge=1, description="passes over the examples; the field's usual start")
    batch_size: int = Field(
        default=8, ge=1, description="examples per step; a few hundred examples still give many steps"
    )
    max_length: int = Field(
        default=2048, ge=16, description="most tokens of prompt and answer; the model's window binds too"
    )
    target_modules: str | tuple[str, ...] = Field(
        default="all-linear",
        description="every linear layer but the output (Dettmers et al. 2023 found all layers needed)",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="on the adapter's input; off, as short runs rarely need it"
    )
    weight_decay: float = Field(
        default=0.0, ge=0, description="AdamW's decay; the adapter's low rank already restrains it"
    )
    warmup: float = Field(
        default=0.06, ge=0, lt=1, description="share of steps with rising rate, then linear decay to 0"
    )
    max_grad_norm: float = Field(default=1.0, gt=0, description="gradients are clipped to this norm; common practice")
    patience: int | None = Field(
        default=2, ge=1, description="stop after this many epochs that are no better on dev; None runs all epochs"
    )
    seed: int = Field(default=0, description="decides the adapter's start, the order of examples and dropout")
    virtual_tokens: int = Field(
        default=20,
        ge=1,
        description="learned positions of prefix and prompt tuning; Lester et al. 2021 gain little beyond 20",
        exclude_if=lambda value: value == 20,
    )
    micro_batch: int | None = Field(
        default=None,
        ge=1,
        description="examples computed at once where memory is short, None: the whole batch; the gradient is the same",
        exclude_if=lambda value: value is None,
    )

    checkpointing: bool = Field(
        default=False,
        description="compute layers anew on the way back where memory is short (Chen et al. 2016); the gradient is the "
        "same, a step takes about a third longer",
        exclude_if=lambda value: value is False,
    )
    packing: bool = Field(
        default=False,
        description="a batch as one row without padding, each example seeing itself alone; worth it on a GPU whose "
        "attention skips what is masked, batches sorted by length pad little anyway",
        exclude_if=lambda value: value is False,
    )

    soft: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="weight of a local teacher's probabilities beside its answers (Hinton et al. 2015)",
        exclude_if=lambda value: value == 0,
    )
    lora_plus: float = Field(
        default=1.0,
        ge=1,
        description="rate of B over that of A (LoRA+, Hayou et al. 2024, who find 16 at a lower rate); 1 is plain LoRA",
        exclude_if=lambda value: value == 1,
    )
    taught: str = Field(
        default="",
        description="the file beside the adapter with the teacher's probabilities, as `soften` names it",
        exclude_if=lambda value: not value,
    )

    @property
    def low_rank(self) -> bool:
        """Tell whether the method learns a low-rank update that can be merged into the weights."""
        return self.method in {"lora", "rslora", "dora", "qlora"}

    def explain(self) -> dict[str, str]:
        """Return, per field, its value and where its default comes from; what is no default says so."""
        fields = type(self).model_fields
        return {name: f"{getattr(self, name)}: {self._source(name)}" for name in fields}

    def _source(self, name: str) -> str:
        field = type(self).model_fields[name]
        if getattr(self, name) == field.default:
            return str(field.description)
        return f"set for this model, method or run, from {field.default}: {field.description}"


class Progress(Record):
    """Where a run stands: after step `step` of at most `steps`. Losses are nats per answer token."""

    step: int
    steps: int
    epoch: int
    loss: float
    dev_loss: float | None = None
    tokens: int = 0
    seconds: float = 0.0


OnProgress = Callable[[Progress], None]


class Fitted(Record):
    """A finished adapter and how it came about.

    `losses` is the mean training loss of each epoch; `dev_losses` starts with the untuned model's, then one per epoch
    (empty without dev samples), and so does `dev_right`, the share of answer tokens that are the likeliest where they
    stand. The adapter is that of `best_epoch` (counted from 1): most dev tokens right, then the lowest loss; without
    dev samples the last.
    `tokens` counts prompt and answer tokens of all steps, `seconds` the wall time of training.
    """

    adapter: Path
    base: str
    base_digest: str
    data_digest: str
    recipe: Recipe
    losses: tuple[float, ...]
    dev_losses: tuple[float, ...] = ()
    dev_right: tuple[float, ...] = ()
    best_epoch: int
    examples: int
    left_out: tuple[int, ...] = Field(default=(), description="lines of samples longer than the window")
    steps: int
    tokens: int
    answer_tokens: int
    seconds: float
    trainable_parameters: int
    total_parameters: int
    precision: str


def data_digest(samples: tuple[Sample, ...], dev_samples: tuple[Sample, ...]) -> str:
    """Name the material by its content; line numbers do not count."""
    sides = [[sample.model_dump(exclude={"line"}) for sample in side] for side in (samples, dev_samples)]
    return digest(sides)
