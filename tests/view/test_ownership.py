"""Cost to own in the report: the kept stacks' years from what was measured, and where their lines cross."""

import pytest

from levers.economics import monthly
from levers.loop.records import Run
from levers.view import page, render
from levers.view.ownership import ownership_section, run_offers
from levers.view.ownership_charts import Curve, crossing, curves_chart, years_chart
from levers.view.records import ReportPage


def test_every_priced_step_is_an_offer_with_the_set_ups_that_led_to_it(run: Run) -> None:
    offers = run_offers(run)
    assert list(offers) == [0, 1, 2, 3, 4]
    assert all(offers[step.number].per_answer.low == step.measured.dev.cost_per_answer for step in run.steps)
    paid = {number: sum(each.high for each in offer.setup) for number, offer in offers.items()}
    # each lever is quoted at 1,200; the rejected examples are paid by their own stack only
    assert paid == {0: 0, 1: 1200, 2: 2400, 3: 3600, 4: 3600}


def test_the_section_shows_the_kept_stacks(run: Run) -> None:
    found = ownership_section(run, 10_000)
    assert found is not None
    assert [row.stack for row in found.rows] == ["0 start", "1 structure", "2 retrieve", "4 tune"]
    cost = run.steps[0].measured.dev.cost_per_answer or 0.0
    assert found.rows[0].month == f"${monthly(cost, 10_000):.2f}" and found.rows[0].pays_back == "the start"
    assert all(row.pays_back.startswith("never") for row in found.rows[1:])
    assert all(source.startswith(("assumed", "price book", "measured")) for source in found.sources)
    assert "year 1" in found.years.wide.says and "Break-even: no line crosses" in found.curves.wide.says


def test_the_page_carries_cost_ownership_and_break_even_charts(run: Run, cases: tuple) -> None:
    made: ReportPage = page(run, cases, 500)
    html = render(made)
    assert made.cost is not None and made.ownership is not None and "500 answers a day" in made.ownership.traffic
    assert html.count('<svg class="chart wide"') == 4 and 'id="own"' in html and "Break-even" in html


def test_without_a_price_there_is_no_section(run: Run, cases: tuple) -> None:
    steps = tuple(
        step.model_copy(
            update={
                "measured": step.measured.model_copy(
                    update={"dev": step.measured.dev.model_copy(update={"cost_per_answer": None})}
                )
            }
        )
        for step in run.steps
    )
    free = run.model_copy(update={"steps": steps})
    assert ownership_section(free, 1000) is None
    assert 'id="own"' not in render(page(free, cases))


@pytest.mark.parametrize(
    ("first", "other", "month"),
    [
        ([0, 10, 20, 30], [15, 20, 25, 30], 3.0), ([0, 10, 20, 30], [5, 10, 15, 20], 1.0),
        ([0, 10, 20], [5, 5, 5], 0.5), ([0, 10, 20], [1, 20, 40], None), ([0, 1, 2], [0, 1, 2], None),
    ],
)  # fmt: skip
def test_where_lines_cross(first: list[float], other: list[float], month: float | None) -> None:
    assert crossing(first, other) == month


def test_a_crossing_is_marked_and_said() -> None:
    curves = [Curve("now", tuple(float(month * 10) for month in range(25))), Curve("tuned", (60.0,) * 25)]
    drawn = curves_chart(curves)
    assert "tuned crosses now after 6.0 months" in drawn.wide.says
    assert [shape.says for shape in drawn.narrow.shapes if shape.look == "mark edge"] == [
        "tuned and now have cost the same after 6.0 months, $60.00"
    ]


def test_bars_say_what_they_show_and_nothing_free_breaks_the_scale() -> None:
    drawn = years_chart([("start", 0.0, 0.0), ("tuned", 1000.0, 10.0)])
    assert [shape.says for shape in drawn.wide.shapes if shape.says][2:] == [
        "tuned, year 1: $1,000", "tuned, year 2: $10.00",
    ]  # fmt: skip
    assert years_chart([("start", 0.0, 0.0)]).wide.width == drawn.wide.width
