"""Examples to padded batches of token ids, labels and copy sources."""

import bisect
from collections.abc import Iterable
from typing import NamedTuple

import torch
from forms import Example
from torch import Tensor
from transformers import PreTrainedTokenizerFast

LIMIT = 1200


class Encoded(NamedTuple):
    """One example: ids, where the learnt reply begins, and for reply positions the position copied from.

    `span` is the first and the last position of the answer in the prompt: twice the role token before the reply where
    the answer is missing, -1 where nothing was asked of a passage.
    """

    ids: list[int]
    reply_at: int
    sources: dict[int, int]
    span: tuple[int, int] = (-1, -1)


class Batch(NamedTuple):
    """Padded on the right: ids, labels (-100 elsewhere), sources (-1 elsewhere), mask, each [batch, length].

    `spans` is [batch, 2]: the first and the last position of the answer in the prompt, as in `Encoded`.
    """

    ids: Tensor
    labels: Tensor
    sources: Tensor
    mask: Tensor
    spans: Tensor


def _covering(offsets: list[tuple[int, int]], ends: list[int], low: int, high: int) -> list[int]:
    """Return the tokens that hold any character of [low, high)."""
    first = bisect.bisect_right(ends, low)
    out = []
    while first < len(offsets) and offsets[first][0] < high:
        if offsets[first][1] > low:
            out.append(first)
        first += 1
    return out


def encode(tokenizer: PreTrainedTokenizerFast, example: Example, toggle: list[int]) -> Encoded | None:
    """Encode a chat; None if it is too long."""
    text, starts = "", []
    for role, content in example.messages:
        text += f"<|{role}|>"
        starts.append(len(text))
        text += content + ("<|end|>" if role == "assistant" else "")
    coded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    ids, offsets = coded["input_ids"], coded["offset_mapping"]
    if len(ids) > LIMIT:
        return None
    ends = [end for _, end in offsets]
    reply_at = bisect.bisect_right(ends, starts[-1])
    sources: dict[int, int] = {}
    for copy in example.copies:
        low = starts[-1] + copy.reply_at
        origin = starts[copy.message] + copy.source_at
        mine, theirs = (
            _covering(offsets, ends, low, low + copy.length),
            _covering(offsets, ends, origin, origin + copy.length),
        )
        if len(mine) == len(theirs):
            for here, there in zip(mine, theirs, strict=True):
                if ids[there] in (ids[here], toggle[ids[here]]):
                    sources[here] = there
    span = (-1, -1)
    if example.span is not None:
        low = starts[example.span.message] + example.span.at
        held = _covering(offsets, ends, low, low + example.span.length)
        span = (held[0], held[-1]) if held else (reply_at - 1, reply_at - 1)
    return Encoded(ids, reply_at, sources, span)


def grouped(items: Iterable[Encoded], tokens: int) -> list[list[Encoded]]:
    """Cut examples, in their order, into groups of at most so many tokens with the padding; one may exceed it alone."""
    groups: list[list[Encoded]] = [[]]
    longest = 0
    for item in items:
        longest = max(longest, len(item.ids))
        if groups[-1] and longest * (len(groups[-1]) + 1) > tokens:
            groups.append([])
            longest = len(item.ids)
        groups[-1].append(item)
    return groups


def collate(items: list[Encoded]) -> Batch:
    """Pad examples on the right to one batch."""
    length = max(len(item.ids) for item in items)
    shape = (len(items), length)
    ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    labels, sources = torch.full(shape, -100), torch.full(shape, -1)
    for row, item in enumerate(items):
        count = len(item.ids)
        ids[row, :count] = torch.tensor(item.ids)
        mask[row, :count] = 1
        labels[row, item.reply_at : count] = ids[row, item.reply_at : count]
        for here, there in item.sources.items():
            sources[row, here] = there
    return Batch(ids, labels, sources, mask, torch.tensor([item.span for item in items]))
