"""Wordings: how instructions, formats and refusals are put. Everything takes a `random.Random`."""

import json
import random
from collections.abc import Sequence

REFUSALS = (
    "I don't know",
    "I do not know",
    "unknown",
    "not in our documents",
    "not in the documents",
    "no answer",
    "not found",
    "not stated",
    "The passages do not say.",
    "I cannot answer that from the documents.",
    "n/a",
    "NOT FOUND",
    "UNKNOWN",
    "none",
    "not mentioned",
    "not available",
    "This is not covered.",
    "I could not find that.",
    "No information.",
    "not in our records",
    "no idea",
    "ask a colleague",
    "Sorry, I don't know.",
    "Sorry, that is not in our documents.",
    "not specified",
    "outside our documents",
    "cannot say",
    "no match",
    "We have no information about this.",
    "not in the text",
    "insufficient information",
    "unanswerable",
    "The text does not say.",
    "?",
    "please contact support",
    "not documented",
    "There is no answer here.",
    "no result",
    "not given",
    "missing",
)
ROLES = (
    "You answer questions.",
    "You are a helpful assistant.",
    "You help our customers.",
    "You answer for the help desk.",
    "",
    "",
    "",
    "You read passages and answer questions about them.",
    "You are a support agent.",
    "You work for the service team of a shop.",
    "Answer the question.",
    "You are a careful reader.",
    "You answer staff questions about our handbook.",
    "Task: question answering.",
    "You answer customers of the company.",
    "Help the user.",
    "You are an assistant for a small team.",
)
GROUNDED = (
    "Answer from the passages.",
    "Use only the passages.",
    "Use the passages below to answer.",
    "Answer only with what the passages say.",
    "Quote the answer from the text.",
    "Take the answer from the given text.",
    "Base your answer on the documents.",
    "",
    "Reply with the words of the passage that answer the question.",
    "Find the answer in the passages.",
    "Rely on the context only.",
    "Use only the given documents, nothing else.",
    "Answer with facts from the passages, do not make anything up.",
)
SHORT = (
    "Be brief.",
    "Keep it short.",
    "Give only the answer.",
    "Answer in a few words.",
    "Reply with the shortest span that answers.",
    "No full sentences.",
    "Short answers only.",
    "",
    "",
    "Just the answer, nothing else.",
    "Reply with a short phrase.",
)
BARE = (
    "No quotation marks.",
    "Plain text, no markup.",
    "Nothing before it, nothing after it.",
    "No JSON, no list, no quotes.",
    "Do not format the reply.",
    "The reply is one line of simple text.",
    "No introduction.",
    "The bare answer only.",
    "Leave out any label or sign.",
)
LIMITS = (
    "Use at most {n} words.",
    "At most {n} words.",
    "No more than {n} words.",
    "The reply has {n} words or fewer.",
    "Up to {n} words.",
    "Do not write more than {n} words.",
    "Limit: {n} words.",
    "Stay within {n} words.",
    "Shorter than {m} words.",
    "Fewer than {m} words.",
    "The longest reply allowed: {n} words.",
    "{n} words at the very most.",
    "Be done in {n} words.",
    "Do not go over {n} words.",
)
LISTS = (
    "Reply with a bullet list.",
    "Write a list, one item a line, each after a hyphen.",
    "Give the answer as bullets.",
    "Each item of the answer gets its own line that starts with '- '.",
    "Markdown list, please.",
    "List the answer with dashes.",
    "As bullet points.",
    "Answer in list form ('- ' before every item).",
    "Make it a bulleted list, even for a single item.",
    "Begin each line with a hyphen.",
    "The reply is a list.",
    "Put each part of the answer behind a dash.",
    "List form: '- ' first, then the item.",
    "We want bullets, not sentences.",
    "Itemise the answer with hyphens.",
    "Bullets only.",
    "Present the answer as an unordered list.",
    "Every line of the reply is an item and starts with '-'.",
    "Turn the answer into list items.",
    "Use a dash and a space before each item, also when there is one.",
    "Layout: bullets.",
    "Write '- ' and the answer; further answers each on a line of their own.",
    "Reply in Markdown: a list of items.",
    "A list with hyphens is what we show to readers.",
)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
REFUSE_RULES = (
    'If the passages do not hold the answer, reply "{r}".',
    'If the answer is not there, say "{r}".',
    "If you cannot find it, reply {r}.",
    'When the text does not say, answer "{r}".',
    'Reply "{r}" when the answer is missing.',
    'Say "{r}" if the documents do not answer the question.',
    'If there is no answer in the passages, the answer is "{r}".',
    "Unanswerable questions get the reply: {r}",
    'Never guess: if it is not in the documents, write "{r}".',
    'Questions that the passages do not answer: "{r}".',
    'If nothing in the documents answers the question, use "{r}" as the answer.',
    'If the information is missing, write exactly "{r}".',
)
ANSWER_KEYS = (
    "answer",
    "answer",
    "answer",
    "answer",
    "reply",
    "result",
    "value",
    "response",
    "text",
    "output",
    "a",
    "span",
    "solution",
    "ans",
)
TOPIC_KEYS = (
    "topic",
    "topic",
    "topic",
    "category",
    "label",
    "kind",
    "type",
    "subject",
    "area",
    "class",
    "tag",
    "department",
)
SOURCE_KEYS = ("source", "source", "passage", "ref", "citation", "doc", "from")
# keys of a field that says whether the answer is there ("present") or not ("missing")
FLAGS = (
    (("found", "answered", "supported", "in_text", "known", "ok", "covered", "answerable"), "present"),
    (
        (
            "missing",
            "handover",
            "escalate",
            "needs_human",
            "unanswered",
            "open",
            "forward",
            "callback",
            "unknown",
            "ticket",
        ),
        "missing",
    ),
)
FLAG_RULES = (
    "{k} is {y} if {w}, else {n}.",
    "{k}: {y} when {w}, {n} when {o}.",
    "Set {k} to {y} if {w} and to {n} if {o}.",
    "In {k} write {y} where {w}; otherwise {n}.",
    "{k} is {n} if {o}, {y} if {w}.",
    "The value of {k} is {y} or {n}: {y} means that {w}.",
    "{k} says whether {w} ({y} or {n}).",
)
# What to reply where the answer is missing, for the answer's key {a} and the flag {k} at once.
JOINT_RULES = (
    'If the passages do not hold the answer, {a} is "{r}" and {k} is {v}.',
    'If the answer is not there, {a} is "{r}" and {k} is {v}, else {k} is {n}.',
    'When the text does not say, write "{r}" in {a} and {v} in {k}.',
    'Without an answer in the documents {k} is {v} and {a} is "{r}".',
    'Set {a} to "{r}" and {k} to {v} if you cannot find the answer, otherwise {k} to {n}.',
    'Missing answers: {a} "{r}", {k} {v}. Found ones: {k} {n}.',
)
THERE = (
    "the answer is in the passages",
    "the passages answer the question",
    "you found the answer",
    "the text says it",
    "the documents have the answer",
    "the answer could be given",
)
LACKING = (
    "the answer is missing",
    "the passages do not answer the question",
    "you could not find the answer",
    "the text does not say",
    "the documents lack the answer",
    "no answer could be given",
)
# Said of a missing answer by what follows from it, beside a key of HANDED; what that means has to be understood.
HANDED = ("handover", "escalate", "needs_human", "forward", "callback", "ticket")
HUMAN = (
    "a person has to help",
    "one of us must step in",
    "somebody from the team has to reply",
    "it needs a human",
    "this has to go to our experts",
    "the customer must be called back",
)
SETTLED = (
    "the reply settles it",
    "nobody else is needed",
    "the machine can close it",
    "no more has to be done",
)
JSON_RULES = (
    "Reply with a JSON object with the keys {k}.",
    "Answer in JSON with the keys {k}.",
    "Output JSON: {e}",
    "Reply as JSON like {e}",
    "Your reply is one JSON object, {e}, and nothing else.",
    "Format: {e}",
    "Return JSON with {k}.",
    "Write the reply as {e}",
    "Use this format: {e}",
    "Respond only with a JSON object of this shape: {e}",
    "Give a JSON object with fields {k}.",
    "Reply in this JSON form: {e}.",
    "The reply must be valid JSON with exactly the keys {k}.",
    "Always answer with JSON ({k}).",
)
LABEL_RULES = (
    "{t} is one of: {l}.",
    "{t} must be one of {l}.",
    "Allowed values of {t}: {l}.",
    "For {t} choose from {l}.",
    "Possible {t} values: {l}.",
    "{t}: one of {l}.",
    "Choose {t} among {l}.",
    "The {t} is {o}.",
)


def quoted(word: str, rng: random.Random) -> str:
    """Write a key in one of the usual ways."""
    return rng.choice((word, word, f'"{word}"', f"`{word}`"))


def listed(words: Sequence[str], rng: random.Random) -> str:
    """Write a list in one of the usual ways."""
    return rng.choice((", ", ", ", " | ", "; ", " / ")).join(words)


def any_of(words: Sequence[str]) -> str:
    """Write a choice: a, b or c."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def json_rule(fields: dict[str, str], rng: random.Random) -> str:
    """Ask for a JSON object; `fields` maps each key to its placeholder."""
    shown = json.dumps(fields, ensure_ascii=False)
    keys = [quoted(key, rng) for key in fields]
    named = keys[0] if len(keys) == 1 else ", ".join(keys[:-1]) + " and " + keys[-1]
    rule = rng.choice(JSON_RULES)
    if len(fields) == 1:
        rule = rule.replace("the keys {k}", "the key {k}").replace("fields {k}", "the field {k}")
    return rule.replace("{k}", named).replace("{e}", shown)


def label_rule(key: str, labels: Sequence[str], rng: random.Random) -> str:
    """Say which labels a key may take."""
    rule = rng.choice(LABEL_RULES)
    return rule.replace("{t}", quoted(key, rng)).replace("{l}", listed(labels, rng)).replace("{o}", any_of(labels))


def as_json(value: object, rng: random.Random) -> str:
    """Write JSON, mostly with the spaces that json.dumps puts by default."""
    if rng.random() < 0.06:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=False)


def join_rules(rules: Sequence[str], rng: random.Random) -> str:
    """Join the sentences of an instruction, as a paragraph or as a list."""
    kept = [rule for rule in rules if rule]
    style = rng.random()
    if style < 0.15 and len(kept) > 1:
        return kept[0] + "\n" + "\n".join("- " + rule for rule in kept[1:])
    return ("\n" if style < 0.3 else " ").join(kept)
