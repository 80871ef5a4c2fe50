"""The citation grader: does what is cited exist, may this user read it, and does it hold the answer?"""

from levers.stack.records import Answer, Citation
from levers.task.records import Case, GraderSpec
from levers.task.references import split_reference
from levers.trial.graders.compared import accepted
from levers.trial.graders.contract import Kit, Verdict
from levers.trial.text import clip, contains


def citation(spec: GraderSpec, case: Case, answer: Answer, kit: Kit) -> Verdict:
    """Pass when a citation is sound and supports the answer, and none is of a document the user may not read.

    Sound: it has a quote, and the cited span holds just that in a passage the model was shown. It supports the answer
    when it lies in an evidence section of the case (`document#section`, or `document` for any of its sections); a case
    without evidence is not scored. With `support: answer` it must hold an accepted answer's words, whatever section.
    """
    by_answer = spec.support == "answer"
    if not by_answer and not case.evidence:
        return Verdict(credit=None, passed=None, why="the case names no evidence")
    cited = [each for each in answer.citations if each.quote.strip()]
    hidden = [each for each in cited if kit.readable and not kit.readable(each.reference, case.user)]
    if hidden:
        return Verdict.of(False, f"{case.user or 'the public'} may not read {hidden[0].document}, which is cited")
    sound = [each for each in cited if _exists(each, answer)]
    texts = _texts(case) if by_answer else ()
    if any(_holds(each, answer, texts) if by_answer else _lies_in(each, case.evidence) for each in sound):
        return Verdict.of(True)
    if cited and not sound:
        return Verdict.of(False, f'the cited span does not hold "{clip(cited[0].quote)}" in what was shown')
    found = ", ".join(dict.fromkeys(f"{each.document}#{each.section}" for each in sound)) or "nothing"
    wanted = f'of "{clip(" or ".join(texts))}"' if by_answer else f"of {clip(' or '.join(case.evidence))}"
    return Verdict.of(False, f"expected a citation {wanted}, found {clip(found)}")


def _exists(cited: Citation, answer: Answer) -> bool:
    """Check the span against the passages shown; without them (answers kept without passages) it is taken on trust."""
    if not answer.passages:
        return True
    return any(
        passage.document == cited.document
        and passage.start <= cited.start <= cited.end <= passage.end
        and passage.text[cited.start - passage.start : cited.end - passage.start] == cited.quote
        for passage in answer.passages
    )


def _lies_in(cited: Citation, evidence: tuple[str, ...]) -> bool:
    places = (split_reference(place.removeprefix("./")) for place in evidence)
    return any(
        cited.document.removeprefix("./") == document
        and (not section or cited.section.casefold() == section.casefold())
        for document, section in places
    )


def _holds(cited: Citation, answer: Answer, texts: tuple[str, ...]) -> bool:
    """Look for an accepted answer in the cited passage: the quote may be a part of it."""
    around = [
        passage.text
        for passage in answer.passages
        if passage.document == cited.document and passage.start <= cited.start and cited.end <= passage.end
    ]
    return any(contains(text, each) for text in (cited.quote, *around) for each in texts)


def _texts(case: Case) -> tuple[str, ...]:
    expected = case.expected
    if isinstance(expected, dict):
        return tuple(text for value in expected.values() if value not in ([], None) for text in accepted(value))
    return accepted(expected)
