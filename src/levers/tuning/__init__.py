"""The tuning workshop: fit a small adapter to reviewed pairs. Knows models and samples, neither tasks nor stacks."""

from levers.tuning.fit import base_folder, fit, measure_lengths, recipe_for, window_of
from levers.tuning.guards import Finding, inspect_samples
from levers.tuning.records import METHODS, Fitted, Method, OnProgress, Progress, Recipe, Sample

__all__ = [
    "METHODS",
    "Finding",
    "Fitted",
    "Method",
    "OnProgress",
    "Progress",
    "Recipe",
    "Sample",
    "base_folder",
    "fit",
    "inspect_samples",
    "measure_lengths",
    "recipe_for",
    "window_of",
]
