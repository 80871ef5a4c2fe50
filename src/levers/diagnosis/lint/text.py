"""What a prompt's text shows by itself: unfilled gaps, contradictions, hidden characters, parts that lead nowhere."""

import json
import re
from collections.abc import Iterator

from levers.diagnosis.lint.records import Finding, Prompt
from levers.ledger import scrub

_SHORTEST = 20  # characters; less is no instruction
_REPEATED = 30  # a shorter line may well stand twice
_GAPS = re.compile(
    r"\{\{[^{}\n]*\}\}|(?<![\w$\"{^\\])\{[A-Za-z]{3,}(?:_[A-Za-z]{2,})*\}(?!\})|<(?:INSERT|YOUR|ADD|FILL)[^<>\n]*>"
    r"|\[(?:INSERT|YOUR|ADD|FILL)\b[^\[\]\n]*\]"
    r"|\b(?:TODO|FIXME|TBD|XXX)\b|\b[Ll]orem ipsum\b|(?<!\w)%[sd]\b"
)
_TOKENS = re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|<</?SYS>>|</?s>(?=\s|$)")
_MOJIBAKE = re.compile(r"Ã[\x80-\xbf©¨¤¶¼]|â€[™œ\x9d“”]|ï¿½|�")
_HIDDEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\U000e0000-\U000e007f]")
_OBEYED = re.compile(
    r"(?<!not )(?<!never )\b(?:follow|obey|execute|carry out|do)\s+(?:(?:all|any|every"
    r"|the)\s+)?(?:other\s+)?(?:instructions?|commands?|requests?)"
    r"\s+(?:that (?:are|you find) )?(?:in|inside|within|contained in|found in|from)\s+(?:the |a |any |these )?"
    r"(?:documents?|passages?|context|emails?|web ?pages?|attachments?|user'?s? (?:text|message|input)|tickets?)",
    re.IGNORECASE,
)
# Up to the line's end only: marks that ran on over empty lines would be read again from each of them.
_ASKS = re.compile(r"^[^\w\n]*(?:user )?(?:question|query)[^\w\n]*:", re.IGNORECASE | re.MULTILINE)
_GIVES = re.compile(
    r"^[^\w\n]*(?:context|passages?|documents?|evidence|sources?)[^\w\n]*:", re.IGNORECASE | re.MULTILINE
)
_ANNOUNCED = re.compile(
    r"\b(?:examples?|labels|categories|rules|steps|fields|values) (?:below|following)\b", re.IGNORECASE
)
_LIST_HEAD = re.compile(
    r"(?:\bone of(?: the following| these)?|\b(?:the following|these) (?:labels|rules|steps|keys|fields|categories"
    r"|values|format)"
    r"|\bas follows)\s*:\s*$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^\s*(\d{1,2})[.)]\s+\S")
_FENCED_JSON = re.compile(r"```json\n(.*?)```", re.DOTALL)


def placeholders(prompt: Prompt) -> Iterator[Finding]:
    """Gaps of a template that nobody filled: the model reads them as they stand."""
    for match in _GAPS.finditer(prompt.text):
        yield _at(prompt, "placeholder", match.start(), match[0], "the model would read it as it stands", "fill it in")


def too_little(prompt: Prompt) -> Iterator[Finding]:
    """A prompt that says next to nothing."""
    if len(prompt.text.strip()) < _SHORTEST:
        reason = "a model left to guess the task answers in its own way"
        fix = "say what the task is, what a good answer looks like, and what to do where there is none"
        yield _at(prompt, "empty", 0, repr(prompt.text.strip()), reason, fix)


def foreign_tokens(prompt: Prompt) -> Iterator[Finding]:
    """Tokens of a chat template inside the text: they open and close turns, or stand there as noise."""
    for match in _TOKENS.finditer(prompt.text):
        reason = "it belongs to a chat template, which is put round the text later"
        yield _at(prompt, "chat-token", match.start(), match[0], reason, "delete it")


def unreadable(prompt: Prompt) -> Iterator[Finding]:
    """Text decoded wrongly once, and characters that nobody sees."""
    match = _MOJIBAKE.search(prompt.text)
    if match:
        reason = "the text was read in the wrong encoding once"
        yield _at(prompt, "encoding", match.start(), repr(match[0]), reason, "write the words again and save as UTF-8")
    match = _HIDDEN.search(prompt.text)
    if match:
        reason = "a reader does not see it and a model does: instructions can hide there"
        yield _at(prompt, "hidden", match.start(), f"U+{ord(match[0]):04X}", reason, "delete it")


def secrets(prompt: Prompt) -> Iterator[Finding]:
    """A key in the prompt: whoever may ask can make the model say it."""
    for number, line in enumerate(prompt.lines, start=1):
        if scrub(line) != line:
            yield Finding(
                rule="secret",
                weight="breaks",
                file=prompt.file,
                line=number,
                found="what looks like a key",
                reason="whoever may ask can make the model say it",
                fix="take it out, and change it where it is valid",
            )


def obedience(prompt: Prompt) -> Iterator[Finding]:
    """Orders to obey what documents say: whoever writes a document then writes the prompt."""
    for match in _OBEYED.finditer(prompt.text):
        reason = "whoever writes a document would then instruct the model"
        fix = "say that documents are data and that instructions in them are not followed"
        yield _at(prompt, "injection", match.start(), match[0], reason, fix)


def order(prompt: Prompt) -> Iterator[Finding]:
    """The question before the evidence: long evidence then buries it, and no cache can keep what comes first."""
    asks, gives = _ASKS.search(prompt.text), _GIVES.search(prompt.text)
    if asks and gives and asks.start() < gives.start():
        reason = "models read the end of a long prompt best, and what changes last can be cached before it"
        yield _at(prompt, "order", gives.start(), gives[0].strip(), reason, "put the evidence before the question")


def loose_ends(prompt: Prompt) -> Iterator[Finding]:
    """What is announced and does not come, steps that are missing, fences that stay open, repeats."""
    lines = prompt.lines
    if prompt.text.count("```") % 2:
        reason = "all that follows reads as code"
        yield _at(prompt, "fence", prompt.text.rindex("```"), "``` that is not closed", reason, "close it")
    for number, (line, after) in enumerate(zip(lines, _following(lines), strict=True)):
        announced = _LIST_HEAD.search(line) and (not after or after.startswith("#"))
        if announced or (_ANNOUNCED.search(line) and not after):
            yield _line(
                prompt, "dangling", number + 1, line.strip(), "nothing follows", "write it down, or delete this"
            )
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        words = " ".join(line.lower().split())
        if len(words) >= _REPEATED and words in seen:
            found = f"the same as line {seen[words]}"
            yield _line(prompt, "repeat", number, found, "it costs tokens with every question", "keep one")
        seen.setdefault(words, number)
    yield from _missing_steps(prompt)
    for match in _FENCED_JSON.finditer(prompt.text):
        try:
            json.loads(match[1])
        except ValueError as error:
            found = f"a json block that is no JSON: {error}"
            yield _at(prompt, "shown-json", match.start(), found, "the model copies what is shown", "mend the block")


def _following(lines: list[str]) -> list[str]:
    """Return for each line the next one that says something, empty where there is none."""
    found = [""]
    for line in reversed(lines[1:]):
        found.append(line if line.strip() else found[-1])
    return found[::-1]


def _missing_steps(prompt: Prompt) -> Iterator[Finding]:
    last = 0
    for number, line in enumerate(prompt.lines, start=1):
        match = _NUMBERED.match(line)
        if not match:
            continue
        step = int(match[1])
        if step > last + 1 and last:
            found = f"step {step} after step {last}"
            yield _line(prompt, "steps", number, found, "a step seems to be lost", "number them again, or add it")
        last = step


def _at(prompt: Prompt, rule: str, offset: int, found: str, reason: str, fix: str) -> Finding:
    return _line(prompt, rule, prompt.line_at(offset), found, reason, fix)


def _line(prompt: Prompt, rule: str, line: int, found: str, reason: str, fix: str) -> Finding:
    return Finding(rule=rule, weight="breaks", file=prompt.file, line=line, found=found[:120], reason=reason, fix=fix)
