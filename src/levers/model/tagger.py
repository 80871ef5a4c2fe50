"""The network of an extraction student: an encoder, tags on its words, choices on its vector. Imports torch."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from levers.model.extract import Form, Span, stretches, words, write_reply
from levers.model.student import MAX_TOKENS, SentenceEncoder


class Scored(NamedTuple):
    """Scores of a batch of texts: `tags` [words of all texts, tags], and for each chosen field [texts, choices].

    `words` are the spans of the words that were read, text by text; `lengths` the tokens read.
    """

    words: list[list[Span]]
    tags: Tensor
    chosen: list[Tensor]
    lengths: list[int]


class Tagger(torch.nn.Module):
    """Linear layers over an encoder's states: one for the tags of words, one for each chosen field."""

    def __init__(self, encoder: SentenceEncoder, form: Form) -> None:
        """Start with random layers."""
        super().__init__()
        size = encoder.model.config.hidden_size
        self.encoder, self.form = encoder, form
        self.tags = torch.nn.Linear(size, form.tags)
        self.chosen = torch.nn.ModuleList([torch.nn.Linear(size, len(field.choices)) for field in form.chosen])

    def forward(self, texts: Sequence[str]) -> Scored:
        """Score a batch; each word by the state of its first token."""
        read, states, mean, lengths = word_states(self.encoder, texts)
        return Scored(read, self.tags(states), [layer(mean) for layer in self.chosen], lengths)

    def replies(self, texts: Sequence[str]) -> list[tuple[str, float, int]]:
        """Return for each text the reply, its confidence and the tokens read.

        The confidence is the geometric mean of the probabilities of all tags and choices that make the reply.
        """
        scored = self(texts)
        sure, best = scored.tags.log_softmax(-1).max(-1)
        picks = [each.log_softmax(-1).max(-1) for each in scored.chosen]
        found, at = [], 0
        for row, (text, spans) in enumerate(zip(texts, scored.words, strict=True)):
            end = at + len(spans)
            copied = [(field, text[left:right]) for field, (left, right) in stretches(spans, best[at:end].tolist())]
            chosen = [field.choices[int(pick[1][row])] for field, pick in zip(self.form.chosen, picks, strict=True)]
            logs = torch.cat([sure[at:end], *[pick[0][row : row + 1] for pick in picks]])
            confidence = float(logs.mean().exp()) if len(logs) else 1.0
            found.append((write_reply(self.form, copied, chosen), confidence, scored.lengths[row]))
            at = end
        return found


def word_states(encoder: SentenceEncoder, texts: Sequence[str]) -> tuple[list[list[Span]], Tensor, Tensor, list[int]]:
    """Return each text's words that were read, their states [words of all texts, size], mean states, and tokens."""
    given = encoder.tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=MAX_TOKENS,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    offsets = given.pop("offset_mapping").tolist()
    hidden: Tensor = encoder.model(**given).last_hidden_state
    read: list[list[Span]] = []
    rows, places = [], []
    for row, text in enumerate(texts):
        first = {start: at for at, (start, end) in reversed(list(enumerate(offsets[row]))) if end > start}
        own = [span for span in words(text) if span[0] in first]
        read.append(own)
        rows += [row] * len(own)
        places += [first[span[0]] for span in own]
    weight = given["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * weight).sum(1) / weight.sum(1)
    states = hidden[torch.tensor(rows, dtype=torch.long), torch.tensor(places, dtype=torch.long)]
    return read, states, mean, given["attention_mask"].sum(-1).tolist()
