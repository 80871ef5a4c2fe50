"""Questions about pages written by hand: how organisations put things, and how people ask about them.

`written/*.jsonl` holds the pages, made up for this recipe: `title`, `text`, `questions` (each with the span that
answers) and `absent`, questions close to the subject that the page does not answer.
"""

import functools
import json
import random
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import wording
from forms import Example, Passage
from readings import assemble, choose_form, without_span

from levers.model.embed import MiniLM


class Page(NamedTuple):
    """A page, the questions it answers as (question, span), and questions that it does not answer; its file's name."""

    title: str
    text: str
    questions: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]
    source: str


@functools.cache
def pages() -> tuple[Page, ...]:
    """Return all pages."""
    out = []
    for path in sorted((Path(__file__).parent / "written").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            questions = tuple((question, answer) for question, answer in row["questions"])
            out.append(Page(row["title"], row["text"], questions, tuple(row["absent"]), path.stem))
    return tuple(out)


@functools.cache
def _found() -> dict[str, tuple[Page, ...]]:
    """Return the ten pages that MiniLM's vectors bring for each question, best first: what a search would show."""
    embedder = MiniLM()
    asked = sorted({question for page in pages() for question in (*(each for each, _ in page.questions), *page.absent)})
    shown = embedder.embed([f"{page.title}\n{page.text}" for page in pages()], "passage")
    near = np.argsort(-(embedder.embed(asked, "query") @ shown.T), axis=1)[:, :10]
    return {question: tuple(pages()[at] for at in row) for question, row in zip(asked, near.tolist(), strict=True)}


def beside(page: Page, question: str, answer: str, rng: random.Random) -> Page:
    """Return another page that a search would bring for the question, without the answer."""
    others = [other for other in _found()[question] if other is not page and answer not in other.text]
    return rng.choice(others[:6]) if others else rng.choice(pages())


def _start(text: str, span: str) -> int:
    """Return where a span stands as whole words, -1 where it does not."""
    found = re.search(rf"(?<!\w){re.escape(span)}(?!\w)", text)
    return found.start() if found else text.find(span)


def _heading(title: str, rng: random.Random) -> str:
    file, _, part = title.partition(" > ")
    return rng.choice((title, title, f"docs/{title}", part or file, file))


def written_task(rng: random.Random) -> Example:
    """Return a question about a page, alone or among others; three in ten have no answer there."""
    page = rng.choice(pages())
    question, answer = rng.choice(page.questions)
    at, text = _start(page.text, answer), page.text
    absent = rng.random() < 0.3
    if absent:
        question, at = rng.choice(page.absent), -1
        if rng.random() < 0.1:
            question, answer = rng.choice(page.questions)
            text = without_span(text, _start(text, answer), len(answer))
            absent = bool(text) and answer not in text
            text, at = (text, -1) if absent else (page.text, _start(page.text, answer))
    texts = {page: text}
    for _ in range(rng.choice((0, 0, 0, 0, 0, 1) if page.source.startswith("encyclopedia") else (0, 0, 0, 0, 1, 1, 3))):
        other = beside(page, question, answer, rng)
        texts.setdefault(other, other.text)
    order = list(texts)
    rng.shuffle(order)
    if page in _found()[question] and rng.random() < 0.6:  # as searched: the right page is often first, not always
        order.sort(key=(*_found()[question], *order).index)
    shown = [(Passage(_heading(each.title, rng), texts[each]), each is page) for each in order]
    which = next(index for index, (_, holds) in enumerate(shown) if holds)
    refusal = rng.choice(wording.REFUSALS) if absent or rng.random() < 0.85 else None
    holds = not absent if refusal is not None else None
    form = choose_form(rng, None, [], None if absent else which + 1, 0.5, holds)
    gold = (-1, 0, refusal or "") if absent else (which, at, answer)
    return assemble([passage for passage, _ in shown], gold, question, form, refusal, rng)
