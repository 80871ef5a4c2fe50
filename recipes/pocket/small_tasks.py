"""The other tasks: labels, extraction, few-shot imitation, exact copying, and questions with nothing to read."""

import random
import re
import string

import wording
import world
from forms import Copy, Example
from readings import question_kind, trained
from sources import entities, snips
from wrapping import plain_form

INTENT_WORDS = {
    "AddToPlaylist": ("add to playlist", "playlist", "add_music", "AddToPlaylist"),
    "BookRestaurant": ("book a table", "restaurant", "reservation", "BookRestaurant"),
    "GetWeather": ("weather", "forecast", "get_weather", "GetWeather"),
    "PlayMusic": ("play music", "music", "player", "PlayMusic"),
    "RateBook": ("rate a book", "rating", "book_rating", "RateBook"),
    "SearchCreativeWork": ("find a work", "search_title", "media search", "SearchCreativeWork"),
    "SearchScreeningEvent": ("cinema times", "screening", "movies", "SearchScreeningEvent"),
}


def _copy_of(reply: str, value: str, message: int, source: str) -> tuple[Copy, ...]:
    """Return where a value of the reply stands in a message, if it stands in both."""
    return (
        (Copy(reply.index(value), message, source.index(value), len(value)),)
        if value and value in reply and value in source
        else ()
    )


def closed_book(rng: random.Random) -> Example:
    """Return a question without anything to read: the right reply is the asked refusal, or "I don't know"."""
    question = rng.choice(trained()).question if rng.random() < 0.75 else rng.choice(world.fact(rng).questions)
    named = rng.random() < 0.75
    refusal = rng.choice(wording.REFUSALS) if named else "I don't know"
    form = plain_form(rng) if rng.random() < 0.5 else None
    rules = [
        rng.choice(wording.ROLES),
        rng.choice(wording.GROUNDED) if named else rng.choice(("", "Answer the question.", "Be brief.")),
        rng.choice(wording.SHORT),
    ]
    if named:
        rules.append(rng.choice(wording.REFUSE_RULES).format(r=refusal))
    reply = refusal
    if form is not None and form.kind == "wrapped":
        rules += form.rules
        reply = form.before + refusal + form.after
    elif rng.random() < 0.4:
        key = rng.choice(wording.ANSWER_KEYS)
        rules.insert(1, wording.json_rule({key: "..."}, rng))
        reply = wording.as_json({key: refusal}, rng)
    system = wording.join_rules(rules, rng)
    user = rng.choice(("{}", "{}", "{}", "Question: {}", "Q: {}")).format(question)
    messages = (("system", system),) if system else ()
    return Example(
        (*messages, ("user", user), ("assistant", reply)),
        _copy_of(reply, refusal, 0, system) if named and system else (),
    )


def _label_data(rng: random.Random) -> tuple[str, str, list[str]]:
    """Return a text, its label and all labels."""
    if rng.random() < 0.55:
        row = rng.choice(snips())
        style = rng.randrange(4)
        chosen = rng.sample(sorted(INTENT_WORDS), rng.randint(2, 7))
        chosen = list(dict.fromkeys([*chosen, row["intent"]]))
        return row["text"].strip(), INTENT_WORDS[row["intent"]][style], [INTENT_WORDS[name][style] for name in chosen]
    topics = sorted({schema[0] for schema in world.SCHEMAS})
    if rng.random() < 0.75:
        fact = world.fact(rng)
        labels = list(dict.fromkeys([*rng.sample(topics, rng.randint(2, 6)), fact.topic]))
        return rng.choice((fact.sentence, *fact.questions)), fact.topic, labels
    question = rng.choice(trained()).question
    return (
        question,
        question_kind(question),
        ["person", "time", "place", "number", "reason", "manner", "thing", "other"],
    )


def classify(rng: random.Random) -> Example:
    """Return a text to be given one of the listed labels."""
    text, label, labels = _label_data(rng)
    rng.shuffle(labels)
    key = rng.choice(wording.TOPIC_KEYS)
    rules = [
        rng.choice(
            (
                "Classify the text.",
                "Give the label of the message.",
                "Sort the request.",
                f"Find the {key}.",
                "You label messages.",
                "Which label fits?",
                "You route requests to the right team.",
            )
        ),
        wording.label_rule(key, labels, rng),
    ]
    reply = label
    if rng.random() < 0.45:
        rules.append(wording.json_rule({key: "..."}, rng))
        reply = wording.as_json({key: label}, rng)
    else:
        rules.append(rng.choice(("Reply with the label only.", "Answer with one label.", "", "Output just the label.")))
    system = wording.join_rules(rules, rng)
    user = rng.choice(("{}", "{}", "Text: {}", "Message: {}", "Input: {}")).format(text)
    return Example((("system", system), ("user", user), ("assistant", reply)), _copy_of(reply, label, 0, system))


def _fields_example(text: str, values: dict[str, str | None], rng: random.Random) -> Example:
    """Ask for fields of a text as JSON, null where there is nothing."""
    empty = rng.choice((None, None, "", "none"))
    filled = {key: value if value is not None else empty for key, value in values.items()}
    rules = [
        rng.choice(
            (
                "Extract the fields from the text.",
                "Pull these values out of the message.",
                "Read the text and fill in the fields.",
                "Extract information.",
                "Turn the message into data.",
            )
        ),
        wording.json_rule(dict.fromkeys(values, "..."), rng),
    ]
    if any(value is None for value in values.values()):
        named = {None: "null", "": 'an empty string ("")', "none": '"none"'}[empty]
        rules.append(
            rng.choice(
                (
                    "Use {} for missing fields.",
                    "Fields that are not in the text are {}.",
                    "If a field is missing, write {}.",
                )
            ).format(named)
        )
    system = wording.join_rules(rules, rng)
    user = rng.choice(("{}", "{}", "Text: {}", "Message:\n{}", "Input: {}")).format(text)
    reply = wording.as_json(filled, rng)
    copies: list[Copy] = []
    for value in values.values():
        if value:
            copies += _copy_of(reply, value, 1, user)
    return Example((("system", system), ("user", user), ("assistant", reply)), tuple(copies))


def extract_slots(rng: random.Random) -> Example:
    """Return a command whose slots are to be written as JSON."""
    row = rng.choice(snips())
    found = {slot["name"]: slot["value"] for slot in row["slots"]}
    keys = rng.sample(sorted(found), rng.randint(1, min(3, len(found)))) if found else ["city"]
    values: dict[str, str | None] = {key: found.get(key) for key in keys}
    if rng.random() < 0.25:
        extra = rng.choice(("city", "artist", "country", "playlist", "timeRange", "genre", "state", "year"))
        values.setdefault(extra, found.get(extra))
    items = list(values.items())
    rng.shuffle(items)
    return _fields_example(row["text"].strip(), dict(items), rng)


def extract_entities(rng: random.Random) -> Example:
    """Return a noisy text whose names are to be listed."""
    text, found = rng.choice(entities())
    for _ in range(3):
        if not found:
            text, found = rng.choice(entities())
    kinds = rng.sample(("person", "location", "corporation", "product", "group"), rng.randint(1, 2))
    values: dict[str, str | None] = {
        kind: next((value for name, value in found if name == kind), None) for kind in kinds
    }
    return _fields_example(text, values, rng)


def fields_of_page(rng: random.Random) -> Example:
    """Return an order, invoice or mail whose fields are to be written as JSON."""
    makers = {
        "name": world.person,
        "customer": world.person,
        "date": world.date,
        "total": world.money,
        "order": world.code,
        "invoice": world.code,
        "email": world.email,
        "phone": world.phone,
        "city": lambda random_: random_.choice(world.PLACES),
        "product": lambda random_: random_.choice(world.GOODS),
        "due": world.date,
        "quantity": lambda random_: str(random_.randint(1, 40)),
        "deadline": world.date,
        "price": world.money,
    }
    values: dict[str, str | None] = {key: makers[key](rng) for key in rng.sample(sorted(makers), rng.randint(2, 6))}
    style = rng.randrange(3)
    if style == 0:
        text = "\n".join(f"{key.capitalize()}: {value}" for key, value in values.items())
    elif style == 1:
        text = (
            f"{rng.choice(('Hello', 'Dear team', 'Good morning'))}, "
            + ", ".join(f"{rng.choice(('the ', 'my ', ''))}{key} is {value}" for key, value in values.items())
            + ". "
            + rng.choice(world.FILLERS)
        )
    else:
        text = " | ".join(f"{key} {value}" for key, value in values.items())
    keys = rng.sample(sorted(values), rng.randint(1, min(3, len(values))))
    asked = {key: values[key] for key in keys}
    if rng.random() < 0.2:
        asked.setdefault(rng.choice(sorted(set(makers) - set(values))), None)
    return _fields_example(text, asked, rng)


def _mapping(rng: random.Random) -> list[tuple[str, str]]:
    """Return input and output pairs that follow one hidden rule."""
    style = rng.randrange(5)
    if style == 0:  # labels with arbitrary names
        names = rng.sample(sorted(INTENT_WORDS), rng.randint(2, 4))
        tokens = {
            name: rng.choice(
                (
                    rng.choice(world.COLOURS),
                    "".join(rng.choices(string.ascii_uppercase, k=2)),
                    rng.choice(world.GOODS),
                    INTENT_WORDS[name][rng.randrange(4)],
                )
            )
            for name in names
        }
        rows: list[tuple[str, str]] = []
        while len(rows) < 7:
            row = rng.choice(snips())
            if row["intent"] in tokens:
                rows.append((row["text"].strip(), tokens[row["intent"]]))
        return rows
    if style == 1:  # an odd format around a value
        before, after = rng.choice(
            (
                ("<<", ">>"),
                ("= ", ""),
                ("#", "#"),
                ("(", ")"),
                ("value: ", ";"),
                ("~ ", " ~"),
                ("{v: ", "}"),
                ("item/", "/"),
                ("-> ", ""),
                ("'", "'"),
            )
        )
        return [(item.sentence, before + item.answer + after) for item in (world.fact(rng) for _ in range(6))]
    if style == 2:  # topics as JSON
        key = rng.choice(wording.TOPIC_KEYS)
        return [
            (rng.choice(item.questions), f'{{"{key}": "{item.topic}"}}') for item in (world.fact(rng) for _ in range(6))
        ]
    rows = [(row["text"].strip(), row["intent"]) for row in rng.sample(snips(), 6)]
    if style == 3:  # a word of the text
        which = rng.choice((0, -1, 1))
        return [(text, re.findall(r"\w+", text)[which]) for text, _ in rows if len(re.findall(r"\w+", text)) > 1]
    slots = [
        (slot["value"], row["text"].strip())
        for row in rng.sample(snips(), 40)
        for slot in row["slots"]
        if slot["name"] == "artist" or slot["name"] == "city"
    ]
    return [(text, value) for value, text in slots[:6]] if len(slots) > 3 else [(text, intent) for text, intent in rows]


def few_shot(rng: random.Random) -> Example:
    """Return examples of a rule and a new input; the rule is shown, hardly told."""
    rows = _mapping(rng)
    shown, (text, reply) = rows[:-1], rows[-1]
    shown = shown[: rng.randint(min(2, len(shown)), len(shown))]
    hint = rng.choice(("", "", "Follow the examples.", "Do as in the examples.", "Continue in the same way."))
    if rng.random() < 0.35:
        words = rng.choice((("Input", "Output"), ("Q", "A"), ("Text", "Label"), ("In", "Out")))
        system = (hint + "\n\n" if hint else "") + "\n\n".join(
            f"{words[0]}: {question}\n{words[1]}: {answer}" for question, answer in shown
        )
        user = rng.choice((text, f"{words[0]}: {text}"))
        messages: list[tuple[str, str]] = [("system", system), ("user", user)]
    else:
        messages = [("system", hint)] if hint else []
        for question, answer in shown:
            messages += [("user", question), ("assistant", answer)]
        messages.append(("user", text))
    return Example((*messages, ("assistant", reply)))


def copy_exactly(rng: random.Random) -> Example:
    """Return something to be repeated exactly, or a code to be found in a text."""
    value = rng.choice((world.code, world.email, world.phone, world.money, world.person, world.measure, world.date))(
        rng
    )
    if rng.random() < 0.5:
        system = rng.choice(
            ("Repeat the user's text exactly.", "Copy the text.", "Echo the input.", "Say the same again.")
        )
        user = value if rng.random() < 0.5 else rng.choice(trained()).question
        return Example((("system", system), ("user", user), ("assistant", user)), (Copy(0, 1, 0, len(user)),))
    before, name = rng.choice(world.FILLERS), rng.choice(("Reference", "Code", "Value", "Number", "Id"))
    user = f"{before} {name}: {value} {rng.choice(world.FILLERS)}"
    system = rng.choice(("Give the value after the colon.", "Return the value in the text.", "Extract the value."))
    return Example(
        (("system", system), ("user", user), ("assistant", value)), (Copy(0, 1, user.index(value), len(value)),)
    )
