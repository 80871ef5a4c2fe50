"""The citation grader."""

from levers.stack.records import Answer, Citation
from levers.task.records import Case, GraderSpec
from levers.trial.graders.contract import Schemas, Verdict
from levers.trial.text import clip


def citation(spec: GraderSpec, case: Case, answer: Answer, schemas: Schemas) -> Verdict:
    """Pass when a citation with a quote lies in an evidence section of the case; a case without evidence is not scored.

    Evidence is `document#section`, or `document` alone for any of its sections.
    """
    if not case.evidence:
        return Verdict(credit=None, passed=None, why="the case names no evidence")
    cited = [each for each in answer.citations if each.quote.strip()]
    if any(_lies_in(each, place) for each in cited for place in case.evidence):
        return Verdict.of(True)
    found = ", ".join(dict.fromkeys(f"{each.document}#{each.section}" for each in cited)) or "nothing"
    return Verdict.of(False, f"expected a citation of {clip(' or '.join(case.evidence))}, found {clip(found)}")


def _lies_in(cited: Citation, place: str) -> bool:
    document, _, section = place.removeprefix("./").partition("#")
    same_document = cited.document.removeprefix("./") == document
    return same_document and (not section or cited.section.casefold() == section.casefold())
