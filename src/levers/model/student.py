"""Students: small classifiers over sentence vectors, distilled from a teacher's answers. They write no text of their
own: a reply is one of the answers they were taught, or a JSON object of what they copy from the text (`extract`), with
its probability as confidence. Imports torch.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.model.contract import Ask, Reply
from levers.model.embed import MiniLM
from levers.model.extract import Form
from levers.model.weights import folder_digest

CARD, HEAD = "student.json", "head.safetensors"
EXTRACTOR = "extractor"
MAX_TOKENS = 128  # a longer question is cut: students are for short texts
_ROWS = 32

Found = tuple[str, float, int]
"""A reply, its confidence, and the tokens read."""


class SentenceEncoder:
    """A transformer encoder whose vector for a text is the mean of its last states over real tokens, of length one."""

    def __init__(self, folder: Path) -> None:
        """Load tokenizer and weights."""
        from transformers import AutoModel, AutoTokenizer

        from levers.model.quiet import quietly

        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        with quietly():
            loaded: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self.model = loaded.eval()

    def tokens(self, texts: Sequence[str]) -> Any:
        """Return the token ids and masks of a batch of texts."""
        return self.tokenizer(list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")

    def vectors(self, inputs: Any) -> torch.Tensor:
        """Return [rows, size] unit vectors, with gradients where they are on."""
        hidden: torch.Tensor = self.model(**inputs).last_hidden_state
        weight = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        unit: torch.Tensor = torch.nn.functional.normalize(mean, dim=-1)
        return unit


class StudentModel:
    """A student from its folder: `student.json`, `head.safetensors`, and under kind `encoder` the encoder's own files.

    Reads the last turn of an ask and nothing before it.
    """

    def __init__(self, folder: Path) -> None:
        """Read the card; weights load at the first ask.

        Raises:
            ModelError: the folder holds no student.
        """
        try:
            card = json.loads((folder / CARD).read_text(encoding="utf-8"))
            self.kind, self.labels = str(card["kind"]), [str(label) for label in card["labels"]]
            self._form = Form.model_validate(card["form"]) if self.kind == EXTRACTOR else None
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder.name} is no student: {error}", "distill again") from error
        self._folder = folder
        self._tagger: Any = None
        self._parts: tuple[Any, torch.Tensor, torch.Tensor] | None = None
        self.id = f"student@{folder_digest(folder)}"

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        """Answer a batch; replies stand in the asks' order."""
        replies: list[Reply] = []
        for start in range(0, len(asks), _ROWS):
            texts = [ask.messages[-1].content for ask in asks[start : start + _ROWS]]
            begun = time.perf_counter()
            found = self._chosen(texts) if self._form is None else self._extracted(texts, self._form)
            seconds = (time.perf_counter() - begun) / len(texts)
            for text, confidence, length in found:
                usage = Usage(input=length, compute_seconds=seconds)
                replies.append(Reply(text=text, usage=usage, confidence=confidence, seconds=seconds))
        return replies

    def _chosen(self, texts: list[str]) -> list[Found]:
        shares, lengths = self._shares(texts)
        best = [int(row.argmax()) for row in shares]
        return [
            (self.labels[at], float(row[at]), length) for at, row, length in zip(best, shares, lengths, strict=True)
        ]

    def _extracted(self, texts: list[str], form: Form) -> list[Found]:
        if self._tagger is None:
            from levers.model.tagger import Tagger

            try:
                self._tagger = Tagger(SentenceEncoder(self._folder), form).eval()
                self._tagger.load_state_dict(load_file(self._folder / HEAD))
            except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
                raise ModelError(f"{self._folder.name} cannot be loaded: {error}", "distill again") from error
        with torch.inference_mode():
            found: list[Found] = self._tagger.replies(texts)
        return found

    def _shares(self, texts: list[str]) -> tuple[NDArray[np.float32], list[int]]:
        """Return the probability of each label, [texts, labels], and the tokens read."""
        source, weight, bias = self._load()
        with torch.inference_mode():
            if isinstance(source, MiniLM):
                vectors, lengths = torch.from_numpy(source.embed(texts, "query")), [source.length(t) for t in texts]
            else:
                inputs = source.tokens(texts)
                vectors, lengths = source.vectors(inputs), inputs["attention_mask"].sum(-1).tolist()
            found: NDArray[np.float32] = (vectors @ weight.T + bias).softmax(-1).numpy()
        return found, [int(length) for length in lengths]

    def _load(self) -> tuple[Any, torch.Tensor, torch.Tensor]:
        if self._parts is None:
            try:
                head = load_file(self._folder / HEAD)
                source = MiniLM() if self.kind == "head" else SentenceEncoder(self._folder)
            except (OSError, ValueError, KeyError, SafetensorError) as error:
                raise ModelError(f"{self._folder.name} cannot be loaded: {error}", "distill again") from error
            self._parts = (source, head["weight"], head["bias"])
        return self._parts
