"""The shape of an example, the layout of prompts, and the forms that replies take."""

import json
import random
import re
from typing import NamedTuple

import wording
from schemas import MEANINGS


class Copy(NamedTuple):
    """Says that `length` characters at `reply_at` of the reply stand at `source_at` of message number `message`."""

    reply_at: int
    message: int
    source_at: int
    length: int


class Span(NamedTuple):
    """Where an answer stands: `length` characters at `at` of message number `message`; length 0 where it is missing."""

    message: int
    at: int
    length: int


class Example(NamedTuple):
    """Messages as (role, text); the last one is the reply to learn. `span`: where a question's one answer stands."""

    messages: tuple[tuple[str, str], ...]
    copies: tuple[Copy, ...] = ()
    span: Span | None = None


class Passage(NamedTuple):
    """A heading path and a text."""

    heading: str
    text: str


class Field(NamedTuple):
    """A key of a JSON reply, its value, the placeholder that stands for it, and the rule that explains it.

    `missing` and `otherwise` are a flag's values where the answer is missing and where it is not, as they are written.
    """

    key: str
    value: object
    shown: str
    rule: str
    missing: str = ""
    otherwise: str = ""


class Form(NamedTuple):
    """How a reply is to be written: `rules` ask for it, `before` and `after` surround the answer.

    `refusing` says how a missing answer is put, with "{r}" for the phrase, where the form has a wording of its own;
    `flag` is the field that says whether the answer is missing, where the form has one.
    """

    rules: tuple[str, ...]
    before: str
    after: str
    kind: str
    refusing: str = ""
    flag: Field | None = None


def layout(passages: list[Passage], question: str, rng: random.Random) -> tuple[str, list[int]]:
    """Return the user message and where each passage's text starts in it."""
    style = rng.random()
    out, starts = "", []
    if style > 0.8 and rng.random() < 0.4:
        out += f"Question: {question}\n\n"
    if style < 0.9:
        out += "Passages:\n"
        for number, passage in enumerate(passages, 1):
            out += f"[{number}] {passage.heading}\n" if passage.heading else f"[{number}] "
            starts.append(len(out))
            out += passage.text + "\n\n"
        return out + f"Question: {question}", starts
    word = rng.choice(("Context", "Text", "Document", "Passage", ""))
    for passage in passages:
        out += f"{word}: " if word else ""
        starts.append(len(out))
        out += passage.text + rng.choice(("\n", "\n\n"))
    return out + rng.choice(("Question: {}", "Q: {}", "{}", "question: {}\nanswer:")).format(question), starts


def explained_labels(key: str, topics: list[str], rng: random.Random) -> str:
    """Say which labels a key may take, one a line, with what belongs to each."""
    lines = []
    shape = rng.choice(("- {}: {}", "- {}: {}", "* {} = {}", "{} ({})"))
    for label in topics:
        meaning = MEANINGS.get(label, ("the documents do not hold the answer", "no answer", "anything else"))
        told = (
            ", ".join(rng.sample(meaning, rng.randint(1, len(meaning)))) if label in MEANINGS else rng.choice(meaning)
        )
        lines.append(shape.format(label, told))
    return f"{rng.choice(('The values of', 'Choose', 'Labels for', 'The'))} {key}:\n" + "\n".join(lines) + "\n"


def json_fields(rng: random.Random, topic: str | None, topics: list[str], source: int | None) -> list[Field]:
    """Return the fields beside the answer: perhaps a topic (one of `topics`), perhaps the passage's number."""
    out = []
    if topic is not None:
        key = rng.choice(wording.TOPIC_KEYS)
        explained = all(label in MEANINGS or label == "none" for label in topics) and rng.random() < 0.5
        rule = explained_labels(key, topics, rng) if explained else wording.label_rule(key, topics, rng)
        out.append(Field(key, topic, rng.choice(("...", "…", f"the {key}", f"one of the {key} values")), rule))
    if source is not None:
        key = rng.choice(wording.SOURCE_KEYS)
        rule = rng.choice(
            (
                f"{key} is the number of the passage used.",
                f"In {key} give the passage number.",
                f'"{key}": which passage holds the answer.',
            )
        )
        out.append(Field(key, source, rng.choice(("n", "1", "number of the passage")), rule))
    return out


def flag(rng: random.Random, holds: bool) -> Field:
    """Return a field that says whether the passages hold the answer, or whether they lack it."""
    keys, told = rng.choice(wording.FLAGS)
    key = rng.choice(keys)
    true, false = rng.choice((("yes", "no"), ("yes", "no"), ("Yes", "No"), (True, False), ("y", "n"), (1, 0)))
    yes, no = (json.dumps(value).strip('"') for value in (true, false))
    rule = rng.choice(wording.FLAG_RULES)
    there, lacking = rng.choice(wording.THERE), rng.choice(wording.LACKING)
    if key in wording.HANDED and rng.random() < 0.4:
        there, lacking = rng.choice(wording.SETTLED), rng.choice(wording.HUMAN)
    when, otherwise = (there, lacking) if told == "present" else (lacking, there)
    filled = rule.format(k=wording.quoted(key, rng), y=yes, n=no, w=when, o=otherwise)
    value = true if holds == (told == "present") else false
    shown = rng.choice(("...", f"{yes} or {no}", f"{yes}/{no}", f"{yes}|{no}"))
    missing, otherwise = (no, yes) if told == "present" else (yes, no)
    return Field(key, value, shown, filled, missing, otherwise)


def json_form(rng: random.Random, others: list[Field], flagged: Field | None) -> Form:
    """Return a JSON form with an answer and further fields."""
    answer = Field(
        rng.choice(wording.ANSWER_KEYS), "@@", rng.choice(("...", "…", "the answer", "<answer>", "text", "")), ""
    )
    kept, refusing = [answer], ""
    if flagged is not None and rng.random() < 0.5:
        labels = rng.sample([flagged.missing, flagged.otherwise], 2)
        flagged = flagged._replace(rule=wording.label_rule(flagged.key, labels, rng))
        refusing = rng.choice(wording.JOINT_RULES)
        names = {"a": f'"{answer.key}"', "k": f'"{flagged.key}"', "n": flagged.otherwise, "v": flagged.missing}
        if rng.random() < 0.5:
            names |= {"n": f'"{flagged.otherwise}"', "v": f'"{flagged.missing}"'}
        for name, text in names.items():
            refusing = refusing.replace(f"{{{name}}}", text)
    for field in (*others, *([flagged] if flagged else [])):
        if field.key not in {other.key for other in kept}:
            kept.append(field)
    if len(kept) > 1 and rng.random() < 0.2:
        kept.reverse()
    before, after = wording.as_json({field.key: field.value for field in kept}, rng).split("@@")
    rules = tuple(field.rule for field in kept if field.rule)
    asked = wording.json_rule({field.key: field.shown for field in kept}, rng)
    return Form((asked, *rules), before, after, "json", refusing, flagged if flagged in kept else None)


def flag_copy(form: Form, refusing: str, system: str, reply: str) -> tuple[Copy, ...]:
    """Point from a flag's value in the reply to where the instructions give it: in `refusing`, or in the flag's rule.

    Nothing is pointed at where the value stands in such a rule more than once, or not at all.
    """
    if form.flag is None:
        return ()
    value = json.dumps(form.flag.value).strip('"')
    alone = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
    after = reply.index(f'"{form.flag.key}"') + len(form.flag.key) + 2
    here = alone.search(reply, after)
    for rule in (refusing, form.flag.rule):
        there = list(alone.finditer(rule))
        if rule and here and len(there) == 1 and rule in system:
            return (Copy(here.start(), 0, system.index(rule) + there[0].start(), len(value)),)
    return ()


def cited_form(rng: random.Random, source: int) -> Form:
    """Return a form that puts the number of the passage after the answer."""
    rule = rng.choice(
        (
            "Cite the passage like [1] after the answer.",
            "Put the passage number in brackets at the end.",
            "End with the number of the passage used, as in [2].",
            "Add the source as [n].",
            "Give the answer, then [n], the passage it comes from.",
        )
    )
    return Form((rule,), "", f" [{source}]", "cited")
