"""The loss of a batch: nats per answer token, prompts weigh nothing. Imports torch.

Two savings, neither of which changes the gradient:

- Prompts are padded on the left, so that the answers of a batch end together and scores over the vocabulary are
  computed for the last few positions only.
- Leading messages that a whole batch shares (the system text, mostly) are computed once: their keys and values, with
  their gradients, are repeated for every row.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from levers.tuning.base import Base
from levers.tuning.encode import Encoded, shared_length
from levers.tuning.soft import divergence

IGNORED = -100
_WORTH_SHARING = 16  # tokens; a shorter common head costs more to split off than it saves


class Held(NamedTuple):
    """What held-out answers got: the sum of their tokens' losses in nats, how many were the likeliest, how many."""

    loss: float
    right: int
    tokens: int


def batch_loss(base: Base, batch: Sequence[Encoded], share: bool, soft: float = 0.0) -> tuple[Tensor, int]:
    """Return the mean loss over the answer tokens of a batch, and their number.

    Args:
        base: the model with its adapter.
        batch: encoded samples.
        share: compute the batch's common leading messages once.
        soft: weight of the divergence from a teacher's probabilities, the answers' own loss has the rest.
    """
    with base.fast(max(item.length for item in batch)):
        return _loss(base, batch, share, soft)


def held_out(base: Base, batch: Sequence[Encoded], share: bool) -> Held:
    """Score a batch of held-out samples; arguments as in `batch_loss`."""
    with torch.no_grad(), base.fast(max(item.length for item in batch)):
        arguments, labels = _laid_out(base, batch, share)
        scores = _last_scores(base, arguments, labels)
    wanted = labels[:, -scores.shape[1] :]
    asked = wanted != IGNORED
    loss = functional.cross_entropy(scores[asked], wanted[asked], reduction="sum")
    return Held(float(loss), int((scores.argmax(-1) == wanted)[asked].sum()), int(asked.sum()))


def _loss(base: Base, batch: Sequence[Encoded], share: bool, soft: float = 0.0) -> tuple[Tensor, int]:
    if base.packing and not soft:
        return _packed(base, batch)
    arguments, labels = _laid_out(base, batch, share)
    loss = _taught(base, arguments, labels, batch, soft) if soft else _scored(base, arguments, labels)
    return loss, int((labels != IGNORED).sum())


def _laid_out(base: Base, batch: Sequence[Encoded], share: bool) -> tuple[dict[str, Any], Tensor]:
    """Return what the model reads of a batch, and its labels; the shared head is read here."""
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
    return arguments, labels


def _packed(base: Base, batch: Sequence[Encoded]) -> tuple[Tensor, int]:
    """Return the loss of a batch laid out as one row: positions begin anew with each example, which sees itself alone.

    transformers reads the examples' ends off the positions where there is no mask.
    """
    tokens = [token for item in batch for token in (*item.prompt, *item.answer)]
    places = [place for item in batch for place in range(item.length)]
    ends = torch.tensor([item.length for item in batch]).cumsum(0).tolist()
    wanted = [place for item, end in zip(batch, ends, strict=True) for place in range(end - len(item.answer), end)]
    ids = torch.tensor([tokens], device=base.device)
    before = torch.tensor(wanted, device=base.device) - 1  # the position before a token scores it
    arguments: dict[str, Any] = {"input_ids": ids, "position_ids": torch.tensor([places], device=base.device)}
    kept = "logits_to_keep" in base.inputs
    scores = base.model(**arguments, use_cache=False, **({"logits_to_keep": before} if kept else {})).logits[0]
    labels = ids[0, before + 1]
    return functional.cross_entropy((scores if kept else scores[before]).float(), labels), len(wanted)


def sharing_is_exact(base: Base, batch: Sequence[Encoded]) -> bool:
    """Tell whether this model computes the same loss with shared heads: tried once on a real batch, in full precision.

    Models with another memory than keys and values (state spaces, sliding windows) may not.
    """
    if base.packing or base.checkpointing or len(batch) < 2 or shared_length(batch) < _WORTH_SHARING:
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
    scores = _last_scores(base, arguments, labels)
    return functional.cross_entropy(scores.flatten(0, 1), labels[:, -scores.shape[1] :].flatten(), ignore_index=IGNORED)


def _last_scores(base: Base, arguments: dict[str, Any], labels: Tensor) -> Tensor:
    """Return the scores that the longest answer's tokens get: [rows, tokens, vocabulary]."""
    kept = int((labels != IGNORED).sum(-1).max()) + 1  # the position before an answer's first token scores that token
    keep = {"logits_to_keep": kept} if "logits_to_keep" in base.inputs else {}
    scores: Tensor = base.model(**arguments, **keep).logits[:, -kept:-1].float()
    return scores


def _taught(base: Base, arguments: dict[str, Any], labels: Tensor, batch: Sequence[Encoded], soft: float) -> Tensor:
    """Return the answers' own loss and the divergence from the teacher's probabilities, weighed."""
    scores = _last_scores(base, arguments, labels)
    wanted = labels[:, -scores.shape[1] :]
    own = functional.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)
    apart = sum(divergence(row[-len(item.answer) :], item.soft) for row, item in zip(scores, batch, strict=True))
    return (1 - soft) * own + soft * apart / (wanted != IGNORED).sum()


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
