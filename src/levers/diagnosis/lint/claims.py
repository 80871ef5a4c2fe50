"""Claims of a prompt that cannot all hold: against each other, and against the schema the answer must follow."""

import re
from collections.abc import Iterator

from levers.diagnosis.lint.records import Finding, Prompt

_FLAGS = re.IGNORECASE
_NOT = r"(?<!not )(?<!never )(?<!n't )(?<!without )"
# Pairs of demands that exclude each other; each side is one way people write it.
_OPPOSED: tuple[tuple[str, str, str], ...] = (
    (
        "length",
        _NOT + r"\b(?:be (?:very )?(?:brief|concise|short)|keep (?:it|answers?|replies) (?:very )?short"
        r"|in (?:one|a single) (?:short )?sentence"
        r"|as short as possible)\b",
        _NOT
        + r"\b(?:be (?:as )?(?:detailed|exhaustive|thorough|comprehensive) (?:as possible|and long)|in great detail"
        r"|(?:long|exhaustive|comprehensive) (?:answers?|replies|explanations?)|several paragraphs)\b",
    ),
    (
        "format",
        r"\b(?:only|just|nothing but) (?:a |an |valid )*json\b|\bjson (?:object )?only\b",
        _NOT
        + r"\b(?:use|in|as|with) (?:a )?(?:markdown|bullet(?:ed)?(?: points?| lists?)?|plain (?:text|prose)|html)\b",
    ),
    (
        "refusal",
        r"\b(?:always (?:give|provide|produce) an answer|never (?:say|admit) (?:that )?you (?:do not"
        r"|don't) know|never refuse)\b",
        r"\b(?:say|answer|reply|respond)\b[^.\n]{0,30}\b(?:you (?:do not|don't) know|unknown"
        r"|not (?:found|available|stated))\b"
        r"|\brefuse (?:to|if|when)\b",
    ),
    (
        "tone",
        _NOT + r"\b(?:be|stay|keep|use|sound) (?:a |an )?(?:strictly |very )?formal\b|\bformal (?:tone"
        r"|language) (?:only|always)\b",
        _NOT
        + r"\b(?:be|stay|keep|use|sound) (?:a |an )?(?:very )?(?:casual|informal|chatty)\b|\buse (?:slang|emojis?)\b",
    ),
    (
        "citation",
        r"\b(?:always|must) cite\b|\bcite (?:the|your|every|each) (?:passages?|sources?)\b",
        r"\b(?:do not|don't|never) (?:cite|mention|name|reveal)\b[^.\n]{0,20}\b(?:sources?|passages?|documents?)\b",
    ),
)
_LANGUAGE = re.compile(
    r"(?<!if )\b(?:answer|reply|respond|write)\s+(?:only |always )*in "
    r"(English|German|French|Spanish|Italian|Dutch|Portuguese|Polish|Japanese|Chinese)\b(?!\s+(?:if|when|unless))",
    _FLAGS,
)
_MOST = re.compile(
    r"\b(?:at most|no more than|up to|maximum(?: of)?|under) (\d+) (words|sentences|characters)\b", _FLAGS
)
_LEAST = re.compile(
    r"\b(?:at least|no fewer than|no less than|minimum(?: of)?|over) (\d+) (words|sentences|characters)\b", _FLAGS
)
_ALOUD = re.compile(
    _NOT + r"\b(?:think|reason|work) (?:step by step|aloud|out loud)\b|\bshow your (?:reasoning|work)\b", _FLAGS
)
_SILENT = re.compile(
    r"\b(?:silently|to yourself|internally|before (?:you )?answer|do not (?:show|include|write))\b", _FLAGS
)
_KEY = re.compile(r"\b(?:keys?|fields?)\b[^.\n]*", _FLAGS)
_QUOTED = re.compile(r"[\"'`]([A-Za-z_][\w-]*)[\"'`]")
_JSON = re.compile(r"\bjson\b", _FLAGS)
_PLAIN = re.compile(
    _NOT + r"\b(?:plain (?:text|prose)|no json|free text)\b|\bdo not (?:use|write|return) json\b", _FLAGS
)
_THOUGHTS = {"reasoning", "thought", "thoughts", "explanation", "rationale", "steps", "analysis"}


def opposed(prompt: Prompt) -> Iterator[Finding]:
    """Demands that exclude each other."""
    for name, one, other in _OPPOSED:
        first, second = re.search(one, prompt.text, _FLAGS), re.search(other, prompt.text, _FLAGS)
        if first and second:
            line = prompt.line_at(first.start())
            yield _finding(prompt, second.start(), f"{second[0]!r} against {first[0]!r} in line {line}", name)


def languages(prompt: Prompt) -> Iterator[Finding]:
    """Two languages to answer in."""
    found = list(_LANGUAGE.finditer(prompt.text))
    named = {match[1].lower() for match in found}
    if len(named) > 1:
        yield _finding(prompt, found[-1].start(), " and ".join(sorted(named)), "language")


def lengths(prompt: Prompt) -> Iterator[Finding]:
    """A least length above the most."""
    most = {match[2].lower(): int(match[1]) for match in _MOST.finditer(prompt.text)}
    for match in _LEAST.finditer(prompt.text):
        unit = match[2].lower()
        if unit in most and int(match[1]) > most[unit]:
            yield _finding(prompt, match.start(), f"at least {match[1]} and at most {most[unit]} {unit}", "length")


def against_schema(prompt: Prompt) -> Iterator[Finding]:
    """What the text says of the answer's form against the schema that grades it."""
    if prompt.schema_ is None:
        return
    properties = prompt.schema_.get("properties", {})
    for sentence in _KEY.finditer(prompt.text) if properties else ():
        for key in _QUOTED.finditer(sentence[0]):
            if key[1] not in properties and key[1] not in str(prompt.schema_):
                offset = sentence.start() + key.start()
                found = f'the key "{key[1]}", which {prompt.schema_file or "the schema"} does not have'
                yield _finding(prompt, offset, found, "schema")
    match = _PLAIN.search(prompt.text)
    if match and not _JSON.search(prompt.text[: match.start()].rpartition("\n")[2]):
        yield _finding(prompt, match.start(), f"{match[0]!r} where the answer must be JSON", "schema")
    match = _ALOUD.search(prompt.text)
    if match and not _SILENT.search(_sentence(prompt.text, match.start())) and not _THOUGHTS & set(properties):
        found = f"{match[0]!r} where the schema has no field for it"
        yield _finding(prompt, match.start(), found, "reasoning")


def _sentence(text: str, offset: int) -> str:
    start = max(text.rfind(".", 0, offset), text.rfind("\n", 0, offset)) + 1
    ends = [end for end in (text.find(".", offset), text.find("\n", offset)) if end >= 0]
    return text[start : min(ends, default=len(text))]


def _finding(prompt: Prompt, offset: int, found: str, about: str) -> Finding:
    return Finding(
        rule=f"contradiction-{about}",
        weight="breaks",
        file=prompt.file,
        line=prompt.line_at(offset),
        found=found[:160],
        reason="both cannot hold; which one wins is up to the model, and changes from case to case",
        fix="keep one, or say when each holds",
    )
