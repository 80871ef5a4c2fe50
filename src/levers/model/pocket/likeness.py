"""How alike the turn that is answered is to earlier ones: where examples are shown, their replies are sources to copy.

As matching networks attend to examples (Vinyals et al., "Matching Networks for One Shot Learning", 2016), inside of one
prompt: a turn is the sum of its tokens' vectors, and two turns are as alike as the cosine of theirs.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from levers.model.pocket.configuration import PocketConfig


class Likeness(NamedTuple):
    """What earlier replies are to a query: both are [batch, queries, positions].

    `earlier` says that a position may be the next token of the reply to an earlier turn: it is the first one, or
    follows the word that was written last. `cosine` (-1 to 1, elsewhere 0) says how alike that turn is to the one that
    is answered.
    """

    earlier: Tensor
    cosine: Tensor


def likeness(
    ids: Tensor, queries: Tensor, agreed: Tensor, vectors: Callable[[Tensor], Tensor], config: PocketConfig
) -> Likeness | None:
    """Compare the turns of a chat by their words; None where no row holds an earlier reply.

    Args:
        ids: [batch, positions] token ids, negative where there is none.
        queries: [batch, queries] positions of the tokens that stand last.
        agreed: [batch, queries, positions] counts of words before a position and up to a query that agree.
        vectors: maps [batch, positions] ids to [batch, positions, size].
        config: names the role tokens.
    """
    replies = ids == config.assistant_token_id
    if int(replies.sum(-1).max()) < 2:
        return None
    asks = ids == config.user_token_id
    opens = replies | asks | (ids == config.system_token_id)
    place = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    latest = torch.where(opens, place, 0).cummax(-1).values
    turn = asks.long().cumsum(-1)
    said = asks.gather(1, latest) & ~opens & (ids >= 0)
    replied = replies.gather(1, latest) & (ids >= 0)
    words = vectors(ids.clamp(min=0)).float() * said[..., None]
    sums = words.new_zeros(len(ids), int(turn.max()) + 1, words.shape[-1])
    unit = functional.normalize(sums.scatter_add_(1, turn[..., None].expand_as(words), words), dim=-1)
    own = turn.gather(1, queries)
    first = functional.pad(replies[:, :-1], (1, 0))
    earlier = replied.gather(1, queries)[..., None] & (turn[:, None] < own[..., None])
    earlier = earlier & (replied & ~opens)[:, None] & (first[:, None] | (agreed > 0))
    rows = torch.arange(len(ids), device=ids.device)[:, None, None]
    cosine = torch.matmul(unit, unit.transpose(1, 2))[rows, own[..., None], turn[:, None]]
    return Likeness(earlier, cosine * earlier)
