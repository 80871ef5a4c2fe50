"""Shapes of decoder models: what memory depends on, by name or from a model's own config.json."""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from levers.errors import Problem, UserError
from levers.ledger import Record

# Names in Hugging Face's config.json, the field's common layout.
_CONFIG = {
    "hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads",
    "inner": "intermediate_size", "vocabulary": "vocab_size",
}  # fmt: skip
_SHORT = {"0.5b": "qwen2.5-0.5b", "1b": "tinyllama-1.1b", "3b": "qwen2.5-3b", "7b": "llama-2-7b", "8b": "llama-3-8b",
          "13b": "llama-2-13b", "65b": "llama-65b", "70b": "llama-2-70b"}  # fmt: skip
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


class Shape(Record):
    """The shape of a decoder with gated MLPs (Llama, Mistral, Qwen …): sizes in elements, no weights.

    `kv_heads` is fewer than `heads` under grouped-query attention; `head_size` is per head; `tied` says that input and
    output embeddings are one matrix.
    """

    name: str
    hidden: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_size: int = Field(gt=0)
    inner: int = Field(gt=0)
    vocabulary: int = Field(gt=0)
    tied: bool = False
    source: str = ""

    @property
    def query(self) -> int:
        """Width of the queries of a token over all heads."""
        return self.heads * self.head_size

    @property
    def kv(self) -> int:
        """Width of the keys (or the values) of a token over all heads."""
        return self.kv_heads * self.head_size

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """The linear layers of one block: (in, out) by name."""
        return {
            "q": (self.hidden, self.query),
            "k": (self.hidden, self.kv),
            "v": (self.hidden, self.kv),
            "o": (self.query, self.hidden),
            "gate": (self.hidden, self.inner),
            "up": (self.hidden, self.inner),
            "down": (self.inner, self.hidden),
        }

    @property
    def block_weights(self) -> int:
        """Weights of the linear layers of one block."""
        return sum(wide * high for wide, high in self.linears.values())

    @property
    def embeddings(self) -> int:
        """Weights of the input and output embeddings."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All weights: linear layers, two norms a block, the last norm, embeddings; biases are not counted."""
        return self.layers * (self.block_weights + 2 * self.hidden) + self.hidden + self.embeddings


def shapes() -> dict[str, Shape]:
    """Return the shapes that levers knows by name."""
    return dict(_packaged())


def shape(name: str) -> Shape:
    """Return the shape of that name, or of a size such as 70b. Raises UserError naming the known ones."""
    known = _packaged()
    found = known.get(_SHORT.get(name.lower(), name.lower()))
    if found is None:
        expected, hint = f"one of {', '.join([*known, *_SHORT])}", "or give the model's own config.json"
        raise UserError(Problem(file="MODEL", found=repr(name), expected=expected, hint=hint))
    return found


def shape_of_config(path: Path) -> Shape:
    """Read a shape from a model's config.json in Hugging Face's layout. Raises UserError with every problem."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(Problem(file=str(path), found=why, expected="a model's config.json")) from None
    if not isinstance(config, dict):
        raise UserError(Problem(file=str(path), found="no JSON object", expected="a model's config.json"))
    problems = [
        Problem(file=str(path), field=key, found=str(config.get(key, "nothing")), expected="a number above 0")
        for key in _CONFIG.values()
        if not _is_count(config.get(key)) or config[key] <= 0
    ]
    for key in _EXPERTS:
        problems += _expert_problems(path, key, config.get(key) or 0)
    if problems:
        raise UserError(problems)
    return _from_config(config, path)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _expert_problems(path: Path, key: str, value: Any) -> list[Problem]:
    if not _is_count(value):
        return [Problem(file=str(path), field=key, found=repr(value), expected="a whole number")]
    if value <= 1:
        return []
    hint = "a mixture of experts keeps more weights than one token uses; its memory is not estimated here"
    return [Problem(file=str(path), field=key, found=str(value), expected="one MLP", hint=hint)]


def _from_config(config: dict[str, Any], path: Path) -> Shape:
    sizes: dict[str, int] = {ours: config[theirs] for ours, theirs in _CONFIG.items()}
    heads = sizes["heads"]
    try:
        return Shape(
            name=str(config.get("_name_or_path") or path.parent.name or "model"),
            kv_heads=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or sizes["hidden"] // heads,
            tied=bool(config.get("tie_word_embeddings", False)),
            source=path.name,
            **sizes,
        )
    except ValidationError as error:
        found = [f"{each['loc'][0]}: {each['msg']}" for each in error.errors()]
        raise UserError([Problem(file=str(path), found=each) for each in found]) from None


@cache
def _packaged() -> dict[str, Shape]:
    text = resources.files("levers.economics").joinpath("shapes.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)["shapes"]
    return {row["name"]: Shape.model_validate(row) for row in rows}
