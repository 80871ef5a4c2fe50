"""An invented world of companies and offices: facts in many wordings, with the question that each answers."""

import random
import string
from typing import NamedTuple

from schemas import ADJECTIVES, COLOURS, DAYS, FILLERS, FIRST, GOODS, LAST, MATERIALS, MONTHS, PLACES, SCHEMAS, TEAMS


class Fact(NamedTuple):
    """A sentence, the span in it that answers, questions that ask for the span, and the topic it belongs to."""

    topic: str
    sentence: str
    answer: str
    questions: tuple[str, ...]


def money(rng: random.Random) -> str:
    """Return an amount with its currency."""
    amount = rng.choice(
        (
            str(rng.randint(2, 99)),
            f"{rng.randint(1, 250)}.{rng.choice(('50', '90', '95', '99', '00', '25'))}",
            f"{rng.randint(1, 9)},{rng.randint(100, 999)}",
        )
    )
    return rng.choice(("${}", "€{}", "£{}", "{} EUR", "{} USD", "{} euros", "{} dollars", "CHF {}")).format(amount)


def span_of_time(rng: random.Random) -> str:
    """Return a length of time."""
    units = (
        "days",
        "days",
        "working days",
        "business days",
        "hours",
        "weeks",
        "months",
        "minutes",
        "calendar days",
        "years",
    )
    return f"{rng.randint(2, 90)} {rng.choice(units)}"


def date(rng: random.Random) -> str:
    """Return a date."""
    day, month, year = rng.randint(1, 28), rng.choice(MONTHS), rng.randint(1995, 2031)
    return rng.choice(
        (
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{month} {year}",
            f"{day} {month}",
            f"{year}-{rng.randint(1, 12):02d}-{day:02d}",
        )
    )


def clock(rng: random.Random) -> str:
    """Return a time of day."""
    return rng.choice(
        (
            f"{rng.randint(1, 12)} {rng.choice(('am', 'pm'))}",
            f"{rng.randint(6, 22)}:{rng.choice(('00', '15', '30', '45'))}",
            "noon",
            "midnight",
        )
    )


def code(rng: random.Random) -> str:
    """Return a code of letters and digits."""
    letters = "".join(rng.choices(string.ascii_uppercase, k=rng.randint(2, 4)))
    digits = "".join(rng.choices(string.digits, k=rng.randint(2, 6)))
    return rng.choice(
        (
            f"{letters}-{digits}",
            f"{letters}{digits}",
            f"{digits}-{letters}",
            f"{letters}/{digits}",
            f"{letters.lower()}_{digits}",
            digits,
            f"{letters[0]}{digits[:2]}",
        )
    )


def person(rng: random.Random) -> str:
    """Return a name."""
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def email(rng: random.Random) -> str:
    """Return an address of mail."""
    owner = rng.choice(LAST).lower()
    name = rng.choice(("help", "info", "service", "orders", "claims", "desk", "hello", "office", owner))
    return f"{name}@{rng.choice(LAST + PLACES).lower()}.{rng.choice(('com', 'org', 'example', 'net', 'eu'))}"


def phone(rng: random.Random) -> str:
    """Return a phone number."""
    return rng.choice(
        (
            f"+{rng.randint(1, 99)} {rng.randint(10, 999)} {rng.randint(100, 999)} {rng.randint(100, 9999)}",
            f"{rng.randint(200, 999)}-{rng.randint(100, 999)}-{rng.randint(1000, 9999)}",
            f"0{rng.randint(100, 999)} {rng.randint(100000, 999999)}",
        )
    )


def percent(rng: random.Random) -> str:
    """Return a share."""
    return rng.choice((f"{rng.randint(1, 95)}%", f"{rng.randint(1, 95)} percent", f"{rng.randint(1, 95)} %"))


def measure(rng: random.Random) -> str:
    """Return a size or weight."""
    units = ("kg", "cm", "litres", "mm", "g", "inches", "metres", "MB", "GB", "pages", "pieces", "watts")
    return rng.choice(
        (
            f"{rng.randint(1, 90)} {rng.choice(units)}",
            f"{rng.randint(10, 99)} x {rng.randint(10, 99)} cm",
            f"{rng.randint(1, 9)}.{rng.randint(1, 9)} kg",
        )
    )


def condition(rng: random.Random) -> str:
    """Return a condition in words."""
    return rng.choice(
        (
            "the seal is unbroken",
            "the original receipt is shown",
            "the item is unused",
            "the form is signed",
            "a manager agrees in writing",
            "the order has not been shipped",
            "the label is still attached",
            "the account is older than a year",
            "the battery has been removed",
            "two photos of the damage are attached",
            "the box is undamaged",
            "the customer shows an ID card",
            "the invoice is paid in full",
            "the trip was booked online",
            "the member is over 18",
            "the request comes before the deadline",
            "the serial number is readable",
            "a deposit has been paid",
            "it was bought at full price",
        )
    )


VALUES = {
    "money": money,
    "time": span_of_time,
    "date": date,
    "clock": clock,
    "code": code,
    "person": person,
    "email": email,
    "phone": phone,
    "percent": percent,
    "measure": measure,
    "condition": condition,
    "place": lambda rng: rng.choice(PLACES),
    "day": lambda rng: rng.choice(DAYS),
    "colour": lambda rng: rng.choice(COLOURS),
    "material": lambda rng: rng.choice(MATERIALS),
    "team": lambda rng: rng.choice(TEAMS),
    "number": lambda rng: rng.choice(
        (str(rng.randint(2, 60)), rng.choice(("two", "three", "four", "five", "six", "ten", "twelve", "twenty")))
    ),
}


def fact(rng: random.Random, topic: str | None = None) -> Fact:
    """Invent one fact, of a topic if one is named."""
    chosen = [schema for schema in SCHEMAS if topic is None or schema[0] == topic]
    name, kind, sentences, questions = rng.choice(chosen)
    goods, adjective = rng.choice(GOODS), rng.choice(ADJECTIVES)
    slots = {"g": goods, "a": adjective, "p": rng.choice(PLACES), "c": rng.choice(COLOURS)}
    slots |= {"G": goods.capitalize(), "A": adjective.capitalize()}
    value = VALUES[kind](rng)
    sentence = rng.choice(sentences)
    if sentence.startswith("{v}") and not value[:1].isupper():
        sentence = rng.choice([text for text in sentences if not text.startswith("{v}")])
    filled = sentence.format(v=value, **slots)
    return Fact(name, filled, value, tuple(question.format(v="", **slots) for question in questions))


def heading(topic: str, rng: random.Random) -> str:
    """Return a heading path of a document about a topic."""
    file = rng.choice(
        (
            topic,
            topic,
            f"{topic}-{rng.choice(ADJECTIVES)}",
            f"{rng.choice(PLACES).lower()}-{topic}",
            f"{rng.choice(GOODS)}",
        )
    )
    suffix = rng.choice((".md", ".md", ".md", "", ".html", ".txt"))
    part = rng.choice(
        (
            topic.capitalize(),
            f"{rng.choice(ADJECTIVES).capitalize()} {topic}",
            f"{topic.capitalize()} in {rng.choice(PLACES)}",
            rng.choice(GOODS).capitalize(),
            "Overview",
            "Details",
            "Rules",
        )
    )
    return rng.choice(
        (
            f"{file}{suffix} > {part}",
            f"{file}{suffix} > {part}",
            f"docs/{file}{suffix} > {part}",
            f"{file}{suffix} > {topic.capitalize()} > {part}",
            f"{part}",
            f"{file}{suffix}",
        )
    )


def page(facts: list[Fact], rng: random.Random) -> str:
    """Write facts as a passage, with a filler sentence here and there."""
    sentences = [item.sentence for item in facts]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        sentences.insert(rng.randint(0, len(sentences)), rng.choice(FILLERS))
    if rng.random() < 0.2:
        return "\n".join("- " + sentence for sentence in sentences)
    return " ".join(sentences)
