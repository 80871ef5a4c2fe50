"""Ask any language or embedding model, in batches. Loads nothing heavy until a model is opened."""

from levers.model.budget import Budget
from levers.model.contract import Ask, Embedder, Finish, Model, Reply
from levers.model.registry import known_reference, open_embedder, open_model
from levers.model.replayed import Absent, Replayed, ReplayedEmbedder, Streams

__all__ = [
    "Absent",
    "Ask",
    "Budget",
    "Embedder",
    "Finish",
    "Model",
    "Replayed",
    "ReplayedEmbedder",
    "Reply",
    "Streams",
    "known_reference",
    "open_embedder",
    "open_model",
]
