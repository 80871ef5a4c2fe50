"""Examples that give golden cases away: a lever tuned on them would be measured on what it was taught."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from levers.errors import Problem
from levers.task.golden import Golden
from levers.task.records import Case, Example
from levers.task.rules import by_plain, plain

NEAR = 92.0  # rapidfuzz's token_set_ratio from which two long questions count as the same
LONG = 20  # characters; shorter questions look alike by chance
_AS_LONG = 0.8  # token_set_ratio is 100 when one text holds the other, so lengths must agree too
_CLAUSE = re.compile(r"""[.?!:;"“”»«\n]|(?<!\w)'|'(?!\w)""")
_CLAUSE_WORDS = 4  # a shorter clause is said by chance
_QUOTE_WORDS = 8  # and so is a shorter run of words within a clause
_FEW_SECTIONS = 8  # an answer of more sections than these is a label
_BLOCK = 2000  # examples compared at once, which bounds memory for large files


class Leak(NamedTuple):
    """An example (its place) that gives a golden case (its place) away, and how."""

    example: int
    case: int
    how: str


def check_leaks(golden: Golden, examples: Sequence[Example], file: str) -> list[Problem]:
    """Name the examples of `file` whose question is, nearly is, or quotes a golden case's."""
    return [
        Problem(
            file=file,
            line=examples[leak.example].line,
            field="messages",
            found=f"{leak.how} of golden case {case.id} ({golden.file}:{golden.lines[leak.case]}, {case.partition})",
            expected="no golden case among the examples",
            hint="remove this example, or the case: what was taught cannot be measured",
        )
        for leak in find_leaks(golden.cases, examples)
        for case in (golden.cases[leak.case],)
    ]


def find_leaks(cases: Sequence[Case], examples: Sequence[Example]) -> list[Leak]:
    """Find the examples whose question is, nearly is, or quotes a case's; each is named once, exact before near.

    The same words give an example away at any length. Longer questions are also compared by token_set_ratio (92 of
    100); two that differ in a name or a number on both sides ("tent A", "tent B") are different questions. A question
    is quoted where it stands as a whole clause of another, or in any place if it is long.
    """
    questions = [case.question for case in cases]
    known = by_plain(questions)
    leaks = []
    rest: list[int] = []
    for place, example in enumerate(examples):
        same = known.get(plain(example.question))
        if same:
            leaks.append(Leak(place, same[0], "the question"))
        else:
            rest.append(place)
    near = {rest[place]: case for place, case in _near(questions, [examples[place].question for place in rest])}
    leaks += [Leak(place, case, "nearly the question") for place, case in near.items()]
    left = [place for place in rest if place not in near]
    leaks += [Leak(left[at], case, "a quote") for at, case in _quotes(known, [examples[place] for place in left])]
    return leaks


def find_source_leaks(cases: Sequence[Case], examples: Sequence[Example]) -> list[Leak]:
    """Find the examples that teach a held-out case's very fact: an accepted answer of it, from the same section.

    An answer that stands for many sections is a label, not a fact, and gives nothing away. Edge cases are left to
    `find_leaks`: they test the hostile form of a question, and may ask for what others ask plainly.
    """
    places: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        places[plain(first_value(example.answer))].update(example.evidence)
    for case in cases:
        for answer in _accepted(case):
            places[answer].update(case.evidence)
    facts: dict[tuple[str, str], int] = {}
    for at, case in enumerate(cases):
        if case.partition != "edge":
            for key in ((section, answer) for section in case.evidence for answer in _accepted(case)):
                facts.setdefault(key, at)
    leaks = []
    for place, example in enumerate(examples):
        answer = plain(first_value(example.answer))
        found = [facts[section, answer] for section in example.evidence if (section, answer) in facts]
        if found and len(places[answer]) <= _FEW_SECTIONS:
            leaks.append(Leak(place, found[0], "the fact"))
    return leaks


def first_value(answer: str) -> str:
    """Return what an answer says: the first text or number of a JSON object, any other answer as it is."""
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    return str(_first(parsed)) if isinstance(parsed, dict) else answer  # JSON would write 12.90 as 12.9


def said_fields(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the fields of a JSON answer that hold a text, a number or a list; yes and no where nothing else is said."""
    said = [name for name, value in fields.items() if isinstance(value, str | int | float | list | tuple)]
    told = [name for name in said if not isinstance(fields[name], bool)]
    return tuple(told or said)


def _first(fields: Mapping[str, Any]) -> Any:
    return next((fields[name] for name in said_fields(fields)), "")


def _accepted(case: Case) -> set[str]:
    wanted = case.expected
    value = _first(wanted) if isinstance(wanted, dict) else wanted
    return {plain(str(each)) for each in (value if isinstance(value, list | tuple) else [value])}


def _quotes(known: dict[str, list[int]], examples: Sequence[Example]) -> Iterator[tuple[int, int]]:
    """Yield (place of the example, place of the case) where an example holds a whole question of the golden set."""
    lengths = {text: len(text.split()) for text in known}
    whole = {text for text, length in lengths.items() if length >= _CLAUSE_WORDS}
    long: dict[str, list[str]] = defaultdict(list)
    for text, length in lengths.items():
        if length >= _QUOTE_WORDS:
            long[text.split()[0]].append(text)
    for place, example in enumerate(examples):
        said = "\n".join([*(message.content for message in example.messages), example.answer])
        found = next((clause for clause in map(plain, _CLAUSE.split(said)) if clause in whole), None)
        flat = f" {plain(said)} "
        starts = {word for word in flat.split() if word in long}
        found = found or next((text for word in sorted(starts) for text in long[word] if f" {text} " in flat), None)
        if found:
            yield place, known[found][0]


def _near(questions: Sequence[str], asked: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (place in `asked`, place in `questions`) of the nearest golden question that is near enough."""
    from rapidfuzz import fuzz, process  # imported here: `import levers` stays light

    golden = [(place, plain(text)) for place, text in enumerate(questions) if len(text) > LONG]
    if not golden:
        return
    texts = [text for _, text in golden]
    look = cache(_look)
    for start in range(0, len(asked), _BLOCK):
        block = [plain(text) if len(text) > LONG else "" for text in asked[start : start + _BLOCK]]
        scores = process.cdist(block, texts, scorer=fuzz.token_set_ratio, score_cutoff=NEAR)
        for row in sorted(set(scores.nonzero()[0].tolist())):
            for column in scores[row].argsort(kind="stable")[::-1].tolist():
                if scores[row][column] < NEAR:
                    break
                place = golden[column][0]
                if _same_question(look(asked[start + row]), look(questions[place])):
                    yield start + row, place
                    break


class _Look(NamedTuple):
    """What two questions are compared by: their lengths, and the words that single them out."""

    length: int
    marks: set[str]


def _look(text: str) -> _Look:
    return _Look(len(plain(text)), _marks(text))


def _same_question(one: _Look, other: _Look) -> bool:
    shorter, longer = sorted((one.length, other.length))
    if shorter < _AS_LONG * longer:
        return False
    return not (one.marks - other.marks and other.marks - one.marks)


def _marks(text: str) -> set[str]:
    """Return the words that single a question out: numbers, and capitalised words that do not open a sentence."""
    marks, end = set(), 0
    for match in re.finditer(r"[\w-]+", text):
        word, before, first = match.group(), text[end : match.start()].rstrip(), end == 0
        opens, end = before[-1] in ".?!:\"'(" if before else first, match.end()
        if any(character.isdigit() for character in word) or (word[0].isupper() and word != "I" and not opens):
            marks.add(word.casefold())
    return marks
