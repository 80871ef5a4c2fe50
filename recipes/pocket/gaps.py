"""Gap tasks: a span that stands in two sentences of a text is cut out of one and has to be found in the other.

Recurring span selection (Ram, Kirstain, Berant, Globerson, Levy: "Few-Shot Question Answering by Pretraining Span
Selection", ACL 2021): documentation that nobody wrote questions for teaches matching and exact copying this way.
"""

import functools
import random
import re
from typing import NamedTuple

import wording
from forms import Copy, Example, Passage, layout
from sources import paragraphs

COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can could did do does for from had has have he her his how i if in "
        "into is it its may more most must no not of on one or our out over she should so some such than that "
        "the their them then there these they this those to under up use used uses using was we were what "
        "when where which while who will with would you your ",
    )
)
ASKS = (
    "Fill in the gap: {}",
    "What belongs in the gap? {}",
    "{}",
    "Complete the sentence: {}",
    "Which words are missing here: {}",
    "Find the missing words. {}",
)
RULES = (
    "Fill the gap with words from the passages.",
    "Reply with the missing words only.",
    "Give the words that belong in the gap, as the text has them.",
    "The missing words stand in the text. Quote them.",
    "Complete the sentence from the passages.",
    "",
)


class Gap(NamedTuple):
    """A text without one of its sentences, that sentence with a gap, and where the missing span stands in the text."""

    title: str
    text: str
    sentence: str
    start: int
    answer: str


def _spans(sentence: str) -> list[str]:
    """Return the runs of one to five words of a sentence that could be worth asking for."""
    words = list(re.finditer(r"\w[\w'\u2019./-]*\w|\w", sentence))
    out = []
    for first, opening in enumerate(words):
        for last in range(first, min(first + 5, len(words))):
            ends = opening[0].lower(), words[last][0].lower()
            span = sentence[opening.start() : words[last].end()]
            if not COMMON & set(ends) and len(span) > 3 and not re.search(r"[.,;:!?()\n] ", span):
                out.append(span)
    return out


def _worth(span: str) -> float:
    """Say how much a span is worth asking for: names, codes and numbers most, single everyday words least."""
    return 0.1 + 3 * bool(re.search(r"\d|[A-Z_]", span[1:])) + 1.5 * span[:1].isupper() + 1.0 * (" " in span)


def gap_in(title: str, text: str, rng: random.Random) -> Gap | None:
    """Cut one sentence out of a text and a span out of the sentence, None where no span recurs."""
    pieces = [
        match for match in re.finditer(r"[^.!?\n]*(?:[.!?](?!\s)[^.!?\n]*)*(?:[.!?](?=\s|$)|\n|$)", text) if match[0]
    ]
    choices = []
    for piece in pieces:
        sentence = piece[0].strip()
        if not 30 <= len(sentence) <= 260:
            continue
        rest = text[: piece.start()] + text[piece.end() :]
        for span in _spans(sentence):
            if sentence.count(span) == 1 and (found := re.search(rf"(?<!\w){re.escape(span)}(?!\w)", rest)):
                choices.append((sentence, rest, span, found.start()))
    if not choices:
        return None
    weights = [_worth(choice[2]) for choice in choices]
    sentence, rest, span, at = rng.choices(choices, weights)[0]
    return Gap(title, rest, sentence.replace(span, rng.choice(("____", "___", "...", "[?]"))), at, span)


@functools.cache
def _texts() -> tuple[tuple[str, str], ...]:
    return tuple(paragraphs())


def gap_task(rng: random.Random) -> Example:
    """Return a sentence with a gap and passages, one of which holds the missing words."""
    while (gap := gap_in(*rng.choice(_texts()), rng)) is None:
        pass
    shown = [(Passage(gap.title, gap.text), True)]
    for _ in range(rng.choice((0, 0, 1, 2))):
        title, text = rng.choice(_texts())
        if gap.answer not in text:
            shown.append((Passage(title, text[: rng.choice((250, 400))]), False))
    rng.shuffle(shown)
    user, starts = layout([passage for passage, _ in shown], rng.choice(ASKS).format(gap.sentence), rng)
    which = next(index for index, (_, holds) in enumerate(shown) if holds)
    rules = wording.join_rules([rng.choice(wording.ROLES), rng.choice(RULES), rng.choice(wording.SHORT)], rng)
    messages = [("system", rules)] if rules else []
    copies = (Copy(0, len(messages), starts[which] + gap.start, len(gap.answer)),)
    return Example((*messages, ("user", user), ("assistant", gap.answer)), copies)
