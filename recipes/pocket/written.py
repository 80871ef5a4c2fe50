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

import wording
from forms import Example, Passage
from readings import assemble, choose_form, content_words, without_span


class Page(NamedTuple):
    """A page, the questions it answers as (question, span), and questions that it does not answer."""

    title: str
    text: str
    questions: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]


@functools.cache
def pages() -> tuple[Page, ...]:
    """Return all pages."""
    out = []
    for path in sorted((Path(__file__).parent / "written").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            questions = tuple((question, answer) for question, answer in row["questions"])
            out.append(Page(row["title"], row["text"], questions, tuple(row["absent"])))
    return tuple(out)


def beside(page: Page, question: str, answer: str, rng: random.Random) -> Page:
    """Return another page such as a search would find: the closest of forty to the question, without the answer."""
    asked = content_words(question)
    others = [other for other in rng.sample(pages(), 40) if other is not page and answer not in other.text]
    return max(others, key=lambda other: len(asked & content_words(other.text)))


def _start(text: str, span: str) -> int:
    """Return where a span stands as whole words, -1 where it does not."""
    found = re.search(rf"(?<!\w){re.escape(span)}(?!\w)", text)
    return found.start() if found else text.find(span)


def _heading(title: str, rng: random.Random) -> str:
    file, _, part = title.partition(" > ")
    return rng.choice((title, title, f"docs/{title}", part or file, file))


def written_task(rng: random.Random) -> Example:
    """Return a question about a page, alone or among others; one in five has no answer there."""
    page = rng.choice(pages())
    question, answer = rng.choice(page.questions)
    at, text = _start(page.text, answer), page.text
    absent = rng.random() < 0.2
    if absent:
        question, at = rng.choice(page.absent), -1
        if rng.random() < 0.25:
            question, answer = rng.choice(page.questions)
            text = without_span(text, _start(text, answer), len(answer))
            absent = bool(text) and answer not in text
            text, at = (text, -1) if absent else (page.text, _start(page.text, answer))
    shown = [(Passage(_heading(page.title, rng), text), True)]
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3))):
        other = beside(page, question, answer, rng)
        shown.append((Passage(_heading(other.title, rng), other.text), False))
    rng.shuffle(shown)
    which = next(index for index, (_, holds) in enumerate(shown) if holds)
    refusal = rng.choice(wording.REFUSALS) if absent or rng.random() < 0.65 else None
    holds = not absent if refusal is not None else None
    form = choose_form(rng, None, [], None if absent else which + 1, 0.5, holds)
    gold = (-1, 0, refusal or "") if absent else (which, at, answer)
    return assemble([passage for passage, _ in shown], gold, question, form, refusal, rng)
