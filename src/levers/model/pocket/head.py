"""The output side: a vocabulary distribution over words and spellings, mixed with copying from the context.

P(token) = (1 - g) * P(word) * P(spelling | word) + g * sum over visible positions of attention * P(as is | toggled).
The mixture is the pointer-generator of See, Liu and Manning (2017). "Toggled" is the same string with or without its
leading space, so that a word can be copied to the start of a quoted value. A source that follows the same words as
those just written gets a learned bonus for each of up to four words that agree, so a span once begun is copied on. A
source in the reply to an earlier turn gets one that grows with how alike that turn is, see `likeness`. Whether the
leading space is switched depends on the source too: a word that stands bare, after a line break or a quote, mostly gets
one where copying it begins. Every position also marks whether an answer begins or ends there, as in readers that point
out spans (Devlin et al.: BERT, 2019): the one draws the copying that begins, the other ends the copying that goes on.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import initialization as init

from levers.model.pocket.configuration import PocketConfig
from levers.model.pocket.likeness import Likeness

MATCHED = 4
NEVER = -1e9
AHEAD = 24  # tokens after one that may end an answer in which a better end is looked for
FAR = -10.0  # a position whose mark lies so far below the best one, or further, is no start or end of an answer
FLOOR = 1e-9


class Sources(NamedTuple):
    """What the token ids alone tell of the positions that may be copied from.

    `agreed` [batch, queries, positions] from `agreement`; `alike` how like the queries earlier replies are, None
    without any; `bare` [batch, positions] whether the token has no space before it, and could have one; `text` [batch,
    positions] whether an answer may stand there: a token of a system or user block, no role. A reply is read as it is
    written, so no mark in it may count; `before` [batch, positions] the nearest earlier place of a token.
    """

    agreed: Tensor
    alike: Likeness | None
    bare: Tensor
    text: Tensor
    before: Tensor


class CopyScores(NamedTuple):
    """What the copy side says at each queried position.

    `attention` [batch, queries, keys] log-probabilities, `gate` [batch, queries] the probability of copying,
    `toggle` [batch, queries, keys] the probability that a copied token's leading space is switched.
    """

    attention: Tensor
    gate: Tensor
    toggle: Tensor


class Silent(nn.Linear):
    """A linear layer that changes nothing until it is trained: it begins with zeros."""

    def reset_parameters(self) -> None:
        """Begin anew, where transformers did not just load the weights."""
        init.zeros_(self.weight)
        init.zeros_(self.bias)


class PocketHead(nn.Module):
    """Maps hidden states and the context's token ids to log-probabilities of the next token."""

    def __init__(self, config: PocketConfig) -> None:
        """Create the parameters; the word rows are passed to each call, as they belong to the embedding."""
        super().__init__()
        size = config.hidden_size
        self.config = config
        self.transform = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.base_bias = nn.Parameter(torch.zeros(config.num_bases))
        self.token_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.variant = nn.Linear(size, config.num_variants)
        self.copy_query = nn.Linear(size, size)
        self.copy_key = nn.Linear(size, size)
        self.copy_gate = nn.Linear(size, 1)
        self.copy_toggle = nn.Linear(size, 1)
        self.copy_match = nn.Linear(size, MATCHED)
        self.copy_alike = Silent(size, 3)
        self.copy_bare = Silent(size, 1)
        self.span = nn.Linear(size, 2)
        self.copy_span = Silent(size, 2)
        self.scale = 4.0 / math.sqrt(size)

    def keys(self, states: Tensor) -> Tensor:
        """Return what copying needs of positions: [.., size + 2], a key and the marks of an answer's start and end."""
        return torch.cat([self.copy_key(states), self.span(states)], -1)

    def copy_scores(self, hidden: Tensor, keys: Tensor, visible: Tensor, found: Sources) -> CopyScores:
        """Score every visible position as a source to copy from.

        Args:
            hidden: [batch, queries, size].
            keys: [batch, positions, size + 2], from `keys`.
            visible: [batch, queries, positions] booleans, false also where no token can be copied.
            found: what the token ids tell of the positions.
        """
        keys, marks = keys[..., :-2].to(hidden.dtype), keys[..., -2:].float()
        scores = torch.matmul(self.copy_query(hidden), keys.transpose(1, 2)).float() * self.scale
        bonus = functional.pad(self.copy_match(hidden).float().cumsum(-1), (1, 0))
        scores = scores + bonus.gather(-1, found.agreed)
        begins, ends = self.copy_span(hidden).float().unbind(-1)
        copies = self.copy_gate(hidden).squeeze(-1).float()
        copies = copies + ends * _ending(scores, marks[..., 1], found, visible)
        first = _behind(marks[..., 0], visible & found.text[:, None])
        scores = scores + begins[..., None] * first * (found.agreed == 0)
        alike = found.alike
        if alike is not None:
            slope, lift, opening = self.copy_alike(hidden).float().unbind(-1)
            scores = scores + slope[..., None] * alike.cosine + lift[..., None] * alike.earlier
            copies = copies + opening * alike.earlier.any(-1)
        attention = scores.masked_fill(~visible, NEVER).log_softmax(-1)
        gate = torch.sigmoid(copies)
        gate = torch.where(visible.any(-1), gate, torch.zeros_like(gate))
        fresh = found.bare[:, None, :] & (found.agreed == 0)
        toggle = torch.sigmoid(self.copy_toggle(hidden).float() + self.copy_bare(hidden).float() * fresh)
        return CopyScores(attention, gate, toggle)

    def word_logits(self, hidden: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Return [.., num_bases] log-probabilities of words and [.., num_variants] raw scores of spellings."""
        state = self.norm(self.transform(hidden))
        words_logp = functional.linear(state, words.to(state.dtype)).float() + self.base_bias.float()
        return words_logp.log_softmax(-1), self.variant(state).float()

    def spelling_bias(self, group: Tensor) -> Tensor:
        """Return, for a table of token ids (-1: no such spelling), the learned bias of each."""
        bias = self.token_bias.float()[group.clamp(min=0)]
        return bias.masked_fill(group < 0, NEVER)

    def full_logp(
        self, hidden: Tensor, words: Tensor, tables: "TokenTables", copied: CopyScores, ids: Tensor
    ) -> Tensor:
        """Return log-probabilities over the whole vocabulary.

        Args:
            hidden: [batch, queries, size].
            words: [num_bases, size] the embedding's word rows.
            tables: how tokens are made of words and spellings.
            copied: from `copy_scores`.
            ids: [batch, positions] the token ids standing at the scored positions (-1: none).

        Returns:
            [batch, queries, vocab_size].
        """
        state = self.norm(self.transform(hidden))
        scores = functional.linear(state, words.to(state.dtype)).float() + self.base_bias.float()
        spelling = self.variant(state).float()
        lifted = (spelling - spelling.amax(-1, keepdim=True)).exp()
        # The spellings of a word share one sum, so the softmax over them needs six exponentials a query, not six a
        # word; autocast would round that sum.
        with torch.autocast(hidden.device.type, enabled=False):
            sums = functional.linear(lifted, tables.weight).clamp(min=1e-30)
        share = (scores - scores.logsumexp(-1, keepdim=True)).exp() * ((1 - copied.gate[..., None]) / sums)
        rows = hidden.shape[:-1].numel()
        vocabulary = share.view(rows, -1).index_select(-1, tables.base)
        spelled = lifted.view(rows, -1).index_select(-1, tables.variant)
        graded = torch.is_grad_enabled()  # gradients need a product's factors; else each pass writes in place
        vocabulary = (
            vocabulary * spelled * tables.token_weight if graded else vocabulary.mul_(spelled).mul_(tables.token_weight)
        )
        vocabulary = vocabulary.view(*hidden.shape[:-1], -1)
        mass = copied.attention.exp() * copied.gate[..., None]
        source = ids.clamp(min=0)[:, None, :].expand(mass.shape)
        vocabulary = vocabulary.scatter_add_(-1, source, mass * (1 - copied.toggle))
        vocabulary = vocabulary.scatter_add_(-1, tables.toggle[source], mass * copied.toggle)
        logp: Tensor = (vocabulary + FLOOR).log() if graded else vocabulary.add_(FLOOR).log_()
        return logp

    def target_logp(self, hidden: Tensor, words: Tensor, tables: "TokenTables", targets: Tensor) -> Tensor:
        """Return the vocabulary side's log-probability of one given token per row: hidden [n, size], targets [n]."""
        word, spelling = self.word_logits(hidden, words)
        base = tables.base[targets]
        spelled = (spelling + self.spelling_bias(tables.group[base])).log_softmax(-1)
        which = tables.flat[targets] - base * self.config.num_variants
        return word.gather(-1, base[:, None])[:, 0] + spelled.gather(-1, which[:, None])[:, 0]


def _behind(marks: Tensor, among: Tensor) -> Tensor:
    """Return how far marks [batch, positions] lie below the best one `among` some of them, from 0 down to -10.

    `among` and the result are [batch, queries, positions]; what is not among them lies at -10.
    """
    held = marks[:, None, :].masked_fill(~among, NEVER)
    return (held - held.amax(-1, keepdim=True)).clamp(FAR, 0).masked_fill(~among, FAR)


def _ending(scores: Tensor, marks: Tensor, found: Sources, visible: Tensor) -> Tensor:
    """Return the log-odds that the copying stands at an answer's end, [batch, queries], from -10 to 10.

    They are those of an end at the last position copied against an end within the next 24; 0 where no copying from the
    prompt goes on.

    Args:
        scores: [batch, queries, positions] of the sources to copy next.
        marks: [batch, positions], high where an answer ends.
        found: what the token ids tell of the positions; those that agree go on with the words just written.
        visible: [batch, queries, positions] booleans.
    """
    marks, block = marks.masked_fill(~found.text, NEVER), (~found.text).cumsum(-1)  # no answer goes beyond a role token
    ahead = functional.pad(marks, (0, AHEAD), value=NEVER)[:, 1:].unfold(-1, AHEAD, 1)
    same = functional.pad(block, (0, AHEAD), value=-1)[:, 1:].unfold(-1, AHEAD, 1) == block[..., None]
    odds = (marks - ahead.masked_fill(~same, NEVER).logsumexp(-1)).clamp(FAR, -FAR) * found.text
    going_on = (found.agreed > 0) & visible
    share = scores.masked_fill(~going_on, NEVER).softmax(-1) * going_on
    return (share * odds.gather(1, found.before)[:, None, :]).sum(-1)


def trailing(bases: Tensor, tail: Tensor) -> Tensor:
    """Return the words that stand before each position of a chunk, skipping places without a word (padding).

    Args:
        bases: [batch, length] word of each token, negative where there is none.
        tail: [batch, 4] the words before the chunk, the nearest first, negative where there is none.

    Returns:
        [batch, length, 4] words, the nearest first, negative where there is none.
    """
    line = torch.cat([functional.pad(tail.flip(-1), (1, 0), value=-1), bases], -1)
    place = torch.arange(line.shape[1], device=line.device)
    latest = torch.where(line >= 0, place, 0).cummax(-1).values  # place 0 holds no word
    before = functional.pad(latest[:, :-1], (1, 0))
    found, at = [], before
    for _ in range(MATCHED):
        found.append(line.gather(1, at))
        at = before.gather(1, at)
    return torch.stack(found, -1)[:, 1 + MATCHED :]


def agreement(own: Tensor, before: Tensor) -> Tensor:
    """Count how many words before each position agree with the words up to each query.

    Args:
        own: [batch, queries, 4] the word of each query's token and of the three before it, the nearest first, negative
            where there is none.
        before: [batch, positions, 4] from `trailing`.

    Returns:
        [batch, queries, positions] counts from 0 to 4.
    """
    count = torch.zeros(own.shape[0], own.shape[1], before.shape[1], dtype=torch.long, device=own.device)
    alike: Tensor | None = None
    for back in range(MATCHED):
        mine = own[:, :, None, back]
        same = (mine == before[:, None, :, back]) & (mine >= 0)
        alike = same if alike is None else alike & same
        count += alike
    return count


class TokenTables(NamedTuple):
    """How tokens are made of words and spellings.

    `base`, `variant`, `toggle` [vocab], `flat` [vocab] = base * variants + variant, and `group` [bases, variants], a
    token or -1. `weight` [bases, variants] is the exponential of each spelling's learned bias, less the highest of its
    word (0 where there is no such spelling), and `token_weight` [vocab] the same by token; for `full_logp` alone.
    """

    base: Tensor
    variant: Tensor
    toggle: Tensor
    flat: Tensor
    group: Tensor
    weight: Tensor
    token_weight: Tensor


def mixture_logp(vocabulary: Tensor, copied: CopyScores, same: Tensor, toggled: Tensor) -> Tensor:
    """Return the mixture's log-probability of given targets.

    Args:
        vocabulary: [batch, queries] vocabulary log-probability of each target.
        copied: the copy side at the same positions.
        same: [batch, queries, positions] booleans, the position holds the target itself.
        toggled: the same, for the target with its leading space switched.
    """
    attention = copied.attention.exp()
    mass = (attention * (same * (1 - copied.toggle) + toggled * copied.toggle)).sum(-1)
    return (vocabulary.exp() * (1 - copied.gate) + mass * copied.gate + FLOOR).log()
