"""Forms in plain text: short, in few words, as a list, or with words or signs around the answer."""

import random
import re
import string

import wording
from forms import Copy, Form
from sources import chunks

OPENINGS = (
    "Short answer",
    "From our files",
    "According to the text",
    "Good morning",
    "Thanks for asking",
    "Note",
    "Result",
    "Found",
    "To sum up",
    "As written",
    "Dear customer",
    "Hello",
    "The answer is",
    "Our answer",
    "What we know",
    "Here you go",
    "Summary",
    "Info",
    "Fact",
    "On record",
    "Hi there",
    "You asked",
    "The files say",
    "Quoted",
    "For you",
    "Welcome",
    "Checked",
    "Confirmed",
    "See below",
    "Answer",
)
CLOSINGS = (
    "as of today",
    "thank you",
    "Regards, your team",
    "have a nice day",
    "over and out",
    "all the best",
    "no further notes",
    "end of message",
    "from the handbook",
    "see the page",
    "come back soon",
    "that is all",
    "your help desk",
    "verified",
    "without guarantee",
    "sent by the bot",
    "please rate this reply",
    "kind regards",
    "the front desk",
    "more on request",
)
SIGNS = (
    "=",
    "->",
    ">>",
    "#",
    "##",
    "***",
    "~",
    "|",
    "@",
    "++",
    "::",
    "//",
    "%%",
    "^",
    "---",
    "==>",
    "$",
    "&&",
    "%",
    "**",
)
BEGUN = (
    "Begin the reply with {}.",
    "Start with {}.",
    "Put {} before the answer.",
    "The reply starts with: {}",
    "The reply opens with {}.",
    "Prefix: {}",
    "Every answer is preceded by {}.",
    "Write {} first, and the answer after it.",
    "Use the prefix {}.",
    "Lead with {}.",
    "Say {} and then the answer.",
    "Before the answer comes {}.",
    "All replies have {} at the beginning.",
    "Add {} at the front.",
    "{} goes before each answer.",
    "Your first words: {}",
    "A reply without {} at its start is wrong.",
    "{} comes first, the answer second.",
    "The opening of your reply: {}",
    "The first part of the reply is {}.",
    "Say this before anything else: {}",
    "Place {} ahead of the answer.",
    "Greet the answer with {}.",
    "Each of your messages opens on {}.",
    "Set {} before what you found.",
)
ENDED = (
    "End the reply with {}.",
    "Finish with {}.",
    "Put {} after the answer.",
    "The reply ends with: {}",
    "The reply ends on {}.",
    "Suffix: {}",
    "Every answer is followed by {}.",
    "Add {} at the end.",
    "Write the answer and after it {}.",
    "Conclude with {}.",
    "Sign off with {}.",
    "Append {}.",
    "All replies have {} at their end.",
    "After the answer comes {}.",
    "{} goes behind each answer.",
    "Your last words: {}",
    "A reply that does not end in {} is wrong.",
    "The answer comes first, {} second.",
    "The end of your reply: {}",
    "The final part of the reply is {}.",
    "Say this after everything else: {}",
    "Set {} behind what you found.",
    "Place {} right of the answer.",
    "Behind the reply stands {}.",
    "Each of your messages closes on {}.",
    "Close on {}.",
    "Give what was asked and add {}.",
)
PAIRS = (
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


def plain_form(rng: random.Random) -> Form:
    """Return a form that wraps the answer in text only."""
    style = rng.random()
    if style < 0.42:
        bare = (rng.choice(wording.BARE),) if rng.random() < 0.3 else ()
        return Form((rng.choice(wording.SHORT), *bare), "", "", "plain")
    return bound_form(rng)


def bound_form(rng: random.Random) -> Form:
    """Return a form that asks for more than the bare answer: few words, a list, or words or signs around it."""
    style = rng.random()
    if style < 0.17:
        return Form((rng.choice(wording.LIMITS),), "", "", "plain")
    if style < 0.45:
        return Form((rng.choice(wording.LISTS),), "- ", "", "list")
    return wrapped_form(rng)


def wrapped_form(rng: random.Random) -> Form:
    """Return a form that puts words or signs before or after the answer, or both."""
    style = rng.random()
    if style < 0.3:
        before, after = rng.choice(PAIRS)
    elif style < 0.6:
        before, after = _opening(rng) + " ", ""
    elif style < 0.9:
        before, after = "", " " + _closing(rng)
    else:
        before, after = _opening(rng) + " ", " " + _closing(rng)
    rules = [
        rng.choice(wordings).format(_shown(text.strip(), rng))
        for wordings, text in ((BEGUN, before), (ENDED, after))
        if text
    ]
    return Form(tuple(rules), before, after, "wrapped")


def _opening(rng: random.Random) -> str:
    """Draw what a reply begins with: an opening, words of a text, or a sign."""
    style = rng.random()
    if style < 0.25:
        return _sign(rng)
    words = rng.choice(OPENINGS) if style < 0.6 else _some_words(rng).capitalize()
    return words + rng.choice((":", ":", ",", " -", "!", "", " =", "."))


def _closing(rng: random.Random) -> str:
    """Draw what a reply ends with: a closing, words of a text, or a sign."""
    style = rng.random()
    if style < 0.2:
        return _sign(rng)
    words = rng.choice(CLOSINGS) if style < 0.6 else _some_words(rng)
    return rng.choice(("({})", "- {}", "{}.", "{}!", "[{}]", "/ {}", "{}")).format(
        words.capitalize() if rng.random() < 0.5 else words
    )


def _sign(rng: random.Random) -> str:
    """Return a usual sign, or one to three of some character that is neither letter, digit nor space."""
    return rng.choice(SIGNS) if rng.random() < 0.5 else rng.choice(string.punctuation) * rng.choice((1, 2, 2, 3))


def _some_words(rng: random.Random) -> str:
    """Return one to four words that stand together in some text."""
    words = re.findall(r"[A-Za-z]+", rng.choice(chunks())[1])
    at = rng.randrange(max(1, len(words) - 4))
    return " ".join(words[at : at + rng.randint(1, 4)]) or "reply"


def _shown(text: str, rng: random.Random) -> str:
    """Write a text that is to be used as it is, in one of the usual ways."""
    return rng.choice(("'{}'", "'{}'", '"{}"', "`{}`", "{}")).format(text)


def wrapping_copies(form: Form, system: str, reply: str) -> tuple[Copy, ...]:
    """Point from what surrounds the answer to where the instructions give it."""
    copies = []
    for text, at in ((form.before.strip(), 0), (form.after.strip(), len(reply.rstrip()) - len(form.after.strip()))):
        if form.kind == "wrapped" and text and text in system:
            copies.append(Copy(at, 0, system.index(text), len(text)))
    return tuple(copies)
