"""Conflicts: what is said of the answers agrees with the figures and the levers of the same advice."""

from pathlib import Path

import pytest

from levers.economics import PriceBook
from levers.plan import Advice, Circumstances, advise


def between(found: Advice, *pair: str) -> list[str]:
    return [each.why for each in found.conflicts if each.between == pair]


def test_the_most_that_distillation_saves_is_what_the_case_spends() -> None:
    case = Circumstances(symptoms=("cost",), prompt=100_000, volume=1000.0)
    found = advise(case)
    assert found.costs[0].year_1.low == pytest.approx(90_720)
    assert not between(found, "symptoms: cost", "volume")
    (small,) = between(advise(case.model_copy(update={"prompt": 2000})), "symptoms: cost", "volume")
    assert "1,000 answers a day cost 2,520 USD a year" in small and "assumed" not in small


def test_a_cent_an_answer_is_assumed_only_where_no_cost_is_known() -> None:
    timeless = Circumstances(symptoms=("cost",), model="pocket", volume=1000.0)
    (said,) = between(advise(timeless), "symptoms: cost", "volume")
    assert "an assumed cent each" in said and "3,600 USD" in said


def test_a_prompt_too_short_for_a_cache_saves_nothing_by_one(tmp_path: Path) -> None:
    short = Circumstances(symptoms=("cost",), prompt=500, volume=1000.0)
    found = advise(short)
    year = {each.name: each.year_1.low for each in found.costs}
    assert found.lever == "cache" and year["cache"] == year["as now"]
    (said,) = between(found, "symptoms: cost", "prompt")
    assert "no prefix below 1,024 tokens" in said
    longer = Circumstances(symptoms=("cost",), prompt=1024)
    assert not between(advise(longer), "symptoms: cost", "prompt")
    (tmp_path / "prices.yaml").write_text("openai/gpt-4o: {input: 1, output: 4, cache_minimum: 4096}\n")
    (said,) = between(advise(longer, PriceBook.load(tmp_path / "prices.yaml")), "symptoms: cost", "prompt")
    assert "4,096" in said


def test_ten_thousand_tokens_are_not_few() -> None:
    case = Circumstances(symptoms=("facts",), corpus=10_000, privacy="access")
    found = advise(case)
    assert not between(found, "corpus", "privacy")
    assert "10,000 tokens are 10,000 or more" in next(each.why for each in found.not_ if each.lever == "inline")
    assert between(advise(case.model_copy(update={"corpus": 9999})), "corpus", "privacy")


def test_documents_in_the_prompt_make_it_long_enough() -> None:
    both = Circumstances(symptoms=("facts", "cost"), corpus=5000, prompt=500)
    assert not between(advise(both), "symptoms: cost", "prompt")


def test_what_was_all_tried_in_vain_is_not_advised_again_without_a_word() -> None:
    found = advise(Circumstances(symptoms=("facts", "tone"), tried=("retrieve",)))
    assert [move.lever for move in found.order] == ["examples", "tune", "retrieve"]
    assert between(found, "symptoms: facts", "tried") and not between(found, "symptoms: tone", "tried")
    said = {(turn.question, turn.answer): turn.follows for turn in found.path}
    assert said["What was tried in vain?", "retrieve"] == "nothing is left that mends this"
    all_tried = advise(Circumstances(symptoms=("tone",), tried=("examples", "tune")))
    assert not any(turn.question.startswith("Is examples exhausted") for turn in all_tried.path)
