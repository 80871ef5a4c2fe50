"""Choosing the next token for every row of a batch: length limits, schema constraints, seeded sampling, confidence.

Imports torch and llguidance; loaded with the local models only.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import llguidance
import numpy as np
import torch
from torch import Tensor

from levers.ledger import digest
from levers.model.contract import Ask, Finish
from levers.model.structure import Constrainer

_NEVER = -math.inf
Decode = Callable[[list[int]], str]
_ONE_CHOICE = 2  # fewer allowed tokens than this leave nothing to be confident about


def _mute(tokens: list[int]) -> str:
    """Stand for no tokenizer: then no text stops a reply."""
    del tokens
    return ""


@dataclass
class Row:
    """One reply in the making."""

    ask: Ask
    matcher: llguidance.LLMatcher | None
    noise: torch.Generator | None = None
    tokens: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    finish: Finish | None = None
    error: str | None = None

    @property
    def confidence(self) -> float | None:
        """Probability of the least probable token, leaving out those the schema forced; None when no other is left."""
        return min(self.probabilities, default=None)


def new_row(ask: Ask, constrainer: Constrainer | None) -> Row:
    """Start a reply. The noise of a sampled reply depends on the ask alone, never on its neighbours in the batch.

    Raises:
        ValueError: the ask's schema cannot be enforced.
    """
    matcher = constrainer.matcher(ask.json_schema) if constrainer and ask.json_schema is not None else None
    noise = None
    if ask.temperature > 0:
        noise = torch.Generator().manual_seed(int(digest(ask, 15).removeprefix("sha256-"), 16))
    return Row(ask, matcher, noise)


class Steering:
    """Chooses each row's next tokens.

    Greedy at temperature 0; else a sample from softmax(scores / temperature), drawn as the maximum of scores plus
    Gumbel noise (Gumbel 1954; Maddison, Tarlow and Minka 2014), which needs no second distribution.
    """

    def __init__(
        self, rows: list[Row], constrainer: Constrainer | None, eos: list[int], forward: bool, decode: Decode = _mute
    ) -> None:
        """Take the rows in the batch's order and the tokens that end a reply.

        With `forward`, tokens that a schema leaves no choice about are written without asking the model. `decode`
        writes tokens as text, for the asks that name texts to stop at.
        """
        self.rows = rows
        self._decode = decode
        self._constrainer = constrainer
        self._eos = eos
        self._forward = forward

    def start(self) -> list[list[int]]:
        """Return, row by row, the tokens with which the schema makes every reply begin."""
        return [self._forced(row) for row in self.rows]

    def choose(self, scores: Tensor, live: list[int]) -> list[list[int]]:
        """Choose what comes next for the rows numbered `live`; a row that is done gets nothing.

        Args:
            scores: [live rows, vocabulary] float32; masked in place where a schema forbids a token.
            live: the rows' numbers.
        """
        rows = [self.rows[place] for place in live]
        free = self._constrain(rows, scores)
        total = scores.logsumexp(-1)
        chosen = self._noisy(rows, scores).argmax(-1)
        probability = (scores.gather(-1, chosen[:, None])[:, 0] - total).exp().tolist()
        return [
            self._advance(row, token, probability[place] if free[place] else None)
            for place, (row, token) in enumerate(zip(rows, chosen.tolist(), strict=True))
        ]

    def _constrain(self, rows: list[Row], scores: Tensor) -> list[bool]:
        """Mask scores in place; return, row by row, whether there is a choice to make."""
        free = [True] * len(rows)
        bound = [place for place, row in enumerate(rows) if row.finish is None and row.matcher is not None]
        if not bound or self._constrainer is None:
            return free
        allowed = self._constrainer.allowed([rows[place].matcher for place in bound])
        counts = [int(np.count_nonzero(mask)) for mask in allowed]  # row by row: along an axis numpy is far slower
        forbidden = torch.from_numpy(~allowed).to(scores.device)
        if len(bound) == len(rows) and all(counts):
            scores.masked_fill_(forbidden, _NEVER)
        else:
            for place, mask, count in zip(bound, forbidden, counts, strict=True):
                if count:
                    scores[place].masked_fill_(mask, _NEVER)
        for place, count in zip(bound, counts, strict=True):
            free[place] = count >= _ONE_CHOICE
        return free

    def _noisy(self, rows: list[Row], scores: Tensor) -> Tensor:
        if all(row.noise is None for row in rows):
            return scores
        noisy = scores.clone()
        for index, row in enumerate(rows):
            if row.noise is not None and row.finish is None:
                uniform = torch.rand(scores.shape[1], generator=row.noise).clamp_(min=1e-20).to(scores.device)
                noisy[index] = scores[index] / row.ask.temperature - (-uniform.log()).log()
        return noisy

    def _advance(self, row: Row, token: int, probability: float | None) -> list[int]:
        """Record one row's token; return what the model shall read next."""
        if row.finish is not None:
            return []
        if token in self._eos:
            row.finish = "stop"
            return []
        if not self._write(row, token):
            return []
        if probability is not None:
            row.probabilities.append(probability)
        return self._unless_done(row, [token, *self._forced(row)])

    def _forced(self, row: Row) -> list[int]:
        """Write what the schema leaves no choice about; return it."""
        if not self._forward or row.matcher is None or self._is_done(row):
            return []
        written: list[int] = []
        for token in row.matcher.compute_ff_tokens():
            if self._is_done(row) or token in self._eos or not self._write(row, token):
                break
            written.append(token)
        return self._unless_done(row, written)

    def _write(self, row: Row, token: int) -> bool:
        if row.matcher is not None and not row.matcher.consume_token(token):
            row.error = f"the schema's decoder stopped: {row.matcher.get_error().strip()[:200]}"
            row.finish = "error"
            return False
        row.tokens.append(token)
        return True

    def _is_done(self, row: Row) -> bool:
        if row.finish is None and row.matcher is not None and row.matcher.is_stopped():
            row.finish = "stop"
        if row.finish is None and row.ask.stop and self._stops(row):
            row.finish = "stop"
        if row.finish is None and len(row.tokens) >= row.ask.max_tokens:
            row.finish = "length"
            self._end(row)
        return row.finish is not None

    def _stops(self, row: Row) -> bool:
        """Tell whether the last tokens hold a text to stop at; a token is at least one byte of it."""
        last = self._decode(row.tokens[-2 * max(len(stop.encode()) for stop in row.ask.stop) :])
        return any(stop and stop in last for stop in row.ask.stop)

    def _end(self, row: Row) -> None:
        """Close what the schema leaves open in a reply that is cut; as it is where the room is too small for that."""
        if row.matcher is not None and self._constrainer is not None:
            row.tokens = self._constrainer.whole(row.matcher, row.tokens, row.ask.max_tokens) or row.tokens

    def _unless_done(self, row: Row, tokens: list[int]) -> list[int]:
        return [] if self._is_done(row) else tokens
