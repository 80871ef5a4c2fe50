"""Models that run in this process, through transformers: `hf/<folder or hub id>` and the embedded `pocket`.

Torch and transformers load at the first ask; `levers.model.open_model` says what to install when they lack.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from levers.errors import MissingExtra, ModelError
from levers.ledger import digest
from levers.model.contract import Ask, Reply
from levers.model.weights import check_adapter, folder_digest, is_whole_model, precision

if TYPE_CHECKING:
    from levers.model.loaded import Loaded

# Part of every local model's id: raise it when a change here changes replies, so that nothing old is replayed.
DECODING = 4


class LocalModel:
    """A causal language model from a folder in the Hugging Face layout, with an optional PEFT adapter.

    The id costs one reading of the files; weights are loaded at the first ask, so a fully replayed run loads none.
    Computes in float32 on a CPU (a reply must not depend on its neighbours in a batch) and in bfloat16 on a GPU.
    LEVERS_THREADS sets torch's number of threads.
    """

    def __init__(self, reference: str, folder: Path, adapter: Path | None = None) -> None:
        """Name the model; load nothing yet.

        Raises:
            MissingExtra: torch or transformers is not installed.
            ModelError: the folder holds no safetensors weights, or the adapter is not in PEFT's layout.
        """
        for library in ("torch", "transformers"):
            if find_spec(library) is None:
                raise MissingExtra(library, "local")
        if not any(folder.glob("*.safetensors")):
            raise ModelError(f"{reference}: no safetensors weights in the folder", "convert it with save_pretrained")
        if adapter is not None and is_whole_model(adapter):
            folder, adapter = adapter, None
        if adapter is not None:
            check_adapter(adapter)
        self._folder = folder
        self._adapter = adapter
        self._reference = reference
        self._loaded: Loaded | None = None
        self._swaps = False
        names = [folder_digest(folder), folder_digest(adapter) if adapter else None, precision(), DECODING]
        self.id = f"{reference}@{digest(names)}"

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer a batch; replies stand in the asks' order."""
        replies = {place: reply for done in self.stream(asks) for place, reply in done.items()}
        return [replies[place] for place in range(len(asks))]

    def stream(self, asks: Sequence[Ask]) -> Iterator[dict[int, Reply]]:
        """Answer batch by batch, shortest prompts first, giving {place among the asks: reply} as each batch ends.

        Asks that cannot be answered come as replies with finish "error": a prompt beyond the model's window, a schema
        that cannot be enforced, and what only servers do here (tools, log-probabilities).
        """
        yield from self._load().stream(asks)

    def swap(self, adapter: Path | None) -> None:
        """Answer with another low-rank adapter from now on, or with none; the base is not read again.

        Adapters stay beside the base, unmerged, so a swap costs a small file at most and each answer a little more.

        Raises:
            ModelError: the adapter is not low-rank or not in PEFT's layout, or this model was opened with one merged.
        """
        if self._adapter is not None and not self._swaps:
            raise ModelError(f"{self._reference} was opened with an adapter", "open it without one, then swap")
        if adapter is not None:
            check_adapter(adapter)
        self._load().swap(adapter)
        self._adapter, self._swaps = adapter, True
        names = [folder_digest(self._folder), folder_digest(adapter) if adapter else None, precision(), DECODING]
        self.id = f"{self._reference}@{digest([*names, 'swapped'] if adapter else names)}"

    def count_tokens(self, ask: Ask) -> int:
        """Return the number of tokens of the ask's prompt as this model reads it."""
        return len(self._load().tokens_of(ask))

    def _load(self) -> "Loaded":
        if self._loaded is None:
            from levers.model.loaded import Loaded

            self._loaded = Loaded(self._reference, self._folder, self._adapter)
        return self._loaded
