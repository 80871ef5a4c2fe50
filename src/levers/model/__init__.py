"""Ask any language or embedding model, in batches. Loads nothing heavy until a model is opened."""

from levers.model.budget import Budget
from levers.model.contract import (
    Ask,
    CacheMark,
    Embedder,
    Finish,
    Model,
    Reply,
    Reranker,
    Speaks,
    TokenLogprob,
    Tool,
    ToolCall,
    Turn,
    speak,
)
from levers.model.registry import (
    billed,
    is_hosted,
    known_reference,
    open_embedder,
    open_model,
    open_reranker,
    open_sharpened,
    open_sharpened_reranker,
    sharpened_name,
)
from levers.model.replayed import Absent, Replayed, ReplayedEmbedder, ReplayedReranker, Streams
from levers.model.sides import QueryTuned

__all__ = [
    "Absent",
    "Ask",
    "Budget",
    "CacheMark",
    "Embedder",
    "Finish",
    "Model",
    "QueryTuned",
    "Replayed",
    "ReplayedEmbedder",
    "ReplayedReranker",
    "Reply",
    "Reranker",
    "Speaks",
    "Streams",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "Turn",
    "billed",
    "is_hosted",
    "known_reference",
    "open_embedder",
    "open_model",
    "open_reranker",
    "open_sharpened",
    "open_sharpened_reranker",
    "sharpened_name",
    "speak",
]
