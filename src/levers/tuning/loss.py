"""The loss of a batch: nats per answer token, prompts weigh nothing. Imports torch.

Two savings, neither of which changes the gradient:

- Prompts are padded on the left, so that the answers of a batch end together and scores over the vocabulary are
  computed for the last few positions only.
- Leading messages that a whole batch shares (the system text, mostly) are computed once: their keys and values, with
  their gradients, are repeated for every row.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from levers.tuning.base import Base
from levers.tuning.encode import Encoded, shared_length

IGNORED = -100
_WORTH_SHARING = 16  # tokens; a shorter common head costs more to split off than it saves


def batch_loss(base: Base, batch: Sequence[Encoded], share: bool) -> tuple[Tensor, int]:
    """Return the mean loss over the answer tokens of a batch, and their number.

    Args:
        base: the model with its adapter.
        batch: encoded samples.
        share: compute the batch's common leading messages once.
    """
    with base.fast(max(item.length for item in batch)):
        return _loss(base, batch, share)


def _loss(base: Base, batch: Sequence[Encoded], share: bool) -> tuple[Tensor, int]:
    shared = shared_length(batch) if share and len(batch) > 1 else 0
    shared = shared if shared >= _WORTH_SHARING else 0
    ids, mask, labels = _tensors(batch, shared, base)
    arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    if shared:
        cache = _head(base, batch[0].prompt[:shared])
        cache.batch_repeat_interleave(len(batch))
        arguments |= {"past_key_values": cache, "use_cache": True}
        arguments["attention_mask"] = functional.pad(mask, (shared, 0), value=1)
    if "position_ids" in base.inputs:
        arguments["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0) + shared
    loss = _scored(base, arguments, labels)
    return loss, int((labels != IGNORED).sum())


def sharing_is_exact(base: Base, batch: Sequence[Encoded]) -> bool:
    """Tell whether this model computes the same loss with shared heads: tried once on a real batch, in full precision.

    Models with another memory than keys and values (state spaces, sliding windows) may not.
    """
    if len(batch) < 2 or shared_length(batch) < _WORTH_SHARING:
        return False
    try:
        with torch.no_grad():
            apart, together = (float(_loss(base, batch, share)[0]) for share in (False, True))
    except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
        return False  # a cache of another make
    return abs(apart - together) <= (1e-3 if base.device.type == "cpu" else 3e-2) * max(1.0, abs(apart))


def _head(base: Base, ids: Sequence[int]) -> Any:
    head = torch.tensor([list(ids)], device=base.device)
    keep = {"logits_to_keep": 1} if "logits_to_keep" in base.inputs else {}
    return base.model(input_ids=head, use_cache=True, **keep).past_key_values


def _scored(base: Base, arguments: dict[str, Any], labels: Tensor) -> Tensor:
    if _scores_labels_only(base):
        loss: Tensor = base.model(**arguments, labels=labels).loss
        return loss
    kept = int((labels != IGNORED).sum(-1).max()) + 1  # the position before an answer's first token scores that token
    keep = {"logits_to_keep": kept} if "logits_to_keep" in base.inputs else {}
    scores = base.model(**arguments, **keep).logits[:, -kept:-1].float()
    return functional.cross_entropy(scores.flatten(0, 1), labels[:, -(kept - 1) :].flatten(), ignore_index=IGNORED)


def _scores_labels_only(base: Base) -> bool:
    """Tell whether the model itself computes its loss at labelled positions only, as pocket does."""
    return hasattr(base.inner, "score_labelled")


def _tensors(batch: Sequence[Encoded], shared: int, base: Base) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, attention mask and labels of what follows the shared head: [rows, longest], padded on the left."""
    width = max(item.length for item in batch) - shared
    pad = base.tokenizer.pad_token_id
    ids = torch.full((len(batch), width), pad if pad is not None else base.end_tokens[0] if base.end_tokens else 0)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, item in enumerate(batch):
        tokens = (*item.prompt[shared:], *item.answer)
        ids[row, width - len(tokens) :] = torch.tensor(tokens)
        mask[row, width - len(tokens) :] = 1
        labels[row, width - len(item.answer) :] = torch.tensor(item.answer)
    return ids.to(base.device), mask.to(base.device), labels.to(base.device)
