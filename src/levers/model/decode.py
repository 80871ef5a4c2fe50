"""Choosing the next token for every row of a batch: length limits, schema constraints, seeded sampling, confidence.

Imports torch and llguidance; loaded with the local models only.
"""

import math
from dataclasses import dataclass, field

import llguidance
import torch
from torch import Tensor
from transformers import LogitsProcessor

from levers.ledger import digest
from levers.model.contract import Ask, Finish
from levers.model.structure import Constrainer

_NEVER = -math.inf
_ONE_CHOICE = 2  # fewer allowed tokens than this leave nothing to be confident about


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
        """Mean probability of the chosen tokens, leaving out those the schema forced; None when no other is left."""
        return sum(self.probabilities) / len(self.probabilities) if self.probabilities else None


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


class Steering(LogitsProcessor):  # type: ignore[misc,no-any-unimported,unused-ignore]
    """Picks each row's next token and leaves `generate` no other choice.

    Greedy at temperature 0; else a sample from softmax(scores / temperature), drawn as the maximum of scores plus
    Gumbel noise (Gumbel 1954; Maddison, Tarlow and Minka 2014), which needs no second distribution.
    """

    def __init__(self, rows: list[Row], constrainer: Constrainer | None, eos: list[int]) -> None:
        """Take the rows in the batch's order and the tokens that end a reply."""
        self.rows = rows
        self._constrainer = constrainer
        self._eos = eos

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores [rows, vocabulary] that allow exactly the chosen token of each row."""
        del input_ids  # the rows remember what they chose
        scores = scores.detach().float()
        free = [self._constrain(row, scores[index]) for index, row in enumerate(self.rows)]
        total = scores.logsumexp(-1)
        noisy = self._noisy(scores)
        chosen = noisy.argmax(-1)
        probability = (scores.gather(-1, chosen[:, None])[:, 0] - total).exp().tolist()
        picked = chosen.tolist()
        for index, row in enumerate(self.rows):
            picked[index] = self._advance(row, picked[index], probability[index] if free[index] else None)
        only = torch.full_like(scores, _NEVER)
        return only.scatter_(1, torch.tensor(picked, device=scores.device)[:, None], 0.0)

    def _constrain(self, row: Row, scores: Tensor) -> bool:
        """Mask one row's scores in place; return whether there is a choice to make."""
        if row.finish is not None or row.matcher is None or self._constrainer is None or row.matcher.is_stopped():
            return True
        allowed = self._constrainer.allowed(row.matcher)
        count = int(allowed.sum())
        if count:
            scores[~torch.from_numpy(allowed).to(scores.device)] = _NEVER
        return count >= _ONE_CHOICE

    def _noisy(self, scores: Tensor) -> Tensor:
        if all(row.noise is None for row in self.rows):
            return scores
        noisy = scores.clone()
        for index, row in enumerate(self.rows):
            if row.noise is not None and row.finish is None:
                uniform = torch.rand(scores.shape[1], generator=row.noise).clamp_(min=1e-20).to(scores.device)
                noisy[index] = scores[index] / row.ask.temperature - (-uniform.log()).log()
        return noisy

    def _advance(self, row: Row, token: int, probability: float | None) -> int:
        """Record one row's token; return the token that `generate` shall see."""
        if row.finish is not None:
            return self._eos[0]
        if row.matcher is not None and row.matcher.is_stopped():
            return self._end(row, "stop")
        if len(row.tokens) >= row.ask.max_tokens:
            return self._end(row, "length")
        if token in self._eos:
            return self._end(row, "stop")
        if row.matcher is not None and not row.matcher.consume_token(token):
            row.error = f"the schema's decoder stopped: {row.matcher.get_error().strip()[:200]}"
            return self._end(row, "error")
        row.tokens.append(token)
        if probability is not None:
            row.probabilities.append(probability)
        return token

    def _end(self, row: Row, finish: Finish) -> int:
        row.finish = finish
        return self._eos[0]
