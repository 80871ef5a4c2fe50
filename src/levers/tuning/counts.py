"""How many weights a method trains, from the shapes of a model: what a run's own count must equal."""

from collections.abc import Sequence
from typing import NamedTuple

from levers.tuning.records import Recipe


class Shapes(NamedTuple):
    """What the counts need of a model: (inputs, outputs) of every adapted linear layer, and sizes.

    `key_width` is the width of a layer's keys (heads that carry keys times their size), `weights` all of the model's.
    """

    linears: Sequence[tuple[int, int]]
    layers: int
    hidden: int
    key_width: int
    weights: int


def trainable_weights(recipe: Recipe, shapes: Shapes) -> int:
    """Return the number of weights that learn.

    LoRA, rsLoRA and QLoRA: r (inputs + outputs) for every adapted layer (Hu et al. 2021). DoRA: a length for every
    output besides (Liu et al. 2024). Prefix: a key and a value for every learned position and layer (Li and Liang
    2021). Prompt: a vector for every learned position (Lester et al. 2021). Full: all.
    """
    if recipe.method == "full":
        return shapes.weights
    if recipe.method == "prefix":
        return recipe.virtual_tokens * shapes.layers * 2 * shapes.key_width
    if recipe.method == "prompt":
        return recipe.virtual_tokens * shapes.hidden
    lengths = sum(outputs for _, outputs in shapes.linears) if recipe.method == "dora" else 0
    return lengths + sum(recipe.r * (inputs + outputs) for inputs, outputs in shapes.linears)
