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
from sources import Reading, chunks, snips
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
ONE = ("Reply with one of them.", "One word.", "Write only the label.", "Nothing else.", "", "", "No other word.")
LEVELS = (
    ("easy", "medium", "hard"),
    ("short", "middling", "long"),
    ("low", "normal", "high"),
    ("simple", "fair", "deep"),
)
MEASURED = (
    "Rate how long the question is: {l}.",
    "Say how long the question is, {o}.",
    "Give the level of the question. Levels: {l}.",
    "Put the question on the scale {l}.",
    "Judge the effort of the question by its length; choose {o}.",
    "How much is asked here? {o}",
    "Assess the question. Possible replies: {l}.",
    "Is it {o}? Judge by the length of the question.",
    "Grade the question as {o}.",
)
KINDS = (
    "The label says what the question asks for. Labels: {l}.",
    "Tell what kind of answer is wanted: {o}.",
    "Name the kind of the question, one of {l}.",
    "Give the type of the answer in place of the answer: {l}.",
    "Which of these does the question want to know: {l}?",
    "Leave the answer out and write its type ({l}).",
    "The reply is not the answer but its kind, {o}.",
    "What is asked for, {o}?",
    "Question type: {l}.",
    "We count questions by type. Types: {l}.",
    "Decide whether it asks for {o}.",
)
ROUTED = (
    "Which team answers this? {l}.",
    "Route the question to {o}.",
    "Whose question is it: {o}?",
    "Forward it to one of these: {l}.",
    "Pick the department: {l}.",
    "Name the office in charge ({l}).",
    "Hand the question on. The teams are {l}.",
    "Only say who should answer, {o}.",
    "You sort letters for {l}. Give the one for this question.",
    "Select the responsible group from {l}.",
    "Assign the question: {o}.",
)
PRESENT = (
    "Say {yes} if {there}, {no} if {lacking}.",
    "{yes}: {there}. {no}: {lacking}.",
    "Reply {yes} where {there}, otherwise {no}.",
    "Is the answer there? {yes} or {no}.",
    "Can the question be answered from the text? Write {yes} or {no}.",
    "Check whether {there} ({yes}) or {lacking} ({no}).",
    "Write {yes} when {there} and {no} when {lacking}.",
    "Only tell whether {there}: {yes}, {no}.",
    "{no} if {lacking}, else {yes}.",
)
VERDICTS = (
    ("yes", "no"),
    ("yes", "no"),
    ("yes", "no"),
    ("true", "false"),
    ("found", "missing"),
    ("there", "absent"),
    ("Yes", "No"),
)
# The files of pages written by hand, and how one may call who looks after such questions.
DESKS = {
    "shops": ("shop", "sales", "store", "orders", "retail"),
    "staff": ("staff", "personnel", "HR", "employees", "people"),
    "public": ("town hall", "public", "citizens", "council", "services"),
    "technical": ("technical", "IT", "engineering", "devices", "support"),
    "encyclopedia": ("history", "knowledge", "library", "general", "reference"),
}


class Group(NamedTuple):
    """A class: words that name it, and texts that belong to it."""

    name: str
    texts: tuple[str, ...]


class Asked(NamedTuple):
    """What is asked about a question: a rule (`{l}` and `{o}` stand for the labels), the labels, and the right one."""

    rule: str
    labels: list[str]
    label: str


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


def _kind_asked(rng: random.Random) -> tuple[Asked, Reading]:
    """Ask what kind of answer a question wants."""
    item = rng.choice(trained())
    kinds = sorted({kind for _, kind in WH} | {"other"})
    label = question_kind(item.question)
    labels = list({label, *rng.sample(kinds, rng.randint(2, 4))})
    return Asked(rng.choice(KINDS), labels, label), item


def _level_asked(rng: random.Random) -> tuple[Asked, Reading]:
    """Ask how long a question is."""
    item = rng.choice(trained())
    labels = list(rng.choice(LEVELS))
    label = labels[(len(item.question) > 45) + (len(item.question) > 75)]
    return Asked(rng.choice(MEASURED), labels, label), item


def _desk_asked(rng: random.Random) -> tuple[Asked, Reading]:
    """Ask who takes a question about a page written by hand."""
    of_desk = {desk: [page for page in pages() if page.source.startswith(desk) and page.questions] for desk in DESKS}
    chosen = rng.sample(sorted(of_desk), rng.randint(2, 4))
    names = {desk: rng.choice(DESKS[desk]) for desk in chosen}
    page = rng.choice(of_desk[chosen[0]])
    question, answer = rng.choice(page.questions)
    item = Reading(page.title, page.text, question, answer, max(0, page.text.find(answer)))
    return Asked(rng.choice(ROUTED), [names[desk] for desk in chosen], names[chosen[0]]), item


def _presence_asked(rng: random.Random) -> tuple[Asked, Reading]:
    """Ask whether the passages answer a question."""
    labels = list(rng.choice(VERDICTS))
    there, lacking = rng.choice(wording.THERE), rng.choice(wording.LACKING)
    rule = rng.choice(PRESENT).format(yes=labels[0], no=labels[1], there=there, lacking=lacking)
    return Asked(rule, labels, rng.choice(labels)), rng.choice(trained())


def about_task(rng: random.Random) -> Example:
    """Return a question to be labelled, not answered: what it asks for, who takes it, whether it has an answer."""
    maker = rng.choices((_kind_asked, _desk_asked, _presence_asked, _level_asked), (3, 3, 4, 2))[0]
    asked, item = maker(rng)
    passages = distractors(item, rng.choice((0, 0, 1, 2)), rng, SHORT)
    if maker is not _presence_asked or asked.label == asked.labels[0]:
        text, _ = window(item.passage, item.start, len(item.answer), rng.choice((300, 450, 700, 2000)), rng)
        passages.insert(rng.randint(0, len(passages)), Passage(natural_heading(item.title, rng), text))
    elif not passages:
        other = near_miss(item, rng)
        other_text = other.passage if other is not item else rng.choice(chunks())[1]
        passages = [Passage(natural_heading(item.title, rng), window(other_text, 0, 0, 700, rng)[0])]
    labels = rng.sample(asked.labels, len(asked.labels))
    rule = asked.rule.replace("{l}", wording.listed(labels, rng)).replace("{o}", wording.any_of(labels))
    lead = rng.choice(("Do not answer the question.", "Leave the question itself open.", "", "", "", ""))
    system = wording.join_rules([rng.choice(wording.ROLES), lead, rule, rng.choice(ONE)], rng)
    user, _ = layout(passages, item.question, rng)
    at = [found.start() for found in re.finditer(rf"(?<!\w){re.escape(asked.label)}(?!\w)", system)]
    copies = (Copy(0, 0, at[-1], len(asked.label)),) if at else ()
    return Example((("system", system), ("user", user), ("assistant", asked.label)), copies)
