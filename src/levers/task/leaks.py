"""Examples that give golden cases away: a lever tuned on them would be measured on what it was taught."""

import re
from collections.abc import Iterator, Sequence

from levers.errors import Problem
from levers.task.golden import Golden
from levers.task.records import Example
from levers.task.rules import by_plain, plain

NEAR = 92.0  # rapidfuzz's token_set_ratio from which two long questions count as the same
LONG = 20  # characters; shorter questions look alike by chance
_AS_LONG = 0.8  # token_set_ratio is 100 when one text holds the other, so lengths must agree too
_BLOCK = 2000  # examples compared at once, which bounds memory for large files


def check_leaks(golden: Golden, examples: Sequence[Example], file: str) -> list[Problem]:
    """Name the examples of `file` whose question is, or nearly is, a golden case's.

    The same words give an example away at any length. Longer questions are also compared by token_set_ratio (92 of
    100); two that differ in a name or a number on both sides ("tent A", "tent B") are different questions.
    """
    questions = [case.question for case in golden.cases]
    known = by_plain(questions)
    problems = []
    rest: list[int] = []
    for place, example in enumerate(examples):
        same = known.get(plain(example.question))
        if same:
            problems.append(_leak(golden, same[0], example, file, "the question"))
        else:
            rest.append(place)
    for place, case in _near(questions, [examples[place].question for place in rest]):
        problems.append(_leak(golden, case, examples[rest[place]], file, "nearly the question"))
    return problems


def _leak(golden: Golden, place: int, example: Example, file: str, what: str) -> Problem:
    case = golden.cases[place]
    return Problem(
        file=file,
        line=example.line,
        field="messages",
        found=f"{what} of golden case {case.id} ({golden.file}:{golden.lines[place]}, {case.partition})",
        expected="no golden case among the examples",
        hint="remove this example, or the case: what was taught cannot be measured",
    )


def _near(questions: Sequence[str], asked: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (place in `asked`, place in `questions`) of the nearest golden question that is near enough."""
    from rapidfuzz import fuzz, process  # imported here: `import levers` stays light

    golden = [(place, plain(text)) for place, text in enumerate(questions) if len(text) > LONG]
    if not golden:
        return
    texts = [text for _, text in golden]
    for start in range(0, len(asked), _BLOCK):
        block = [plain(text) if len(text) > LONG else "" for text in asked[start : start + _BLOCK]]
        scores = process.cdist(block, texts, scorer=fuzz.token_set_ratio, score_cutoff=NEAR)
        for row in sorted(set(scores.nonzero()[0].tolist())):
            for column in scores[row].argsort(kind="stable")[::-1].tolist():
                if scores[row][column] < NEAR:
                    break
                place = golden[column][0]
                if _same_question(asked[start + row], questions[place]):
                    yield start + row, place
                    break


def _same_question(one: str, other: str) -> bool:
    shorter, longer = sorted((len(plain(one)), len(plain(other))))
    if shorter < _AS_LONG * longer:
        return False
    mine, theirs = _marks(one), _marks(other)
    return not (mine - theirs and theirs - mine)


def _marks(text: str) -> set[str]:
    """Return the words that single a question out: numbers, and capitalised words that do not open a sentence."""
    marks = set()
    for match in re.finditer(r"[\w-]+", text):
        word = match.group()
        opens = not text[: match.start()].strip() or text[: match.start()].rstrip()[-1] in ".?!:\n\"'("
        if any(character.isdigit() for character in word) or (word[0].isupper() and word != "I" and not opens):
            marks.add(word.casefold())
    return marks
