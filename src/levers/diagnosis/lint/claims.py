"""Claims of a prompt that cannot all hold: against each other, and against the schema the answer must follow."""

import re
from collections.abc import Callable, Iterator

from levers.diagnosis.lint.clause import (
    Clause,
    clause_of,
    conditional,
    contrary,
    demands,
    negated,
    partial,
    parts,
    unaddressed,
)
from levers.diagnosis.lint.records import Finding, Prompt

_Side = tuple[re.Pattern[str], tuple[Callable[[Clause], bool], ...]]
_FLAGS = re.IGNORECASE
_OUTRIGHT = (negated, conditional)
_OF_THE_WHOLE = (negated, conditional, partial)


def _side(pattern: str, *void: Callable[[Clause], bool]) -> _Side:
    return re.compile(pattern, _FLAGS), void


def _of_json(clause: Clause) -> bool:
    """Say whether the sentence asks for JSON too."""
    return _JSON.search(f"{clause.before} {clause.after}") is not None


_JSON = re.compile(r"(?<!no )(?<!use )(?<!write )(?<!return )\bjson\b", _FLAGS)
_ANSWER = r"\b(?:answer|reply|respond|write|return|output|format|give|present|produce|provide|structure)\b"
_ALL = r"(?: (?:only|always|it|this|them|everything|all|the|your|every|each|answers?|reply|replies|results?))"
_FORMS = r"(?:markdown|bullet(?:ed)?(?: points?| lists?)?|plain (?:text|prose)|html)\b"
# Pairs of demands that exclude each other; each side is one way people write it, and what makes it void.
_OPPOSED: tuple[tuple[str, _Side, _Side], ...] = (
    (
        "length",
        _side(
            r"\b(?:be (?:very )?(?:brief|concise|short)|keep (?:it|answers?|replies) (?:very )?short"
            r"|in (?:one|a single) (?:short )?sentence|as short as possible)\b",
            *_OF_THE_WHOLE,
        ),
        _side(
            r"\b(?:be (?:as )?(?:detailed|exhaustive|thorough|comprehensive) (?:as possible|and long)|in great detail"
            r"|(?:long|exhaustive|comprehensive) (?:answers?|replies|explanations?)|several paragraphs)\b",
            *_OF_THE_WHOLE,
        ),
    ),
    (
        "format",
        _side(r"\b(?:only|just|nothing but) (?:a |an |valid )*json\b|\bjson (?:object )?only\b", *_OUTRIGHT),
        _side(
            rf"{_ANSWER}{_ALL}* (?:in|as|with|using) (?:a )?{_FORMS}|\buse (?:a )?{_FORMS}",
            *_OF_THE_WHOLE,
            unaddressed,
            _of_json,
        ),
    ),
    (
        "refusal",
        _side(
            r"\b(?:always (?:give|provide|produce) an answer|never (?:say|admit) (?:that )?you (?:do not"
            r"|don['\u2019]t) know|never refuse)\b",
            *_OUTRIGHT,
        ),
        # One refuses in some cases only, so a condition takes nothing back here.
        _side(
            r"\b(?:say|answer|reply|respond)\b[^.,;\n]{0,30}\b(?:you (?:do not|don['\u2019]t) know|unknown"
            r"|not (?:found|available|stated))\b|\brefuse (?:to|if|when)\b",
            contrary,
            unaddressed,
        ),
    ),
    (
        "tone",
        _side(
            r"\b(?:be|stay|keep|use|sound) (?:a |an )?(?:strictly |very )?formal\b"
            r"|\bformal (?:tone|language) (?:only|always)\b",
            *_OF_THE_WHOLE,
        ),
        _side(
            r"\b(?:be|stay|keep|use|sound) (?:a |an )?(?:very )?(?:casual|informal|chatty)\b|\buse (?:slang|emojis?)\b",
            *_OF_THE_WHOLE,
        ),
    ),
    (
        "citation",
        _side(r"\b(?:always|must) cite\b|\bcite (?:the|your|every|each) (?:passages?|sources?)\b", *_OUTRIGHT),
        # Whole kinds only: "documents that you were not shown" and "internal documents" leave others to cite.
        _side(
            r"\b(?:do not|don['\u2019]t|never) (?:cite|mention|name|reveal)(?: (?:the|your|any|these|a))?"
            r" (?:sources?|passages?|documents?)\b(?=\s*(?:[.,;:!?)\n\"]|$|(?:or|and|to|in (?:the|your))\b))",
            *_OUTRIGHT,
        ),
    ),
)
_LANGUAGE = re.compile(
    r"\b(?:answer|reply|respond|write)\s+(?:only |always )*in "
    r"(English|German|French|Spanish|Italian|Dutch|Portuguese|Polish|Japanese|Chinese)\b",
    _FLAGS,
)
_MOST = re.compile(
    r"\b(?:at most|no more than|up to|maximum(?: of)?|under) (\d+) (words|sentences|characters)\b", _FLAGS
)
_LEAST = re.compile(
    r"\b(?:at least|no fewer than|no less than|minimum(?: of)?|over) (\d+) (words|sentences|characters)\b", _FLAGS
)
_GIVEN = re.compile(
    r"\b(?:texts?|articles?|stor(?:y|ies)|inputs?|documents?|passages?|messages?|letters?|emails?|reviews?)"
    r"(?: (?:of|with|that|has|have|is|are|contains?))*\s*$",
    _FLAGS,
)
_ALOUD = re.compile(
    r"\b(?:think|reason|work) (?:step by step|aloud|out loud)\b(?! with| through)|\bshow your (?:reasoning|work)\b",
    _FLAGS,
)
_SILENT = re.compile(
    r"\b(?:silently|to yourself|internally|before (?:you )?answer|do not (?:show|include|write)|only|without)\b", _FLAGS
)
_QUOTED = r"[\"'`][A-Za-z_][\w-]*[\"'`]"
_JOINT = r"(?:,\s*(?:and |or )?|\s+(?:and|or)\s+|\s*[/&]\s*)"
# Words that are named as keys, never their values: 'keys "a" (a text), "b" and "c"', 'the field "a"', 'the "a" field'.
_KEYS = re.compile(
    r"(?:\b(?:keys|fields)\b(?:\s+(?:are|called|named|such as|like|including))?:?"
    r"|\b(?:key|field)\b(?: (?:called|named))?)"
    rf"\s*(?P<after>{_QUOTED}(?:(?:\s*\([^()\n]{{0,80}}\))?{_JOINT}{_QUOTED}){{0,20}})"
    rf"|(?P<before>{_QUOTED}(?:{_JOINT}{_QUOTED}){{0,20}})\s+(?:keys?|fields?)\b",
    _FLAGS,
)
_NAME = re.compile(r"[\"'`]([A-Za-z_][\w-]*)[\"'`]")
_BRACKETS = re.compile(r"\([^()]*\)")
_INPUT = re.compile(
    r"\b(?:inputs?|you (?:get|receive|see|read|are given)|given|contains?|from|documents?|passages?|messages?"
    r"|questions?|records?|rows?|tickets?|emails?|orders?|requests?|tools?|customers?|users?)\b",
    _FLAGS,
)
_OUTPUT = re.compile(r"\b(?:json|object|reply|respond|return|answer|output|extract|produce|write)\b", _FLAGS)
_PLAIN = re.compile(
    r"\b(?:answer|reply|respond|write|return|output)(?: (?:only|always|it|the answer|your answer|with|in|as))*"
    r" (?:plain (?:text|prose)|free text|no json)\b|\buse (?:plain (?:text|prose)|no json)\b"
    r"|\bdo not (?:use|write|return) json\b",
    _FLAGS,
)
_THOUGHTS = {"reasoning", "thought", "thoughts", "explanation", "rationale", "steps", "analysis"}


def opposed(prompt: Prompt) -> Iterator[Finding]:
    """Demands that exclude each other."""
    for name, one, other in _OPPOSED:
        first = next(demands(prompt.text, one[0], *one[1]), None)
        second = next(demands(prompt.text, other[0], *other[1]), None) if first else None
        if first and second:
            line = prompt.line_at(first.start())
            yield _finding(prompt, second.start(), f"{second[0]!r} against {first[0]!r} in line {line}", name)


def languages(prompt: Prompt) -> Iterator[Finding]:
    """Two languages to answer in."""
    found = list(demands(prompt.text, _LANGUAGE, *_OF_THE_WHOLE, unaddressed))
    named = {match[1].lower() for match in found}
    if len(named) > 1:
        yield _finding(prompt, found[-1].start(), " and ".join(sorted(named)), "language")


def lengths(prompt: Prompt) -> Iterator[Finding]:
    """A least length above the most, of one and the same part of the answer."""
    most = {_measured(prompt, match): int(match[1]) for match in demands(prompt.text, _MOST, *_OUTRIGHT, _of_given)}
    for match in demands(prompt.text, _LEAST, *_OUTRIGHT, _of_given):
        limit = most.get(_measured(prompt, match))
        if limit is not None and int(match[1]) > limit:
            yield _finding(
                prompt, match.start(), f"at least {match[1]} and at most {limit} {match[2].lower()}", "length"
            )


def against_schema(prompt: Prompt) -> Iterator[Finding]:
    """What the text says of the answer's form against the schema that grades it."""
    if prompt.schema_ is None:
        return
    properties = prompt.schema_.get("properties", {})
    for keys in demands(prompt.text, _KEYS, contrary, _of_other_data) if properties else ():
        group = "after" if keys["after"] else "before"
        for key in _NAME.finditer(_BRACKETS.sub(lambda each: " " * len(each[0]), keys[group])):
            if key[1] not in properties and key[1] not in str(prompt.schema_):
                found = f'the key "{key[1]}", which {prompt.schema_file or "the schema"} does not have'
                yield _finding(prompt, keys.start(group) + key.start(), found, "schema")
    for match in demands(prompt.text, _PLAIN, *_OF_THE_WHOLE, unaddressed, _of_json):
        yield _finding(prompt, match.start(), f"{match[0]!r} where the answer must be JSON", "schema")
        break
    for match in demands(prompt.text, _ALOUD, negated, _silent) if not _THOUGHTS & set(properties) else ():
        yield _finding(prompt, match.start(), f"{match[0]!r} where the schema has no field for it", "reasoning")
        break


def _measured(prompt: Prompt, match: re.Match[str]) -> tuple[str, frozenset[str]]:
    return match[2].lower(), parts(clause_of(prompt.text, match.start(), match.end()))


def _of_given(clause: Clause) -> bool:
    return _GIVEN.search(clause.before) is not None


def _of_other_data(clause: Clause) -> bool:
    return bool(_INPUT.search(clause.before)) and not _OUTPUT.search(clause.before)


def _silent(clause: Clause) -> bool:
    return bool(_SILENT.search(f"{clause.before} {clause.after}"))


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
