"""Questions that a passage seems to answer and does not: one word of a real question is exchanged.

The kinds follow those that Rajpurkar, Jia and Liang name for SQuAD 2.0 ("Know What You Don't Know", ACL 2018): another
name or number, the opposite word, a negation.
"""

import random
import re

OPPOSITES = {
    "first": "last", "last": "first", "largest": "smallest", "smallest": "largest", "most": "fewest",
    "highest": "lowest", "lowest": "highest", "oldest": "youngest", "youngest": "oldest", "before": "after",
    "after": "before", "north": "south", "south": "north", "east": "west", "west": "east", "northern": "southern",
    "southern": "northern", "eastern": "western", "western": "eastern", "increase": "decrease",
    "increased": "decreased", "best": "worst", "worst": "best", "more": "fewer", "less": "more",
    "longest": "shortest", "begin": "end", "began": "ended", "start": "end", "started": "ended",
    "founded": "dissolved", "won": "lost", "lost": "won", "male": "female", "buy": "sell", "bought": "sold",
    "like": "dislike", "good": "bad", "bad": "good", "open": "close", "early": "late", "above": "below",
    "major": "minor", "minor": "major", "old": "new", "new": "old", "allowed": "forbidden", "earliest": "latest",
    "latest": "earliest", "inside": "outside", "with": "without", "public": "private",
}  # fmt: skip
VERBS = r"\b(did|does|do|is|was|are|were|can|could|has|have|had|will|would)\b"
NAME = r"(?<!^)\b[A-Z][\w'-]+(?: [A-Z][\w'-]+)*"
NUMBER = r"\b\d[\d,.]*\d\b|\b\d\b"


def _exchanged(question: str, found: re.Match[str], other: str) -> str:
    return question[: found.start()] + other + question[found.end() :]


def twisted(question: str, passage: str, others: list[str], rng: random.Random) -> str | None:
    """Return a question near to `question` that the passage does not answer, None where nothing can be exchanged.

    Args:
        question: one that the passage answers.
        passage: the passage.
        others: passages near the subject; names come from the passage itself or from these.
        rng: draws the exchange.
    """
    ways = ["name", "name", "number", "opposite", "opposite", "negation"]
    for way in rng.sample(ways, len(ways)):
        if way == "negation" and (found := re.search(VERBS, question)):
            return _exchanged(question, found, found[0] + rng.choice((" not", " never")))
        if way == "opposite":
            words = [match for match in re.finditer(r"\w+", question) if match[0].lower() in OPPOSITES]
            if words:
                found = rng.choice(words)
                return _exchanged(question, found, OPPOSITES[found[0].lower()])
        if way == "number" and (found := re.search(NUMBER, question)):
            plain = found[0].replace(",", "")
            if plain.isdigit():
                return _exchanged(question, found, str(int(plain) + rng.choice((-20, -3, -1, 1, 2, 10, 50)) or 7))
        if way == "name":
            named = [match for match in re.finditer(NAME, question[1:]) if len(match[0]) > 3]
            pool = [name for text in (passage, *others) for name in re.findall(NAME, text) if name not in question]
            if named and pool:
                found = rng.choice(named)
                return question[:1] + _exchanged(question[1:], found, rng.choice(pool))
    return None
