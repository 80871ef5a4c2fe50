"""The generation loop of local models: one cache for what prompts share, rows that leave when done, forced tokens fed
several at a time. Imports torch and transformers; loaded with the local models only.

`generate` of transformers does none of these three. What is chosen stays with `decode.Steering`.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from levers.model.decode import Steering

_WORTH_SHARING = 16  # tokens; a shorter common head costs more to split off than it saves
_ROOM = 64  # positions a cache is given beyond what it holds
_CROWDED = 0.75  # rows that are done leave the cache, a copy of it, when no more than this share goes on


class GrowingLayer(DynamicLayer):  # type: ignore[misc,no-untyped-call,unused-ignore]
    """Keys and values with room for more: a step writes its own position, where DynamicLayer copies all of them."""

    _room: tuple[Tensor, Tensor]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **more: Any) -> tuple[Tensor, Tensor]:
        """Add [batch, heads, new, size] keys and values; return those of all positions."""
        del args, more
        held: int = self.get_seq_length()
        length = held + key_states.shape[-2]
        if not held or length > self._room[0].shape[-2]:
            self._resize((key_states, value_states), held, length + _ROOM)
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, held:length] = new
        return self._show(length)

    def start(self, keys: Tensor, values: Tensor, rows: int, more: int) -> None:
        """Begin with one row's keys and values, the same for `rows` rows, and room for `more` positions."""
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)
        self._resize((self.keys, self.values), keys.shape[-2], keys.shape[-2] + more)
        self._show(keys.shape[-2])

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows only."""
        length: int = self.get_seq_length()
        if length:
            self._room = (self._room[0][indices], self._room[1][indices])
            self._show(length)

    def _resize(self, like: tuple[Tensor, Tensor], held: int, positions: int) -> None:
        if not self.is_initialized:
            self.lazy_initialization(*like)
        keys, values = (each.new_empty((*each.shape[:2], positions, each.shape[3])) for each in like)
        if held:
            keys[:, :, :held], values[:, :, :held] = self.keys, self.values  # type: ignore[assignment,unused-ignore]
        self._room = (keys, values)

    def _show(self, length: int) -> tuple[Tensor, Tensor]:
        keys, values = (each[:, :, :length] for each in self._room)
        self.keys, self.values = keys, values
        return keys, values


class Generator:
    """Runs batches of prompts through a model. Keeps the last shared head, for the next batch often has the same."""

    def __init__(self, model: Any, pad: int, special: Sequence[int], suppressed: Sequence[int] | None) -> None:
        """Take the model, the padding id, the tokenizer's special ids, and the ids that are never to be written."""
        self._model = model
        self._pad = pad
        self._special = frozenset(special)
        self._suppressed = list(suppressed or [])
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._accepted = frozenset(inspect.signature(base.forward).parameters)
        self._prefix_end = getattr(base, "prefix_end", None)
        self._config = base.config
        plain = all(type(layer) is DynamicLayer for layer in DynamicCache(config=self._config).layers)
        # Padding between cached positions is harmless only where all that passes between them is masked attention.
        self.flexible = plain and {"past_key_values", "position_ids", "attention_mask"} <= self._accepted
        self._head: tuple[list[int], list[tuple[Tensor, Tensor]]] | None = None

    def run(self, prompts: Sequence[list[int]], steering: Steering) -> None:
        """Write a reply to every prompt, into the steering's rows (one per prompt, in the same order)."""
        forced = steering.start()
        live = [place for place, row in enumerate(steering.rows) if row.finish is None]
        if not live:
            return
        fed = [[*prompts[place], *forced[place]] for place in live]
        cache, past = self._begin(fed)
        fed = [tokens[past:] for tokens in fed]
        mask = torch.ones((len(live), past), dtype=torch.long)
        read = torch.zeros((len(live), 0), dtype=torch.long)
        while True:
            ids, real = self._padded(fed)
            mask = torch.cat([mask, real], -1)
            if cache is None:  # a model without a cache of the usual kind reads everything at every step
                ids = read = torch.cat([read, ids], -1)
            chosen = steering.choose(self._scores(ids, mask, cache), live)
            going = [place for place, tokens in enumerate(chosen) if tokens]
            if not going:
                return
            if self.flexible and len(going) <= _CROWDED * len(live):
                keep = torch.tensor(going)
                cache.batch_select_indices(keep.to(self._model.device))
                mask, live, chosen = mask[keep], [live[place] for place in going], [chosen[place] for place in going]
            fed = chosen  # nothing for a row that is done: it is padded, and its positions stand still

    def _scores(self, ids: Tensor, mask: Tensor, cache: Any) -> Tensor:
        """Return the scores of the next token, [rows, vocabulary]."""
        device, length = self._model.device, ids.shape[1]
        given: dict[str, Any] = {
            "attention_mask": mask,
            "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -length:],
            "past_key_values": cache,
            "use_cache": cache is not None,
            "logits_to_keep": 1,
        }
        given = {name: value for name, value in given.items() if name in self._accepted}
        given = {name: value.to(device) if isinstance(value, Tensor) else value for name, value in given.items()}
        scores: Tensor = self._model(input_ids=ids.to(device), **given).logits[:, -1].float()
        if self._suppressed:
            scores[:, self._suppressed] = -torch.inf
        return scores

    def _padded(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Return ids and mask, [rows, longest], padded on the left."""
        width = max(map(len, rows))
        ids = torch.tensor([[self._pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids, mask

    def _begin(self, prompts: Sequence[list[int]]) -> tuple[Any, int]:
        """Return a cache that holds what the prompts share, and how many tokens that is."""
        if "past_key_values" not in self._accepted:
            return None, 0
        if not self.flexible:
            return DynamicCache(config=self._config), 0
        cache = DynamicCache()
        cache.layer_class_to_replicate = GrowingLayer
        end = self._shared(prompts)
        if not end:
            return cache, 0
        if self._head is None or self._head[0] != prompts[0][:end]:
            self._head = (prompts[0][:end], self._read(prompts[0][:end]))
        more = max(map(len, prompts)) - end + _ROOM
        for keys, values in self._head[1]:
            layer = GrowingLayer()  # type: ignore[no-untyped-call,unused-ignore]
            layer.start(keys, values, len(prompts), more)
            cache.layers.append(layer)
        return cache, end

    def _shared(self, prompts: Sequence[list[int]]) -> int:
        """Return how many leading tokens to compute once: all that is shared, back to where a message ends."""
        first, shortest = prompts[0], min(map(len, prompts))
        common = next((at for at in range(shortest - 1) if any(row[at] != first[at] for row in prompts)), shortest - 1)
        known = self._head[0] if self._head is not None else []
        if len(prompts) == 1:  # all of a lone prompt is "shared"; it pays only where the head is there already
            there = 0 < len(known) <= common and first[: len(known)] == known
            return len(known) if there and self._may_cut(first, len(known)) else 0
        end = min(self._last_cut(tokens, common) for tokens in prompts)  # each row may go on differently behind it
        return end if end >= _WORTH_SHARING else 0

    def _may_cut(self, tokens: Sequence[int], at: int) -> bool:
        """Tell whether nothing before a place sees what follows it: everywhere, unless the model says where."""
        return self._prefix_end is None or self._prefix_end(tokens, at) == at

    def _last_cut(self, tokens: Sequence[int], limit: int) -> int:
        """Return where the last turn within the limit begins, so that batches agree; else the limit itself."""
        if self._prefix_end is not None:
            return int(self._prefix_end(tokens, limit))
        found = next((end for end in range(limit, 0, -1) if tokens[end] in self._special), 0)
        return found if 2 * found >= limit else limit

    def _read(self, head: list[int]) -> list[tuple[Tensor, Tensor]]:
        cache: Any = DynamicCache()
        ids = torch.tensor([head])
        self._scores(ids, torch.ones_like(ids), cache)
        return [(layer.keys, layer.values) for layer in cache.layers]
