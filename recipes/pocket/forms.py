"""The shape of an example, the layout of prompts, and the forms that replies take."""

import random
from typing import NamedTuple

import wording
from schemas import MEANINGS


class Copy(NamedTuple):
    """Says that `length` characters at `reply_at` of the reply stand at `source_at` of message number `message`."""

    reply_at: int
    message: int
    source_at: int
    length: int


class Example(NamedTuple):
    """Messages as (role, text); the last one is the reply to learn."""

    messages: tuple[tuple[str, str], ...]
    copies: tuple[Copy, ...] = ()


class Passage(NamedTuple):
    """A heading path and a text."""

    heading: str
    text: str


class Form(NamedTuple):
    """How a reply is to be written: `rules` ask for it, `before` and `after` surround the answer."""

    rules: tuple[str, ...]
    before: str
    after: str
    kind: str


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


def plain_form(rng: random.Random) -> Form:
    """Return a form that wraps the answer in text only."""
    style = rng.random()
    if style < 0.62:
        return Form((rng.choice(wording.SHORT),), "", "", "plain")
    before, after = rng.choice(
        (
            ("Answer: ", ""),
            ("- ", ""),
            ("* ", ""),
            ('"', '"'),
            ("**", "**"),
            ("<answer>", "</answer>"),
            (">> ", ""),
            ("[", "]"),
            ("A: ", ""),
            ("The answer is ", "."),
            ("Dear customer, ", ""),
        )
    )
    if rng.random() < 0.4:
        before, after = rng.choice(
            (
                ("", " (as of today)"),
                ("", " - thank you!"),
                ("", " Regards, your team"),
                ("Hello! ", ""),
                ("Result = ", ""),
                ("", "!"),
                ("", " //"),
                ("Our answer: ", " Have a nice day."),
            )
        )
    rules = []
    if before:
        rules.append(
            rng.choice(
                (
                    "Begin the reply with '{}'.",
                    "Start with '{}'.",
                    "Put '{}' before the answer.",
                    "The reply starts with: {}",
                )
            ).format(before.strip())
        )
    if after:
        rules.append(
            rng.choice(
                (
                    "End the reply with '{}'.",
                    "Finish with '{}'.",
                    "Put '{}' after the answer.",
                    "The reply ends with: {}",
                )
            ).format(after.strip())
        )
    return Form(tuple(rules), before, after, "wrapped")


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


def json_form(rng: random.Random, topic: str | None, topics: list[str], source: int | None) -> Form:
    """Return a JSON form with an answer and perhaps a topic (one of `topics`) or a source number."""
    answer_key = rng.choice(wording.ANSWER_KEYS)
    fields: dict[str, object] = {answer_key: "@@"}
    shown: dict[str, str] = {answer_key: rng.choice(("...", "…", "the answer", "<answer>", "text"))}
    rules = []
    if topic is not None:
        key = rng.choice([key for key in wording.TOPIC_KEYS if key != answer_key])
        fields[key], shown[key] = topic, rng.choice(("...", "…", f"the {key}", f"one of the {key} values"))
        explained = all(label in MEANINGS or label == "none" for label in topics) and rng.random() < 0.5
        rules.append(explained_labels(key, topics, rng) if explained else wording.label_rule(key, topics, rng))
    if source is not None:
        key = rng.choice(wording.SOURCE_KEYS)
        fields[key], shown[key] = source, rng.choice(("n", "1", "number of the passage"))
        rules.append(
            rng.choice(
                (
                    f"{key} is the number of the passage used.",
                    f"In {key} give the passage number.",
                    f'"{key}": which passage holds the answer.',
                )
            )
        )
    if len(fields) > 1 and rng.random() < 0.2:
        fields, shown = dict(reversed(fields.items())), dict(reversed(shown.items()))
    before, after = wording.as_json(fields, rng).split("@@")
    return Form((wording.json_rule(shown, rng), *rules), before, after, "json")


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
