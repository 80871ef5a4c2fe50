"""Memory that training and serving take, from a model's shape: weights, adapters, optimizer, activations, cache.

What a training step keeps was counted from the tensors that PyTorch saves for the backward pass of a Llama-like block
with flash attention (Hugging Face's implementation; adapters by PEFT in float32), and agrees with measured peaks; see
`benchmarks/memory.py`. Checkpointing: Chen et al. 2016. LoRA: Hu et al. 2021. NF4 and double quantisation: Dettmers
et al. 2023 (QLoRA). Prefix tuning: Li and Liang 2021. Prompt tuning: Lester et al. 2021.
"""

from typing import Literal

from pydantic import Field, model_validator

from levers.economics.shapes import Shape
from levers.ledger import Record

Method = Literal["full", "lora", "qlora", "prefix", "prompt"]
METHODS: tuple[Method, ...] = ("full", "lora", "qlora", "prefix", "prompt")
Precision = Literal["float32", "bfloat16", "mixed"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "mixed")
Optimizer = Literal["adam", "adam8bit", "sgd"]
OPTIMIZERS: tuple[Optimizer, ...] = ("adam", "adam8bit", "sgd")

GB = 10**9
FULL = 4  # bytes of a float32, in which adapters, norms, losses and Adam's moments are kept
HALF = 2
NF4 = 0.5  # bytes a weight
NF4_BLOCK, NF4_SUPERBLOCK = 64, 256
# One 8-bit constant for 64 weights, and one float32 for 256 such constants: 0.127 bits a weight (QLoRA, section 3).
NF4_CONSTANTS = 1 / NF4_BLOCK + FULL / (NF4_BLOCK * NF4_SUPERBLOCK)
ALL_LINEARS = ("q", "k", "v", "o", "gate", "up", "down")


class Training(Record):
    """How a model is trained. `mixed` keeps float32 weights beside 16-bit work: 16 bytes a weight with Adam.

    Mixed precision is for full tuning. `targets` are the linear layers with a low-rank pair; `virtual_tokens` is for
    prefix and prompt tuning. Tokens are counted per example; `batch` examples are in memory at once.
    """

    method: Method = "lora"
    batch: int = Field(default=1, gt=0)
    tokens: int = Field(default=512, gt=0)
    precision: Precision = "bfloat16"
    optimizer: Optimizer = "adam"
    checkpointing: bool = False
    rank: int = Field(default=16, gt=0)
    targets: tuple[str, ...] = ALL_LINEARS
    virtual_tokens: int = Field(default=32, gt=0)

    @model_validator(mode="after")
    def _possible(self) -> "Training":
        if self.precision == "mixed" and self.method != "full":
            raise ValueError(f"mixed precision is for full tuning; {self.method} keeps its adapter in float32 anyway")
        unknown = sorted(set(self.targets) - set(ALL_LINEARS))
        if unknown or not self.targets:
            raise ValueError(f"targets are some of {', '.join(ALL_LINEARS)}; found {', '.join(unknown) or 'none'}")
        return self


class Part(Record):
    """One part of the memory in bytes, and how it comes about."""

    name: str
    bytes: float
    why: str


class Memory(Record):
    """Estimated peak in bytes and the parts it is the sum of; `trainable` counts the weights that learn."""

    peak: float
    parts: tuple[Part, ...]
    parameters: int
    trainable: int

    def fits(self, card: float, overhead: float = 0.0) -> bool:
        """Tell whether the peak and an overhead fit a card of so many bytes."""
        return self.peak + overhead <= card


def training_memory(shape: Shape, how: Training) -> Memory:
    """Return the peak of a training step, the second or a later one, when the optimizer has its states."""
    trainable = trainable_weights(shape, how)
    weights, constants = _base(shape, how)
    learning = FULL if how.method != "full" or how.precision != "bfloat16" else HALF
    own = 0.0 if how.method == "full" else float(trainable * learning)
    states = trainable * {"adam": 2.0 * learning, "adam8bit": 2.0, "sgd": 0.0}[how.optimizer]
    grads = float(trainable * learning)
    kept, working = activations(shape, how)
    kept += _copies(shape, how)
    head = float(shape.vocabulary * shape.hidden * learning) if how.method == "full" else 0.0
    # Two moments can be the peak: the loss, all activations kept and no gradient yet; or the end of the backward pass,
    # with every gradient and one block's activations. In between one grows as the other shrinks.
    loss = 3.0 * how.batch * _length(how) * shape.vocabulary * FULL
    block = 0.0 if not how.checkpointing else working
    moments = ((0.0, kept, loss), (head, kept + block, 0.0), (grads, working, 0.0))
    held, active, logits = max(moments, key=sum)
    parts = (
        Part(name="weights", bytes=weights, why=_weights_why(how)),
        Part(name="quantisation constants", bytes=constants, why="8 bits for 64 weights, 32 for 256 of those"),
        Part(name="adapter", bytes=own, why=f"{trainable:,} weights in float32"),
        Part(name="optimizer", bytes=states, why=f"{how.optimizer}: {_states_why(how, learning)}"),
        Part(name="gradients", bytes=held, why="those held at the peak"),
        Part(name="activations", bytes=active, why="kept for the backward pass at the peak"),
        Part(name="logits and loss", bytes=logits, why="log-probabilities, their gradient and the loss's, in float32"),
    )
    present = tuple(part for part in parts if part.bytes)
    peak = sum(part.bytes for part in present)
    return Memory(peak=peak, parts=present, parameters=shape.parameters, trainable=trainable)


def serving_memory(
    shape: Shape,
    batch: int,
    tokens: int,
    weight_bytes: float = HALF,
    cache_bytes: float = HALF,
    prefill: int | None = None,
) -> Memory:
    """Return the peak of answering: weights, the keys and values of `batch` sequences of `tokens`, and a working set.

    `weight_bytes` is 4, 2, 1 or 0.5 (four bits, constants added); `prefill` is how many tokens are read at once, over
    all sequences: all of them unless the server reads prompts in pieces.
    """
    linear = shape.layers * shape.block_weights
    quantised = weight_bytes < 1
    rest = (shape.parameters - linear) * (HALF if quantised else weight_bytes)
    weights = linear * weight_bytes + rest
    constants = linear * NF4_CONSTANTS if quantised else 0.0
    cache = kv_cache(shape, batch, tokens, cache_bytes)
    at_once = min(prefill or batch * tokens, batch * tokens)
    # Embeddings, residual stream and normed copy stand beside the widest moment of the MLP (gate, up, their product,
    # and the sum) or of attention (queries, keys with and without their rotation, values).
    widest = max(4 * shape.hidden + 3 * shape.inner, 3 * shape.hidden + 2 * shape.query + 3 * shape.kv)
    working = at_once * widest * (FULL if weight_bytes == FULL else HALF)
    parts = (
        Part(name="weights", bytes=weights, why=f"{weight_bytes:g} bytes a weight"),
        Part(name="quantisation constants", bytes=constants, why="8 bits for 64 weights, 32 for 256 of those"),
        Part(
            name="KV cache", bytes=cache, why=f"keys and values of {batch} x {tokens:,} tokens in {shape.layers} layers"
        ),
        Part(name="working set", bytes=working, why=f"one block's work while {at_once:,} tokens are read at once"),
        Part(name="logits", bytes=float(batch * shape.vocabulary * FULL), why="of each sequence's last token, float32"),
    )
    present = tuple(part for part in parts if part.bytes)
    return Memory(peak=sum(part.bytes for part in present), parts=present, parameters=shape.parameters, trainable=0)


def kv_cache(shape: Shape, batch: int, tokens: int, cache_bytes: float = HALF) -> float:
    """Return the bytes of the KV cache: 2 x layers x KV heads x head size x bytes, for every token."""
    return 2.0 * shape.layers * shape.kv * cache_bytes * batch * tokens


def trainable_weights(shape: Shape, how: Training) -> int:
    """Return how many weights learn: all, r x (in + out) per low-rank pair, or the virtual tokens' numbers."""
    if how.method == "full":
        return shape.parameters
    if how.method == "prompt":
        return how.virtual_tokens * shape.hidden
    if how.method == "prefix":  # keys and values of every layer for every virtual token
        return how.virtual_tokens * shape.layers * 2 * shape.kv
    pairs = (shape.linears[name] for name in how.targets)
    return shape.layers * how.rank * sum(wide + high for wide, high in pairs)


def activations(shape: Shape, how: Training) -> tuple[float, float]:
    """Return the bytes kept for the backward pass over all blocks, and the working set of one block.

    With checkpointing only each block's input is kept, and one block at a time is computed again.
    """
    size = FULL if how.precision == "float32" else HALF
    stream = HALF if how.precision == "bfloat16" else FULL  # of the residual stream and the norms' products
    tokens = how.batch * _length(how)
    block = _block(shape, how, size) * tokens
    # The last norm keeps its input in float32; if all weights learn, its product and the head's input as well.
    last = tokens * shape.hidden * (FULL + (stream + size if how.method == "full" else 0))
    # While a block goes back, the gradients of its widest tensors stand beside what it kept.
    going_back = tokens * size * (3 * shape.inner + 2 * shape.hidden)
    if how.method == "qlora":  # one matrix at a time is put back into 16 bits
        going_back += HALF * max(wide * high for wide, high in shape.linears.values())
    if how.checkpointing:
        return float(shape.layers * tokens * shape.hidden * stream + last), float(block + going_back)
    unkept = 0 if how.method in {"full", "prompt"} else tokens * shape.hidden * FULL
    return shape.layers * block + last - unkept, float(going_back)


def _block(shape: Shape, how: Training, size: int) -> float:
    """Return the bytes that one block keeps per token.

    Both norms keep their input in float32. Attention keeps queries, keys, values and its output, the gated MLP the
    gate, its activation and the other half. A linear layer whose weights learn keeps its input; one with a low-rank
    pair keeps it in the pair's float32 (once for all layers that read it where the model itself is in float32) and the
    pair's inner product.
    """
    stream = HALF if how.precision == "bfloat16" else FULL
    normed = 2 * shape.hidden * stream if how.method == "full" else 0
    norms = 2 * shape.hidden * FULL + normed + 2 * FULL
    seen: float = 2 * shape.kv * size
    if how.method == "prefix":  # an explicit mask: keys and values are repeated for every head, the mask is kept
        length = (how.tokens + how.virtual_tokens) / how.tokens
        seen = 2 * shape.query * size * length + (how.tokens + how.virtual_tokens) * size
    attention = 2 * shape.query * size + seen + FULL * shape.heads
    mlp = 3 * shape.inner * size
    return norms + attention + mlp + _inputs(shape, how, size)


def _inputs(shape: Shape, how: Training, size: int) -> float:
    """Return the bytes per token of inputs that linear layers keep. The output of attention is kept already."""
    if how.method == "full":  # under mixed precision every layer makes its own 16-bit copy of its input
        readers = 5 if how.precision == "mixed" else 2
        return float(size * (readers * shape.hidden + shape.inner))
    if how.method not in {"lora", "qlora"}:
        return 0.0
    inner = FULL * how.rank * len(how.targets)
    if size == FULL:  # one input serves all the layers that read it
        shared = [shape.hidden] * (bool({"q", "k", "v"} & {*how.targets}) + bool({"gate", "up"} & {*how.targets}))
        own = shape.inner if "down" in how.targets else 0
        return float(FULL * (sum(shared) + own) + inner)
    return float(FULL * sum(shape.linears[name][0] for name in how.targets) + inner)


def _copies(shape: Shape, how: Training) -> float:
    """Return the bytes of 16-bit copies of the weights that mixed precision keeps until the backward pass."""
    if how.precision != "mixed":
        return 0.0
    blocks = 0 if how.checkpointing else shape.layers * shape.block_weights
    return float(HALF * (blocks + shape.vocabulary * shape.hidden))


def _length(how: Training) -> int:
    """Return the tokens of one example as the blocks see them: prompt tuning puts its virtual tokens before them."""
    return how.tokens + (how.virtual_tokens if how.method == "prompt" else 0)


def _base(shape: Shape, how: Training) -> tuple[float, float]:
    """Return the bytes of the base model's weights and of their quantisation constants."""
    if how.method == "qlora":
        linear = shape.layers * shape.block_weights
        return linear * NF4 + (shape.parameters - linear) * HALF, linear * NF4_CONSTANTS
    size = {"float32": FULL, "bfloat16": HALF, "mixed": FULL}[how.precision]
    return float(shape.parameters * size), 0.0


def _weights_why(how: Training) -> str:
    if how.method == "qlora":
        return "linear layers in 4 bits (NF4), embeddings and norms in 16"
    return {"float32": "4 bytes a weight", "bfloat16": "2 bytes a weight", "mixed": "4 bytes a weight (float32)"}[
        how.precision
    ]


def _states_why(how: Training, size: int) -> str:
    return {"adam": f"two moments of {size} bytes", "adam8bit": "two moments of a byte", "sgd": "none"}[how.optimizer]
