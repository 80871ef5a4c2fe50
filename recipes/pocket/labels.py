"""Label tasks: labels that change with every example, and labels of a question that is not to be answered.

What a label means is told, shown by examples, or both. A class is whatever holds texts that resemble each other: the
questions about one article, the questions about one page written by hand, the commands of one intent, the questions
about one topic of the invented world.
"""

import functools
import random
import re
import string
from collections.abc import Sequence
from typing import NamedTuple

import wording
import world
from forms import Copy, Example, Passage, layout
from readings import SHORT, WH, by_title, distractors, natural_heading, near_miss, question_kind, trained, window
from sources import chunks, snips
from written import pages

ASKED = (
    "Give the label of the message.",
    "Which label fits?",
    "Sort the message.",
    "Label the text.",
    "Classify the request.",
    "Name the class of the input.",
    "What is this about?",
    "You sort incoming messages.",
)
ONLY = (
    "Reply with the label only.",
    "Answer with one label and nothing else.",
    "Write only its name.",
    "One label, no other word.",
    "Your reply is exactly one of them.",
    "",
)
LEVELS = (("easy", "medium", "hard"), ("short", "middling", "long"), ("low", "normal", "high"))


class Group(NamedTuple):
    """A class: words that name it, and texts that belong to it."""

    name: str
    texts: tuple[str, ...]


@functools.cache
def _groups(kind: str) -> tuple[Group, ...]:
    if kind == "articles":
        wiki = {title: rows for title, rows in by_title().items() if not title.startswith(("Amazon", "Filtered"))}
        return tuple(
            Group(title.replace("_", " "), tuple(row.question for row in rows)) for title, rows in wiki.items()
        )
    if kind == "pages":
        return tuple(
            Group(re.sub(r"\.\w+ > .*", "", page.title).replace("-", " "), tuple(text for text, _ in page.questions))
            for page in pages()
            if len(page.questions) > 2
        )
    intents = sorted({row["intent"] for row in snips()})
    spaced = {intent: re.sub(r"(?<!^)(?=[A-Z])", " ", intent).lower() for intent in intents}
    return tuple(
        Group(spaced[intent], tuple(row["text"].strip() for row in snips() if row["intent"] == intent))
        for intent in intents
    )


def _topics(rng: random.Random) -> tuple[Group, ...]:
    topics = sorted({schema[0] for schema in world.SCHEMAS})
    chosen = rng.sample(topics, 4)
    return tuple(
        Group(topic, tuple(dict.fromkeys(rng.choice(world.fact(rng, topic).questions) for _ in range(5))))
        for topic in chosen
    )


def _classes(rng: random.Random) -> list[Group]:
    """Draw two to six classes of one kind or of several."""
    kind = rng.choices(("articles", "pages", "intents", "mixed"), (4, 2, 2, 3))[0]
    if kind == "mixed":
        drawn = [*rng.sample(_groups("articles"), 2), *rng.sample(_groups("intents"), 3), *_topics(rng)]
    else:
        drawn = list(_groups(kind))
    return rng.sample(drawn, min(len(drawn), rng.choice((2, 3, 4, 5, 5, 5, 6))))


def _written(names: Sequence[str], rng: random.Random) -> list[str]:
    """Write the classes' names as labels are written, all in one style; sometimes the label says nothing."""
    style = rng.random()
    if style < 0.12:
        return rng.sample(string.ascii_uppercase, len(names))
    if style < 0.24:
        return rng.sample([*world.COLOURS, *world.GOODS, *world.PLACES], len(names))
    words = [re.findall(r"[A-Za-z0-9]+", name)[:3] or ["other"] for name in names]
    joined: list[str] = []
    shape = rng.choice(("snake", "snake", "snake", "plain", "kebab", "camel", "upper"))
    for parts in words:
        lowered = [part.lower() for part in parts]
        joined.append(
            {
                "snake": "_".join(lowered),
                "plain": " ".join(lowered),
                "kebab": "-".join(lowered),
                "camel": "".join(part.capitalize() for part in lowered),
                "upper": "_".join(lowered).upper(),
            }[shape]
        )
    return joined


def _drawn(groups: Sequence[Group], labels: Sequence[str], count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Draw `count` further (text, label) pairs beside one of each class, and last the pair that is asked."""
    pools = [rng.sample(group.texts, min(len(group.texts), count + 2)) for group in groups]
    asked = rng.randrange(len(groups))
    last = (pools[asked].pop(), labels[asked])
    rows = [(pool.pop(), label) for pool, label in zip(pools, labels, strict=True)]
    for _ in range(count):
        which = rng.randrange(len(groups))
        if pools[which]:
            rows.append((pools[which].pop(), labels[which]))
    rng.shuffle(rows)
    return [*rows, last]


def resemblance_task(rng: random.Random) -> Example:
    """Return a text to be labelled like the shown texts that it resembles."""
    groups = _classes(rng)
    labels = _written([group.name for group in groups], rng)
    if len(set(labels)) < len(labels):
        return resemblance_task(rng)
    *shown, (text, label) = _drawn(groups, labels, rng.choice((0, 1, 3, 3, 5)), rng)
    telling = rng.random() < 0.25 and labels[0].lower() not in map(str.lower, string.ascii_uppercase)
    if telling:
        shown = []
    rules = [rng.choice(ASKED)]
    if telling or rng.random() < 0.75:
        listed = rng.sample(labels, len(labels))
        rules.append(wording.label_rule(rng.choice(("label", "label", "The label", "class", "topic")), listed, rng))
    system = wording.join_rules([*rules, rng.choice(ONLY)], rng)
    messages = [("system", system)]
    for question, answer in shown:
        messages += [("user", question), ("assistant", answer)]
    messages += [("user", text), ("assistant", label)]
    source = next((n for n, message in enumerate(messages[:-1]) if message == ("assistant", label)), 0)
    at = messages[source][1].find(label)
    copies = (Copy(0, source, at, len(label)),) if at >= 0 else ()
    return Example(tuple(messages), copies)


def _verdicts(rng: random.Random) -> tuple[str, str]:
    return rng.choice((("yes", "no"), ("yes", "no"), ("true", "false"), ("found", "missing"), ("there", "absent")))


def about_task(rng: random.Random) -> Example:
    """Return a question that is to be labelled: what it asks for, how long it is, whether the passages answer it."""
    item = rng.choice(trained())
    way, passages = rng.random(), distractors(item, rng.choice((0, 0, 1, 2)), rng, SHORT)
    text, _ = window(item.passage, item.start, len(item.answer), rng.choice((300, 450, 700, 2000)), rng)
    holds = True
    if way < 0.3:
        kinds = sorted({kind for _, kind in WH} | {"other"})
        label = question_kind(item.question)
        labels = sorted({label, *rng.sample(kinds, rng.randint(2, 4))})
        told = "The label says what the question asks for."
    elif way < 0.7:
        yes, no = _verdicts(rng)
        labels, holds = [yes, no], rng.random() < 0.5
        label = yes if holds else no
        there, lacking = rng.choice(wording.THERE), rng.choice(wording.LACKING)
        told = rng.choice((f"Say {yes} if {there}, {no} if {lacking}.", f"{yes}: {there}. {no}: {lacking}.",
                           f"Reply {yes} where {there}, otherwise {no}."))  # fmt: skip
    else:
        labels = list(rng.choice(LEVELS))
        label = labels[(len(item.question) > 45) + (len(item.question) > 75)]
        told = rng.choice(("Rate how hard the question is.", "Say how long the question is.", "Give the level."))
    if holds:
        passages.insert(rng.randint(0, len(passages)), Passage(natural_heading(item.title, rng), text))
    elif not passages:
        other = near_miss(item, rng)
        other_text = other.passage if other is not item else rng.choice(chunks())[1]
        passages = [Passage(natural_heading(item.title, rng), window(other_text, 0, 0, 700, rng)[0])]
    rng.shuffle(labels)
    lead = rng.choice(("Do not answer the question.", "Leave the question itself open.", "", "", "Sort the question."))
    which = "" if way >= 0.3 and way < 0.7 else wording.label_rule(rng.choice(("label", "label", "kind")), labels, rng)
    only = rng.choice(("Reply with one of them.", "One word.", "Write only the label.", "Nothing else.", ""))
    system = wording.join_rules([rng.choice(wording.ROLES), lead, told, which, only], rng)
    user, _ = layout(passages, item.question, rng)
    copies = (Copy(0, 0, system.index(label), len(label)),) if label in system else ()
    return Example((("system", system), ("user", user), ("assistant", label)), copies)
