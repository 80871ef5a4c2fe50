"""Who sees whom: the attention mask and the positions, derived from token ids alone."""

import torch
from torch import Tensor

from levers.model.pocket.configuration import PocketConfig


def block_visibility(input_ids: Tensor, config: PocketConfig) -> Tensor:
    """Return which tokens of a chunk see which others, by role blocks.

    A role token opens a block. Tokens of a system or user block see their whole block and everything before it;
    tokens of an assistant block, and tokens before the first role token, see only what stands before them.

    Args:
        input_ids: [batch, length] token ids of the chunk.
        config: names the three role tokens.

    Returns:
        [batch, length, length] booleans; entry (i, j) says that token i sees token j.
    """
    two_way = (input_ids == config.system_token_id) | (input_ids == config.user_token_id)
    opens = two_way | (input_ids == config.assistant_token_id)
    block = opens.long().cumsum(-1)
    # The last role token at or before a position decides the kind of its block.
    index = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
    last_role = torch.where(opens, index, torch.full_like(index, -1)).cummax(-1).values
    in_two_way = two_way.gather(1, last_role.clamp(min=0)) & (last_role >= 0)
    same = (block[:, :, None] == block[:, None, :]) & in_two_way[:, :, None]
    return same | causal_visibility(input_ids.shape[1], input_ids.device)


def causal_visibility(length: int, device: torch.device) -> Tensor:
    """Return the [1, length, length] booleans of a purely causal chunk."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()[None]


def attention_visibility(chunk: Tensor, attention_mask: Tensor | None, past: int) -> Tensor:
    """Extend a chunk's visibility over a cached past and hide padding.

    Args:
        chunk: [batch or 1, length, length] booleans within the chunk.
        attention_mask: [batch, past + length], zero where a position is padding; None where nothing is.
        past: number of positions in the cache.

    Returns:
        [batch or 1, length, past + length] booleans. Every token sees itself, so no row is empty.
    """
    visible = torch.nn.functional.pad(chunk, (past, 0), value=True) if past else chunk
    if attention_mask is None:
        return visible
    visible = visible & attention_mask[:, None, :].bool()
    length = chunk.shape[1]
    itself = torch.eye(length, dtype=torch.bool, device=chunk.device)
    return visible | torch.nn.functional.pad(itself, (past, 0))[None]


def positions_of(attention_mask: Tensor | None, batch: int, length: int, past: int) -> Tensor:
    """Return [batch, length] positions that count real tokens only, so that padding on the left shifts nothing."""
    if attention_mask is None:
        return torch.arange(past, past + length)[None].expand(batch, length)
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, past:]
