"""Formats: six of them, each asked for in five or more wordings, over passages that nothing was trained on."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from levers.model import Ask, Model

from .asking import prompt, texts
from .material import Asked, among_others, passages, xquad
from .scoring import read_scores, share

EACH = 20  # questions a request
LEAD = "Answer the question from the passages. "


class Request(NamedTuple):
    """A way to ask for a format.

    `system` is the instruction; `obeyed` looks at a reply and the right passage's number; `answer` takes the answer
    out of a reply (None: there is none to take); `schema` is what enforces the format, where levers can; `beside`
    counts the passages beside the right one.
    """

    system: str
    obeyed: Callable[[str, int], bool]
    answer: Callable[[str], str] | None = None
    schema: dict[str, Any] | None = None
    beside: int = 0


def _is_plain(reply: str, _: int) -> bool:
    marked = re.search(r"^[\s\-*•{\[\"'`#]|\n|\[\d+\]|[}\]\"`]$|^answer\s*:", reply, re.IGNORECASE)
    return bool(reply) and not marked


def plain(rule: str) -> Request:
    """Ask for the answer and nothing around it."""
    return Request(LEAD + rule, _is_plain, lambda reply: reply)


def keyed(rule: str, *keys: str) -> Request:
    """Ask for a JSON object with exactly these keys, the answer under the first."""

    def value(reply: str) -> Any:
        try:
            return json.loads(reply)
        except ValueError:
            return None

    def obeyed(reply: str, _: int) -> bool:
        found = value(reply)
        return isinstance(found, dict) and set(found) == set(keys)

    def answer(reply: str) -> str:
        return str(value(reply)[keys[0]]) if obeyed(reply, 0) else ""

    properties = {key: {"type": "string", "maxLength": 80} for key in keys}
    schema = {"type": "object", "properties": properties, "required": list(keys)}
    return Request(LEAD + rule, obeyed, answer, schema)


def labelled(rule: str, *labels: str) -> Request:
    """Ask for one of some labels. Under a schema the label comes as a JSON string."""
    return Request(rule, lambda reply, _: reply.strip('"') in labels, None, {"enum": list(labels)})


def bulleted(rule: str) -> Request:
    """Ask for a list with a bullet before each item."""

    def obeyed(reply: str, _: int) -> bool:
        lines = [line for line in reply.splitlines() if line.strip()]
        return bool(lines) and all(re.match(r"[-*•] \S", line.strip()) for line in lines)

    return Request(LEAD + rule, obeyed, lambda reply: re.sub(r"^[-*•] ", "", reply.strip()))


def cited(rule: str) -> Request:
    """Ask for the number of the passage used; any passage shown will do for the format."""

    def obeyed(reply: str, _: int) -> bool:
        return bool(re.fullmatch(r".*\S.* ?\[[123]\]\.?", reply, re.DOTALL))

    return Request(LEAD + rule, obeyed, lambda reply: re.sub(r" ?\[\d+\]\.?$", "", reply), beside=2)


def begun(rule: str, head: str) -> Request:
    """Ask for words before the answer."""
    return _around(rule, head, "")


def ended(rule: str, tail: str) -> Request:
    """Ask for words after the answer."""
    return _around(rule, "", tail)


def _around(rule: str, head: str, tail: str) -> Request:
    def obeyed(reply: str, _: int) -> bool:
        return reply.startswith(head) and reply.endswith(tail) and len(reply.strip()) > len(head + tail)

    def answer(reply: str) -> str:
        return reply.removeprefix(head).removesuffix(tail).strip()

    return Request(LEAD + rule.format(head or tail), obeyed, answer)


def at_most(rule: str, words: int) -> Request:
    """Ask for a short answer."""
    return Request(LEAD + rule, lambda reply, _: 0 < len(reply.split()) <= words, lambda reply: reply)


FORMATS: dict[str, tuple[Request, ...]] = {
    "plain": (
        plain("Write it in plain words with nothing around it."),
        plain("I want the bare answer: no quotes, no list, no JSON."),
        plain("Your whole reply is the answer itself, as simple text."),
        plain("Tell me only what was asked, unformatted."),
        plain("No markup, no introduction; the answer on one line."),
    ),
    "json": (
        keyed("Send back a JSON object whose one key is answer.", "answer"),
        keyed('The reply looks like this: {"reply": "..."}', "reply"),
        keyed("Your output has to parse as JSON with the keys result and quote.", "result", "quote"),
        keyed('Fill in this form and send nothing else: {"finding": "", "unit": ""}', "finding", "unit"),
        keyed("We read your reply by machine: JSON, with the field value.", "value"),
    ),
    "label": (
        labelled("Do not answer the question, only say what it asks for: person, place, time or other.",
                 "person", "place", "time", "other"),
        labelled("Which desk takes the question? Choose one: history, science, sport, business. Write only its name.",
                 "history", "science", "sport", "business"),
        labelled("Sort the question. Allowed labels: number | name | reason | thing. Reply with one of them.",
                 "number", "name", "reason", "thing"),
        labelled("Say yes if the passages answer the question, no if they do not. One word.", "yes", "no"),
        labelled("Rate how hard the question is. Your reply is exactly one of easy, medium, hard.",
                 "easy", "medium", "hard"),
    ),
    "bullets": (
        bulleted("Put it in a bullet list, each line beginning with a hyphen."),
        bulleted("Reply as a list; every item starts with '- '."),
        bulleted("Use bullet points."),
        bulleted("One bullet for each item of the answer, even when there is only one."),
        bulleted("Format: a Markdown list with dashes."),
    ),
    "citation": (
        cited("Close with the number of the passage you used, like [2]."),
        cited("After the answer name its passage in square brackets: [n]."),
        cited("Every answer carries its source, for instance: the answer [1]"),
        cited("Show where you found it by adding the passage number in brackets."),
        cited("Cite the passage as [n] at the end."),
    ),
    "wrapped_or_short": (
        begun("Open with the words '{}'.", "In short:"),
        begun("The first thing in your reply is: {}", "Our records say"),
        begun("Put '{}' in front of the answer.", "=>"),
        begun("Start with '{}', then give the answer.", "Good day!"),
        begun("Each reply begins with '{}'.", "Reply:"),
        ended("Close with the words '{}'.", "(checked)"),
        ended("The last thing in your reply is: {}", "Ask us anything."),
        ended("Put '{}' behind the answer.", "<<"),
        ended("Give the answer, then write '{}'.", "- the library"),
        ended("Each reply finishes with '{}'.", "Thanks!"),
        at_most("Use at most 3 words.", 3),
        at_most("No more than five words.", 5),
        at_most("Your reply may have 4 words or fewer.", 4),
        at_most("Keep it under 7 words.", 6),
        at_most("Maximum length: 8 words.", 8),
    ),
}  # fmt: skip


def _asks(request: Request, rows: Sequence[Asked], constrained: bool) -> list[tuple[Ask, int]]:
    pool, out = passages(xquad()), []
    for row in rows:
        shown, place = among_others(row, pool, request.beside)
        schema = request.schema if constrained else None
        out.append((prompt(request.system, shown, row.question, schema=schema, tokens=64), place + 1))
    return out


def _measure(model: Model, requests: Sequence[Request], rows: Sequence[Asked], constrained: bool) -> dict[str, Any]:
    """Ask every request over the same questions."""
    asks = [ask for request in requests for ask in _asks(request, rows, constrained)]
    replies = texts(model.answer([ask for ask, _ in asks]))
    by_request, inside, cited_right = [], [], []
    for number, request in enumerate(requests):
        span = slice(number * len(rows), (number + 1) * len(rows))
        pairs = list(zip(replies[span], [place for _, place in asks[span]], strict=True))
        by_request.append(share([request.obeyed(*pair) for pair in pairs]))
        if request.answer is not None:
            inside += [(request.answer(reply), row.answers) for (reply, _), row in zip(pairs, rows, strict=True)]
        if request.beside:
            cited_right += [reply.rstrip(".").endswith(f"[{place}]") for reply, place in pairs]
    out: dict[str, Any] = {"obeyed": round(sum(by_request) / len(by_request), 1), "by_request": by_request}
    if inside:
        out["answer_f1"] = read_scores([reply for reply, _ in inside], [answers for _, answers in inside])["f1"]
    return out | ({"right_passage_cited": share(cited_right)} if cited_right else {}) | {"n": len(asks)}


def formats(model: Model, limit: int | None = None) -> dict[str, Any]:
    """Return the share obeyed of each format, free and, where a schema can say it, constrained."""
    rows = xquad()[: limit or EACH]
    free = {name: _measure(model, requests, rows, False) for name, requests in FORMATS.items()}
    bound = {
        name: _measure(model, requests, rows, True)
        for name, requests in FORMATS.items()
        if all(request.schema for request in requests)
    }
    return {
        "free": free,
        "constrained": bound,
        "free_all": round(sum(each["obeyed"] for each in free.values()) / len(free), 1),
        "constrained_all": round(sum(each["obeyed"] for each in bound.values()) / len(bound), 1),
    }
