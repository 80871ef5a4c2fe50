"""A failing case in sentences: what was changed, what happened, why that means the need."""

from typing import get_args

from levers.diagnosis import CaseDiagnosis, Need, NeedName, Tried
from levers.diagnosis.climb import LADDER
from levers.view.story import HELPS, changed, helps, story


def tried(*probes: str, passed: bool = False, answer: str = "14 days") -> Tried:
    return Tried(probes=probes, passed=passed, score=float(passed), answer=answer)


MISSED = Need(name="retrieval", detail="missed", because="the evidence did not come back among the first 50")


def test_the_decisive_experiment_is_told_with_what_less_did() -> None:
    needs = (Need(name="format", because="imposing the schema was needed"), MISSED)
    both = tried("format", "knowledge", passed=True, answer="30 days")
    runs = (tried(), tried("format"), tried("knowledge", answer="30 days, dear guest"), both)
    told = story(CaseDiagnosis(case="c", needs=needs, tried=runs), "30 days")
    assert told[0] == "As it is, the answer was “14 days”. Expected was “30 days”, so it fails."
    assert "with the form of the answer imposed and its own evidence handed over, and nothing beside it" in told[1]
    assert "answered “30 days”, and passes" in told[1]
    assert "with only the form of the answer imposed it answered “14 days”" in told[2] and "dear guest" in told[2]
    assert told[3:] == (
        "So it needs format: imposing the schema was needed.",
        "So it needs retrieval (missed): the evidence did not come back among the first 50.",
    )


def test_a_case_that_nothing_cured_says_so() -> None:
    need = Need(name="unexplained", because="none of 2 experiments made it pass")
    told = story(CaseDiagnosis(case="c", needs=(need,), tried=(tried(), tried("format"), tried("knowledge"))), "x")
    assert told[1:] == (
        "It was asked again in 2 experiments. None made it pass.",
        "What it needs stays unexplained: none of 2 experiments made it pass.",
    )


def test_a_case_without_experiments_has_no_story() -> None:
    assert story(CaseDiagnosis(case="c", needs=(MISSED,), tried=()), "x") == ()


def test_every_need_says_what_usually_helps_and_every_probe_has_words() -> None:
    for name in get_args(NeedName):
        details = ("missed", "buried", "middle", "stale", "drowned") if name == "retrieval" else ("",)
        assert all(helps(Need(name=name, detail=detail)) for detail in details)
    assert len(HELPS) == len(get_args(NeedName)) + 4
    assert changed(()) == "nothing: the stack as it is"
    assert changed(["knowledge"], evidence=False) == "all passages taken away, for the case names no evidence"
    assert all(name not in changed([name]).split() or name == "format" for probes in LADDER for name in probes)
