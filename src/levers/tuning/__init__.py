"""The tuning workshop: fit adapters to reviewed answers, sharpen embedders. Knows neither tasks nor stacks."""

from levers.tuning.fit import base_folder, fit, measure_lengths, recipe_for, window_of
from levers.tuning.guards import Finding, inspect_samples
from levers.tuning.pairs import HeldOut, Material, Pair, Sharpened, SharpenRecipe
from levers.tuning.records import METHODS, Fitted, Method, OnProgress, Progress, Recipe, Sample
from levers.tuning.rehearsal import rehearse
from levers.tuning.sharpen import sharpen, split

__all__ = [
    "METHODS",
    "Finding",
    "Fitted",
    "HeldOut",
    "Material",
    "Method",
    "OnProgress",
    "Pair",
    "Progress",
    "Recipe",
    "Sample",
    "SharpenRecipe",
    "Sharpened",
    "base_folder",
    "fit",
    "inspect_samples",
    "measure_lengths",
    "recipe_for",
    "rehearse",
    "sharpen",
    "split",
    "window_of",
]
