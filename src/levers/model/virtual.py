"""Learned positions before a prompt: prefix tuning and prompt tuning, as training and serving both run them.

Prefix tuning puts keys and values before every layer's own (Li and Liang 2021), prompt tuning puts vectors before the
embedded text (Lester et al. 2021). PEFT's own forward drops the positions of padded prompts; here every token of the
text stands `count` positions later than without, whatever the padding. Imports torch and transformers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DynamicCache

IGNORED = -100


class Virtual(nn.Module):
    """A PEFT model of prefix or prompt tuning, called like the model under it.

    Masks, positions and labels are the text's own; a cache holds `count` positions more than the text it was given.
    """

    def __init__(self, peft: Any) -> None:
        """Wrap a PEFT model whose active adapter learns a prompt."""
        super().__init__()
        self.peft = peft
        settings = peft.active_peft_config
        self.count = int(settings.num_virtual_tokens)
        self.prefix = str(getattr(settings.peft_type, "value", settings.peft_type)) == "PREFIX_TUNING"
        self.config, self.generation_config = peft.config, getattr(peft.get_base_model(), "generation_config", None)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        found: torch.device = self.peft.device
        return found

    def get_base_model(self) -> Any:
        """Return the model under the adapter."""
        return self.peft.get_base_model()

    def forward(self, input_ids: Tensor, **given: Any) -> Any:
        """Score the text; takes what the model under it takes by name."""
        cache = given.get("past_key_values")
        first = cache is None or cache.get_seq_length() == 0
        self._shift(given)
        if not first:
            return self.get_base_model()(input_ids=input_ids, **given)
        if self.prefix:
            given["past_key_values"] = self._filled(DynamicCache() if cache is None else cache, len(input_ids))
            return self.get_base_model()(input_ids=input_ids, **given)
        return self._with_vectors(input_ids, given)

    def _shift(self, given: dict[str, Any]) -> None:
        """Let masks begin with the learned positions, and the text's positions after them."""
        if given.get("attention_mask") is not None:
            given["attention_mask"] = functional.pad(given["attention_mask"], (self.count, 0), value=1)
        if given.get("position_ids") is not None:
            given["position_ids"] = given["position_ids"] + self.count

    def _filled(self, cache: Any, rows: int) -> Any:
        learned = self.peft.get_prompt(rows)
        for place, layer in enumerate(learned.layers):
            cache.update(layer.keys, layer.values, place)
        return cache

    def _with_vectors(self, input_ids: Tensor, given: dict[str, Any]) -> Any:
        model = self.get_base_model()
        vectors = model.get_input_embeddings()(input_ids)
        learned = self.peft.get_prompt(batch_size=len(input_ids)).to(vectors.dtype)
        if given.get("position_ids") is not None:
            own = torch.arange(self.count, device=vectors.device).expand(len(input_ids), -1)
            given["position_ids"] = torch.cat([own, given["position_ids"]], -1)
        if given.get("labels") is not None:
            given["labels"] = functional.pad(given["labels"], (self.count, 0), value=IGNORED)
        return model(inputs_embeds=torch.cat([learned, vectors], 1), **given)
