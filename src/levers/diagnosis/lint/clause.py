"""What stands around a demand: a sentence may deny it, tie it to a case, or make it of a part of the answer only.

An alarm that is false costs more than one that is missed, so whatever may take a demand back is taken to do so.
"""

import re
from collections.abc import Callable, Iterator

from levers.ledger import Record

_BACK, _AHEAD, _ABOVE = 400, 200, 30  # characters and lines that are looked at, for a text may be one long sentence
# A line that goes on in lower case is a sentence wrapped by hand.
_BREAK = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?](?=\s|$)|\n(?=[^\S\n]*(?:$|\n|[-*•#>\"'<(\[{|`A-Z]|\d+[.)]))")
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")
_HEAD = re.compile(r"\s*#|.*:[^\w\n]*$|\s*\*\*[^*]*\*\*\s*$")
_NEGATION = re.compile(
    r"\b(?:not|never|nor|neither|no(?! matter| exception)|cannot|dont|without|avoid|refrain|forbid\w*|prohibit\w*"
    r"|rather than|instead of|except|unlike)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:is|are|must|should|may|can|will)(?: not\b| never\b|n['\u2019]t\b)"
    r"|\b(?:cannot|forbidden|rejected|prohibited|banned|unwanted|unnecessary|unhelpful|wrong|worse"
    r"|too (?:much|many|long))\b",
    re.IGNORECASE,
)
# What starts afresh after a negation: "do not explain, just write a list".
_AFRESH = re.compile(
    r";|\bbut\b|[,\u2013\u2014] *(?:and )?(?:just|instead|always|simply|rather(?! than))\b", re.IGNORECASE
)
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|where|wherever|unless|otherwise|while|until|once|in case|depending|either|sometimes"
    r"|first|then|next|finally|afterwards|start|begin|end (?:with|by))\b"
    r"|^\W*(?:for|in case of|else)\b(?! (?:all|every|each|any)\b)",
    re.IGNORECASE,
)
_TIED = re.compile(
    r"\b(?:if|when|whenever|where|unless|while|until|depending|on request|otherwise|only for)\b"
    r"|\b(?:for|to)\b(?! (?:all|every|each|any|the|an?|your|this)\b)",
    re.IGNORECASE,
)
_NEXT = re.compile(r";|,?\s+(?:and|but|so|then)\b", re.IGNORECASE)
_PART = re.compile(
    r"\b(?:titles?|headlines?|headings?|subjects?|summary|summaries|intro(?:duction)?|body|conclusion|details|sections?"
    r"|captions?|descriptions?|fields?|values?|comments?|notes?|footnotes?|quotes?|appendix|preamble|reasoning)\b",
    re.IGNORECASE,
)
_OTHERS = re.compile(r"\b(?:who|customers?|users?|people|they|visitors?|callers?|readers?|authors?)\b", re.IGNORECASE)
_ADDRESSED = re.compile(
    r"(?:^\s*|[^\w\s'\"\u2019]\s*|\b(?:you|(?:is|are|you|job|task) to|always|only|please|must|should|shall|will|and|or"
    r"|then|just|also|politely|simply|instead)\s+)$",
    re.IGNORECASE,
)


class Clause(Record):
    """A match, what its sentence says before and after it, and the line above the list that it stands in."""

    head: str
    before: str
    match: str
    after: str


def clause_of(text: str, start: int, end: int) -> Clause:
    """Return what stands around a span of a text."""
    earlier, later = text[max(0, start - _BACK) : start], text[end : end + _AHEAD]
    breaks = [each.end() for each in _BREAK.finditer(earlier + text[start : start + 1]) if each.end() <= len(earlier)]
    close = _BREAK.search(later)
    return Clause(
        head=_head(text, start),
        before=earlier[breaks[-1] if breaks else 0 :],
        match=text[start:end],
        after=later[: close.start()] if close else later,
    )


def demands(text: str, pattern: re.Pattern[str], *void: Callable[[Clause], bool]) -> Iterator[re.Match[str]]:
    """Yield the matches that nothing around them makes void; what stands in quotation marks is an example."""
    for match in pattern.finditer(text):
        clause = clause_of(text, match.start(), match.end())
        if not quoted(clause) and not any(check(clause) for check in void):
            yield match


def quoted(clause: Clause) -> bool:
    """Say whether the match stands within quotation marks that open in its sentence."""
    return clause.before.count('"') % 2 == 1 or clause.before.count("“") > clause.before.count("”")


def negated(clause: Clause) -> bool:
    """Say whether the sentence denies what matched: "do not …", "… is not wanted", or under "Never:"."""
    scope = _AFRESH.split(clause.before)[-1]
    return any(_NEGATION.search(each) for each in (clause.head, scope)) or bool(_DENIED.search(_rest(clause)))


def conditional(clause: Clause) -> bool:
    """Say whether what matched holds in some cases, or at some step, only."""
    return any(_CONDITION.search(each) for each in (clause.head, clause.before)) or bool(_TIED.search(_rest(clause)))


def contrary(clause: Clause) -> bool:
    """Say whether the sentence denies what matched, where a negation before it may belong to a condition."""
    return negated(clause) and not any(_CONDITION.search(each) for each in (clause.head, clause.before))


def partial(clause: Clause) -> bool:
    """Say whether the sentence is about a part of the answer."""
    return bool(parts(clause))


def parts(clause: Clause) -> frozenset[str]:
    """Return the parts of an answer that the sentence names."""
    return frozenset(name.lower() for name in _PART.findall(f"{clause.before} {clause.match} {_rest(clause)}"))


def unaddressed(clause: Clause) -> bool:
    """Say whether the verb that matched has another subject than the model: "customers write in French"."""
    own = re.split(r"[,;:]", clause.before)[-1]
    return _ADDRESSED.search(clause.before) is None or bool(_OTHERS.search(own))


def _rest(clause: Clause) -> str:
    return _NEXT.split(clause.after)[0]


def _head(text: str, offset: int) -> str:
    """Return the heading, or the line that ends in a colon, above the list that a place stands in."""
    lines = text[max(0, offset - _BACK * 4) : offset].split("\n")[-_ABOVE:]
    if not _ITEM.match(lines[-1]):
        return ""
    above = (each for each in reversed(lines[:-1]) if each.strip())
    found = next((each for each in above if _HEAD.match(each) or not _ITEM.match(each)), "")
    return found if _HEAD.match(found) else ""
