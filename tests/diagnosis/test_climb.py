"""Prune: a probe is dropped where the case passes without it; what could not be scored shows nothing."""

import pytest

from levers.diagnosis.climb import prune
from levers.stack.records import Answer
from levers.task.records import Case, DevCase
from levers.trial import Grade
from levers.trial.records import Outcome

CASE = DevCase(Case(id="c1", input="How long?", expected="30 days", partition="dev"))


@pytest.mark.parametrize(
    ("scored", "schema", "kept"),
    [
        (True, True, {"instruction"}),  # the form comes out right without being told, for the wrong label only
        (True, False, {"format", "instruction"}),
        (False, None, {"format", "instruction"}),
    ],
)
def test_the_form_is_dropped_only_where_an_answer_shows_it(scored: bool, schema: bool | None, kept: set[str]) -> None:
    def run(probes: frozenset[str], cases: list[DevCase], what: str) -> dict[str, Outcome]:
        grade = Grade(
            grader="house form", version="schema@3-0", credit=None if schema is None else float(schema), passed=schema
        )
        answer = Answer(id="c1", text="30 days")
        return {"c1": Outcome(case="c1", passed=False, score=0, grades=(grade,), answer=answer, scored=scored)}

    both = frozenset({"format", "instruction"})
    assert prune(run, [CASE], {"c1": both})["c1"] == kept  # type: ignore[arg-type]


def test_what_the_cap_kept_from_being_taken_away_is_not_called_needed() -> None:
    given = frozenset({"format", "instruction"})
    assert prune(lambda probes, cases, what: {}, [CASE], {"c1": given}) == {}
