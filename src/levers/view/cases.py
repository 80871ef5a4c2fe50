"""Failing development cases as cards: asked, shown, answered, expected, needed, tried."""

import html
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from levers.diagnosis.records import CaseDiagnosis, Tried
from levers.loop.records import Run
from levers.stack.records import Answer
from levers.task.records import Case
from levers.trial.records import Grade, Outcome
from levers.view.records import CaseCard, CaseList, GradeRow, NeedBox, PassageBox, TriedRow
from levers.view.story import changed, helps, story
from levers.view.words import answer_text, clip, expected_texts, percent

BUDGET = 1_100_000  # bytes of escaped text: the rest of the page stays well under the 2 MB a report may weigh
_MARKUP = 1_200  # bytes of markup that one card takes, about
_PIECE = 130  # bytes of markup that one field takes, about
_TEXT, _SHORT = 1_500, 500  # characters shown of a long text and of an experiment's answer


def case_list(run: Run, cases: Sequence[Case], budget: int = BUDGET) -> CaseList:
    """Return the failing dev cases of the final stack, those that fit into the budget, in the diagnosis's order.

    Only dev cases are looked at: what test and edge ask must stay unseen by whoever tunes by hand.
    """
    known = {case.id: case for case in cases if case.partition == "dev"}
    outcomes = {outcome.case: outcome for outcome in run.final.dev.outcomes}
    cards: list[CaseCard] = []
    spent = 0
    for diagnosed in run.after.cases:
        card = _card(diagnosed, known.get(diagnosed.case), outcomes.get(diagnosed.case))
        if spent + weight(card) <= budget:
            spent += weight(card)
            cards.append(card)
    counts: dict[str, int] = {}
    for card in cards:
        for name in card.need_names.split():
            counts[name] = counts.get(name, 0) + 1
    return CaseList(
        cards=tuple(cards),
        filters=tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        total=run.after.failures,
        measured=run.after.measured,
        left_out=len(run.after.cases) - len(cards),
        sampled=run.after.sampled,
    )


def weight(card: CaseCard) -> int:
    """Estimate the bytes that a card takes on the page: its texts escaped, and the markup around them."""
    return _MARKUP + _weight(astuple(card))


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return _PIECE + len(html.escape(value).encode("utf-8", "replace"))
    return sum(_weight(item) for item in value) if isinstance(value, tuple) else 0


def _card(diagnosed: CaseDiagnosis, case: Case | None, outcome: Outcome | None) -> CaseCard:
    answer = outcome.answer if outcome else None
    earlier = case.input[:-1] if case and not isinstance(case.input, str) else ()
    return CaseCard(
        id=diagnosed.case,
        user=(case.user or "") if case else "",
        tags=case.tags if case else (),
        turns=tuple((turn.role, clip(turn.content, _TEXT)) for turn in earlier),
        question=clip(case.question, _TEXT) if case else "(the golden set does not hold this case any more)",
        expected=tuple(clip(text, _TEXT) for text in expected_texts(case.expected)) if case else (),
        evidence=case.evidence if case else (),
        answered=clip(answer_text(answer), _TEXT) if answer else "(not measured)",
        needs=_needs(diagnosed),
        grades=tuple(_grade(grade) for grade in outcome.grades) if outcome else (),
        passages=_passages(answer) if answer else (),
        tried=tuple(_tried(each, bool(case and case.evidence)) for each in diagnosed.tried),
        story=story(diagnosed, " or ".join(expected_texts(case.expected)), bool(case.evidence)) if case else (),
    )


def _needs(diagnosed: CaseDiagnosis) -> tuple[NeedBox, ...]:
    """Return the needs as boxes; what cured the case just as well stands with the first."""
    told = "".join(f"; {' + '.join(probes)} made it pass too" for probes in diagnosed.ties)
    return tuple(
        NeedBox(need.name, need.detail, need.because + ("" if place else told), helps(need))
        for place, need in enumerate(diagnosed.needs)
    )


def _grade(grade: Grade) -> GradeRow:
    if grade.credit is None:
        return GradeRow(grade.grader, "not scored", clip(grade.why, _SHORT))
    verdict = "passed" if grade.passed else "failed"
    partial = "" if grade.credit in (0.0, 1.0) else f", credit {percent(grade.credit)}"
    return GradeRow(grade.grader, f"{verdict}{partial}", clip(grade.why, _SHORT))


def _passages(answer: Answer) -> tuple[PassageBox, ...]:
    cited = {citation.number for citation in answer.citations}
    return tuple(
        PassageBox(
            number=number,
            document=each.document,
            section=each.section,
            heading=each.heading,
            text=clip(each.text, _TEXT),
            cited=number in cited,
        )
        for number, each in enumerate(answer.passages, start=1)
    )


def _tried(each: Tried, evidence: bool) -> TriedRow:
    return TriedRow(
        changed=changed(each.probes, evidence),
        passed=each.passed,
        score=percent(each.score),
        answer=clip(each.answer, _SHORT) if each.answer.strip() else "(an empty answer)",
    )
