"""Reading tasks: answers from passages, natural ones (squadshifts) and invented ones, in every form, with refusals."""

import functools
import random
import re
from collections.abc import Sequence

import wording
import world
from forms import (
    Copy,
    Example,
    Form,
    Passage,
    Span,
    cited_form,
    flag,
    flag_copy,
    json_fields,
    json_form,
    layout,
)
from schemas import MANNERS
from sources import Reading, chunks, readings, unanswered
from twists import twisted
from wrapping import bound_form, plain_form, wrapping_copies

WH = (
    ("who", "person"),
    ("when", "time"),
    ("where", "place"),
    ("how many", "number"),
    ("how much", "number"),
    ("why", "reason"),
    ("how", "manner"),
    ("which", "thing"),
    ("what", "thing"),
)
SHORT, LONG = (200, 300, 450, 700), (450, 700, 900, 900)  # characters of a passage beside the right one
AFTER_EXAMPLES = (
    "Answer the question from the passages.",
    "Answer from the passages, as short as possible.",
    "Use only the text. Reply with the answer alone.",
    "Answer like the examples.",
    "",
)


@functools.cache
def held_out() -> frozenset[str]:
    """Return passages that are never trained on: those of the recipe's own quick checks (one in sixty)."""
    passages = sorted({item.passage for item in readings()})
    return frozenset(passages[::60])


@functools.cache
def trained() -> tuple[Reading, ...]:
    """Return the readings that training may use."""
    return tuple(item for item in readings() if item.passage not in held_out())


@functools.cache
def by_title() -> dict[str, list[Reading]]:
    """Return the trained readings of each title."""
    out: dict[str, list[Reading]] = {}
    for item in trained():
        out.setdefault(item.title, []).append(item)
    return out


@functools.cache
def encyclopedic() -> tuple[Reading, ...]:
    """Return the trained readings of Wikipedia: reviews and comments are asked vaguer questions, and are more."""
    return tuple(item for item in trained() if not item.title.startswith(("Amazon", "Filtered")))


def window(text: str, at: int, length: int, limit: int, rng: random.Random) -> tuple[str, int]:
    """Cut a text to about `limit` characters at sentence ends, around the span; return it and the span's new start."""
    if len(text) <= limit:
        return text, at
    cuts = [0, *(match.end() for match in re.finditer(r"[.!?]\s+|\n+", text)), len(text)]
    first = max(cut for cut in cuts if cut <= at)
    last = min(cut for cut in cuts if cut >= min(at + length, len(text)))
    while True:
        grown = [(low, last) for low in cuts if low < first][-1:] + [(first, high) for high in cuts if high > last][:1]
        grown = [(low, high) for low, high in grown if high - low <= limit]
        if not grown:
            break
        first, last = rng.choice(grown)
    return text[first:last].rstrip(), at - first


def natural_heading(title: str, rng: random.Random) -> str:
    """Return a heading path for a natural passage."""
    words = title.replace("_", " ")
    if words.startswith(("Amazon Reviews", "Filtered Reddit")):
        words = rng.choice(("review", "comment", "post", "forum", "notes", "feedback"))
    part = rng.choice(("Overview", "History", "Details", "Part " + str(rng.randint(1, 9)), "Background", "Notes"))
    return rng.choice(
        (
            f"{words.lower().replace(' ', '-')}.md > {part}",
            f"{words.lower().replace(' ', '-')}.md",
            words,
            f"{words} > {part}",
            f"docs/{words.lower()}.txt",
        )
    )


def question_kind(question: str) -> str:
    """Return what a question asks for, by its first question word."""
    lowered = question.lower()
    return next((kind for word, kind in WH if re.search(rf"\b{word}\b", lowered)), "other")


@functools.cache
def content_words(text: str) -> frozenset[str]:
    """Return the words of four letters and more of a text, in lower case, cut to five letters."""
    return frozenset(word[:5] for word in re.findall(r"[a-z0-9]{4,}", text.lower()))


def _beside(item: Reading) -> Sequence[Reading]:
    """Return the readings of the same title; all of them for a page written by hand."""
    return by_title().get(item.title) or trained()


def near_miss(item: Reading, rng: random.Random) -> Reading:
    """Return the one of thirty readings of the same title whose passage shares most with the question."""
    asked = content_words(item.question)
    others = [other for other in rng.choices(_beside(item), k=30) if other.passage != item.passage]
    fitting = [other for other in others if item.answer.lower() not in other.passage.lower()]
    return max(fitting or [item], key=lambda other: len(asked & content_words(other.passage)))


def distractors(item: Reading, count: int, rng: random.Random, limits: tuple[int, ...] = SHORT) -> list[Passage]:
    """Return other passages: half are such as a search would find, the rest any; `limits` are lengths in characters."""
    out = []
    for _ in range(count):
        if rng.random() < 0.15:
            title, text = rng.choice(chunks())
        else:
            other = near_miss(item, rng) if rng.random() < 0.6 else rng.choice(trained())
            title, text = other.title, other.passage
        if text == item.passage or item.answer in text:
            continue
        text, _ = window(text, rng.randint(0, len(text) - 1), 0, rng.choice(limits), rng)
        out.append(Passage(natural_heading(title, rng), text))
    return out


def unanswerable_task(rng: random.Random) -> Example:
    """Return a question in the wording of people whose passage, close to the subject, does not answer it."""
    wiki = [title for title in by_title() if not title.startswith(("Amazon", "Filtered"))]
    way = rng.random()
    if way < 0.15:
        question, title, text = rng.choice(unanswered())
    elif way < 0.65:
        item = rng.choice(by_title()[rng.choice(wiki)]) if rng.random() < 0.8 else rng.choice(trained())
        near = [other.passage for other in rng.choices(by_title()[item.title], k=2)]
        question, title, text = twisted(item.question, item.passage, near, rng) or "", item.title, item.passage
        if not question:
            return unanswerable_task(rng)
    else:
        item = rng.choice(by_title()[rng.choice(wiki)])
        other = near_miss(item, rng)
        question, title, text = item.question, other.title, other.passage
        if other is item:
            text = without_span(text, item.start, len(item.answer)) or rng.choice(chunks())[1]
    if not 0.15 <= way < 0.65:
        text, _ = window(text, 0, 0, rng.choice((300, 450, 700, 1500)), rng)
    refusal = rng.choice(wording.REFUSALS)
    passages = [Passage(natural_heading(title, rng), text)]
    if rng.random() < 0.3:
        passages.append(Passage(*rng.choice(chunks())))
    form = choose_form(rng, None, [], None, 0.35, holds=False)
    return assemble(passages, (-1, 0, refusal), question, form, refusal, rng)


def without_span(text: str, at: int, length: int) -> str:
    """Return a text without the sentence around a span."""
    cuts = [0, *(match.end() for match in re.finditer(r"[.!?]\s+|\n+", text)), len(text)]
    first = max(cut for cut in cuts if cut <= at)
    last = min(cut for cut in cuts if cut >= min(at + length, len(text)))
    return (text[:first] + text[last:]).strip()


def choose_form(
    rng: random.Random,
    topic: str | None,
    topics: list[str],
    source: int | None,
    json_share: float,
    holds: bool | None = None,
) -> Form:
    """Draw a form for the reply; `holds` says whether the answer is there, None that no field may depend on it."""
    at = rng.random()
    if at < json_share:
        with_topic = topic is not None and rng.random() < 0.6
        with_source = source is not None and rng.random() < 0.25
        flagged = holds is not None and rng.random() < (0.8 if holds else 0.9)
        shown = json_fields(rng, topic if with_topic else None, topics, source if with_source else None)
        return json_form(rng, shown, flag(rng, holds) if flagged else None)
    if at < json_share + 0.05 and source is not None:
        return cited_form(rng, source)
    return plain_form(rng)


def assemble(
    passages: list[Passage],
    gold: tuple[int, int, str],
    question: str,
    form: Form,
    refusal: str | None,
    rng: random.Random,
) -> Example:
    """Put an example together.

    Args:
        passages: in the order shown.
        gold: (index of the passage that holds the answer or -1, where in its text, the answer).
        question: the question.
        form: how to reply.
        refusal: the phrase for a missing answer, where the instructions name one.
        rng: draws the wording.
    """
    which, at, answer = gold
    if form.kind == "list":
        answer = _items(answer)
    rules = [rng.choice(wording.GROUNDED), *rng.sample(MANNERS, rng.choice((0, 0, 0, 0, 1, 3))), *form.rules]
    refusing = ""
    if refusal is not None:
        refusing = (form.refusing or rng.choice(wording.REFUSE_RULES)).replace("{r}", refusal)
        rules.append(refusing)
    if rng.random() < 0.4:
        rng.shuffle(rules)
    system = _limited(wording.join_rules([rng.choice(wording.ROLES), *rules], rng), answer, rng)
    reply = form.before + _escaped(answer, form) + form.after
    head = len(form.before)
    if rng.random() < 0.05 and len(passages) == 1:
        system = f"{system}\n\n{passages[0].text}"
        there = len(system) - len(passages[0].text) + at
        copies = (Copy(head, 0, there, len(answer)),) if which >= 0 else ()
        span = Span(0, there, len(gold[2])) if which >= 0 else Span(0, 0, 0)
        return Example((("system", system), ("user", question), ("assistant", reply)), copies, span)
    user, starts = layout(passages, question, rng)
    messages = [("system", system)] if system and (refusal is not None or rng.random() < 0.97) else []
    copies = ()
    span = Span(len(messages), starts[which] + at, len(gold[2])) if which >= 0 else Span(0, 0, 0)
    if which >= 0 and "\n- " not in answer:
        copies = (Copy(head, len(messages), starts[which] + at, len(answer)),)
    elif which < 0 and refusal is not None and refusal in system and messages:
        copies = (Copy(head, 0, system.index(refusal), len(refusal)),)
    if messages:
        copies += flag_copy(form, refusing if form.refusing else "", system, reply)
        copies += wrapping_copies(form, system, reply)
    return Example((*messages, ("user", user), ("assistant", reply)), copies, span)


def _items(answer: str) -> str:
    """Write an answer of several parts as a list, one part a line."""
    parts = re.split(r",? and |, ", answer)
    return "\n- ".join(parts) if len(parts) > 2 or (len(parts) == 2 and "," not in answer) else answer


def _limited(system: str, answer: str, rng: random.Random) -> str:
    """Fill in a number of words that the answer keeps to, in digits or in letters."""
    most = len(answer.split()) + rng.choice((0, 0, 1, 2, 4))
    spelled = rng.random() < 0.4 and most + 1 < len(wording.NUMBERS)
    most_of, more = (wording.NUMBERS[most], wording.NUMBERS[most + 1]) if spelled else (str(most), str(most + 1))
    return system.replace("{n}", most_of).replace("{m}", more)


def _escaped(answer: str, form: Form) -> str:
    return answer.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") if form.kind == "json" else answer


def reading_task(rng: random.Random, progress: float) -> Example:
    """Return a natural question with one or several passages; one in ten has no answer there."""
    item = rng.choice(encyclopedic() if rng.random() < 0.5 else trained())
    several = rng.random() < 0.2
    crowded = several and rng.random() < 0.3
    limit = rng.choice((250, 350, 450)) if rng.random() < 0.75 - 0.5 * progress and not crowded else 2000
    limit = min(limit, 700) if several and not crowded else limit
    text, at = window(item.passage, item.start, len(item.answer), limit, rng)
    absent = rng.random() < 0.1
    refusal = rng.choice(wording.REFUSALS) if absent or rng.random() < 0.35 else None
    kinds = sorted({kind for _, kind in WH} | {"other"})
    topic = question_kind(item.question) if rng.random() < 0.4 else None
    passages = distractors(item, rng.randint(1, 4), rng) if several else []
    if crowded:
        passages = distractors(item, 4, rng, LONG)
    if absent:
        bare = without_span(text, at, len(item.answer))
        if bare and rng.random() < 0.25 and item.answer not in bare:
            passages.append(Passage(natural_heading(item.title, rng), bare))
        elif not passages:
            passages = distractors(item, 1, rng) or [Passage("", rng.choice(chunks())[1])]
        rng.shuffle(passages)
        form = choose_form(rng, topic, rng.sample(kinds, len(kinds)), None, 0.25, holds=False)
        return assemble(passages, (-1, 0, refusal or ""), item.question, form, refusal, rng)
    gold = Passage(natural_heading(item.title, rng) if rng.random() < 0.85 else "", text)
    which = rng.randint(0, len(passages))
    passages.insert(which, gold)
    holds = True if refusal is not None else None
    form = choose_form(rng, topic, rng.sample(kinds, len(kinds)), which + 1, 0.25, holds)
    return assemble(passages, (which, at, item.answer), item.question, form, refusal, rng)


def form_task(rng: random.Random) -> Example:
    """Return a natural question on a short passage, its answer in few words, in a list, or with something around it."""
    item = rng.choice(trained())
    text, at = window(item.passage, item.start, len(item.answer), rng.choice((200, 300, 450)), rng)
    gold = Passage(natural_heading(item.title, rng) if rng.random() < 0.7 else "", text)
    return assemble([gold], (0, at, item.answer), item.question, bound_form(rng), None, rng)


def shown_reading(rng: random.Random) -> Example:
    """Return a question after one to four answered ones, all in one form; the rules may leave it to the examples."""
    seed, refusal = rng.random(), rng.choice(wording.REFUSALS) if rng.random() < 0.5 else None
    told = [_answered(item, refusal, seed, rng) for item in rng.sample(trained(), rng.randint(2, 5))]
    if any(len(each.messages) < 3 or not each.messages[1][1].count("\n") for each in told):
        return shown_reading(rng)  # without rules, or with the passage among them
    *shown, asked = told
    turns = [message for each in shown for message in each.messages[1:]]
    rules, copies = asked.messages[:1], asked.copies
    if rng.random() < 0.4 and (refusal is None or any(refusal in text for _, text in turns)):
        lead = rng.choice(AFTER_EXAMPLES)
        rules, copies = ((("system", lead),) if lead else ()), tuple(each for each in copies if each.message)
    question = len(rules) + len(turns)
    copies = tuple(each._replace(message=question) if each.message else each for each in copies)
    span = asked.span and asked.span._replace(message=question)
    return Example((*rules, *turns, *asked.messages[1:]), copies, span)


def _answered(item: Reading, refusal: str | None, seed: float, rng: random.Random) -> Example:
    """Return a question with its passage, or where a refusal is agreed on sometimes another, in the form of a seed."""
    other = near_miss(item, rng)
    absent = refusal is not None and other is not item and rng.random() < 0.25
    limit = rng.choice((200, 350, 500))
    text, at = window(item.passage, item.start, len(item.answer), limit, rng)
    if absent:
        text, _ = window(other.passage, other.start, 0, limit, rng)
    drawn = random.Random(seed)
    kinds = sorted({kind for _, kind in WH} | {"other"})
    labels = drawn.sample(kinds, len(kinds))
    if drawn.random() < 0.6:
        shown = json_fields(drawn, question_kind(item.question) if drawn.random() < 0.4 else None, labels, None)
        flagged = flag(drawn, not absent) if refusal is not None and drawn.random() < 0.7 else None
        form = json_form(drawn, shown, flagged)
    else:
        form = plain_form(drawn)
    gold = (-1, 0, refusal or "") if absent else (0, at, item.answer)
    return assemble([Passage(natural_heading(item.title, rng), text)], gold, item.question, form, refusal, drawn)


def support_task(rng: random.Random) -> Example:
    """Return a question about invented pages, most often to be answered in JSON with a flag: short, to drill flags."""
    topics = sorted({schema[0] for schema in world.SCHEMAS})
    asked = world.fact(rng)
    pages: list[list[world.Fact]] = [[asked]]
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        pages.append([])
    for facts in pages:
        topic = asked.topic if facts or rng.random() < 0.5 else rng.choice(topics)
        for _ in range(rng.choice((1, 2, 2, 3))):
            other = world.fact(rng, topic if rng.random() < 0.8 else None)
            if not set(other.questions) & set(asked.questions):
                facts.insert(rng.randint(0, len(facts)), other)
    question = rng.choice(asked.questions)
    absent = rng.random() < 0.3
    if absent:
        pages = [[item for item in facts if item is not asked] for facts in pages]
    shown = [
        (Passage(world.heading(facts[0].topic, rng), world.page(facts, rng)), asked in facts)
        for facts in pages
        if facts
    ]
    shown = shown or [(Passage(world.heading("hours", rng), rng.choice(world.FILLERS)), False)]
    rng.shuffle(shown)
    passages = [passage for passage, _ in shown]
    which = next((index for index, (_, holds) in enumerate(shown) if holds), -1)
    refusal = rng.choice(wording.REFUSALS) if absent or rng.random() < 0.85 else None
    labels = rng.sample(
        sorted({asked.topic, *rng.sample(topics, rng.randint(2, 7))}), k=len({asked.topic})
    ) + rng.sample(topics, 3)
    labels = list(dict.fromkeys([*labels, asked.topic]))
    rng.shuffle(labels)
    label = asked.topic
    if rng.random() < 0.4:
        labels.insert(rng.choice((0, len(labels))), "none")
        label = "none" if which < 0 else label
    holds = which >= 0 if refusal is not None else None
    form = choose_form(rng, label, labels, which + 1 if which >= 0 else None, 0.85, holds)
    if which < 0:
        return assemble(passages, (-1, 0, refusal or ""), question, form, refusal, rng)
    sentence_at = passages[which].text.index(asked.sentence)
    at = sentence_at + asked.sentence.index(asked.answer)
    return assemble(passages, (which, at, asked.answer), question, form, refusal, rng)
