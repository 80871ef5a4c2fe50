"""Costs of advised levers: what is told of the figures is true of them."""

import pytest

from levers.plan import advise
from levers.plan.circumstances import read


def test_a_machines_seconds_stay_where_there_is_no_prompt_that_they_could_grow_with() -> None:
    found = advise(
        read({"symptoms": "tone", "model": "pocket", "prompt": "0", "seconds": "360ms", "volume": "10k/day"})
    )
    # 0.36 s at 0.10 USD an hour, 300,000 answers
    assert [each.month.low for each in found.costs][:2] == pytest.approx([3.0, 3.0])
    assert "as given, however long the prompt becomes" in found.costs_note


def test_weeks_of_maintenance_are_told_of_each_trained_lever() -> None:
    case = {"symptoms": "tone,cost", "volume": "10k/day", "requirements_change": "quarterly"}
    assert "4 to 8 engineer-weeks a year to keep each of tune and distill up" in advise(read(case)).costs_note
