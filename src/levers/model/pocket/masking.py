"""Who sees whom: the attention mask and the positions, derived from token ids alone."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from levers.model.pocket.configuration import PassageMarks, PocketConfig


class Fold(NamedTuple):
    """Numbered passages laid beside each other, as if each were alone in the prompt.

    `passage` [batch, length] is a token's passage, from 1 in each block, 0 outside of any; `shift` [batch, length] is
    taken from its position: all passages of a block begin where the first does, and what follows goes on after the
    longest.
    """

    passage: Tensor
    shift: Tensor


def fold_passages(input_ids: Tensor, config: PocketConfig) -> Fold:
    """Find passages that are numbered from 1 at the start of lines, `[1] …`, in system and user blocks.

    Passages that do not see each other are read as each would be alone, so that other passages disturb little
    (Ratner et al., "Parallel Context Windows for Large Language Models", ACL 2023; Izacard and Grave, EACL 2021).

    Args:
        input_ids: [batch, length] token ids of the chunk; a block whose role token is not in it is not looked at.
        config: names the tokens that mark passages; without any nothing is folded.
    """
    passage, shift = torch.zeros_like(input_ids), torch.zeros_like(input_ids)
    marks = config.passage_marks
    if marks is None or int((input_ids == marks["open"]).sum(-1).max()) < 2:
        return Fold(passage, shift)
    for row, tokens in enumerate(input_ids.tolist()):
        gained = 0
        for begin, end in _two_way_blocks(tokens, config):
            bounds = _bounds(tokens, begin, end, marks)
            first, last, passages = bounds[0], bounds[-1], list(pairwise(bounds))
            if len(passages) < marks.get("least", 2):
                continue
            for number, (low, high) in enumerate(passages, 1):
                passage[row, low:high] = number
                shift[row, low:high] = gained + low - first
            gained += last - first - max(high - low for low, high in passages)
            shift[row, last:] = gained
    return Fold(passage, shift)


def _two_way_blocks(tokens: Sequence[int], config: PocketConfig) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the system and user blocks of a row."""
    two_way = (config.system_token_id, config.user_token_id)
    roles = [place for place, token in enumerate(tokens) if token in {*two_way, config.assistant_token_id}]
    for begin, end in pairwise([*roles, len(tokens)]):
        if tokens[begin] in two_way:
            yield begin, end


def _bounds(tokens: Sequence[int], begin: int, end: int, marks: PassageMarks) -> list[int]:
    """Return where each passage of a block begins, and last where the question after them does.

    That is the last empty line with the word "Question" behind it, else the last empty line, else the block's end.
    """
    starts: list[int] = []
    for place in range(begin + 1, end):
        if tokens[place] == marks["open"] and (place == begin + 1 or tokens[place - 1] in marks["breaks"]):
            wanted = [marks["digits"][int(digit)] for digit in str(len(starts) + 1)]
            if [*tokens[place + 1 : place + 2 + len(wanted)]] == [*wanted, marks["close"]]:
                starts.append(place)
    after = range(starts[-1] if starts else end, end)
    empty = [place for place in after if tokens[place] in marks["blanks"]]
    asked = [place for place in empty if place + 1 < end and tokens[place + 1] == marks["question"]]
    return [*starts, (asked or empty or [end])[-1]]


def block_visibility(input_ids: Tensor, config: PocketConfig, passage: Tensor) -> Tensor:
    """Return which tokens of a chunk see which others, by role blocks and passages.

    A role token opens a block. Tokens of a system or user block see their whole block and everything before it, but
    passages of a block do not see each other; tokens of an assistant block, and tokens before the first role token,
    see only what stands before them.

    Args:
        input_ids: [batch, length] token ids of the chunk.
        config: names the three role tokens.
        passage: [batch, length] numbers of passages, as `fold_passages` finds them.

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
    seen = same | causal_visibility(input_ids.shape[1], input_ids.device)
    if not bool(passage.any()):
        return seen
    one, other = passage[:, :, None], passage[:, None, :]
    return seen & ~(same & (one > 0) & (other > 0) & (one != other))


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
