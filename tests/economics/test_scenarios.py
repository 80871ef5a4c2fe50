"""The sources' worked examples: agreeing figures agree to the cent, the others come out as their inputs say."""

import pytest

from levers.economics import scenario, scenarios
from levers.errors import UserError

# (scenario, what, published, follows): facts, sections 7 and 8, row by row.
ROWS = [
    ("prompt-wall", "a day", (1500, 1500), (1500, 1500)),
    ("prompt-wall", "a month", (45_000, 45_000), (45_000, 45_000)),
    ("distillation-spend", "a day", (1500, 1500), (5000, 5000)),
    ("distillation-spend", "a month", (45_000, 45_000), (150_000, 150_000)),
    ("distillation-payback", "break-even", (30, 90), (4, 18)),
    ("support-prompting", "year 1", (36_000, 36_000), (36_000, 36_000)),
    ("support-prompting", "year 2", (36_000, 36_000), (36_000, 36_000)),
    ("support-retrieval", "answers, a month", (4500, 4500), (4500, 4500)),
    ("support-retrieval", "year 1", (73_000, 84_000), (75_000, 108_000)),
    ("support-retrieval", "year 2", (60_000, 78_000), (60_000, 78_000)),
    ("support-tuning", "answers, a month", (1500, 1500), (1500, 1500)),
    ("support-tuning", "year 1", (58_000, 86_000), (44_000, 104_000)),
    ("support-tuning", "year 2", (22_000, 40_000), (24_000, 54_000)),
    ("retrieval-managed", "a month", (270, 2500), (270, 2500)),
    ("retrieval-self-hosted", "a month", (200, 730), (200, 730)),
    ("cache-discount", "discount", (90, 90), (90, 90)),
    ("full-70b-memory", "times the 16-bit model", (8, 8), (8, 8)),
    ("lora-70b-memory", "the rule", (140, 140), (210, 210)),
    ("lora-70b-memory", "the weights alone", (140, 140), (140, 140)),
    ("lora-70b-memory", "with all the rest", (140, 140), (141.7, 141.7)),
    ("qlora-70b-memory", "the rule", (40, 40), (70, 70)),
    ("qlora-70b-memory", "part by part", (40, 40), (40.6, 46.2)),
    ("qlora-consumer-card", "fits 24 GB (1 yes, 0 no)", (1, 1), (0, 0)),
    ("qlora-consumer-card", "fits 32 GB (1 yes, 0 no)", (1, 1), (0, 0)),
    ("qlora-65b-48gb", "fits 48 GB (1 yes, 0 no)", (1, 1), (1, 1)),
]


@pytest.mark.parametrize(("name", "what", "published", "follows"), ROWS)
def test_a_published_figure_against_what_follows(
    name: str, what: str, published: tuple[float, float], follows: tuple[float, float]
) -> None:
    found = next(check for check in scenario(name).checks if check.what == what)
    assert found.published == published
    assert [round(end, 2) for end in found.follows] == list(follows)
    assert found.agrees == (published == follows)
    assert found.working and (found.agrees or found.note), "a corrected sum says why"


def test_every_scenario_is_checked_here_and_names_its_source() -> None:
    assert {each.name for each in scenarios()} == {name for name, *_ in ROWS}
    assert all(each.source in {"S0", "S1", "S2", "S3", "S4"} and each.inputs for each in scenarios())


def test_the_corrections_say_what_the_memory_is() -> None:
    lora, qlora = scenario("lora-70b-memory").checks, scenario("qlora-70b-memory").checks
    assert lora[1].agrees and not lora[2].agrees and "come on top" in lora[2].note
    assert "4-bit weights (35 GB)" in qlora[1].working and 40 <= qlora[1].follows[0] < qlora[1].follows[1] <= 48
    assert "15 to 73 days" in scenario("distillation-payback").checks[0].note


def test_an_unknown_scenario_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="prompt-wall"):
        scenario("free-lunch")
