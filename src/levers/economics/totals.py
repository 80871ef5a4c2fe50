"""From a cost per answer to a month, to a total, and to the answer at which a set-up has paid for itself."""

import math

from levers.economics.price import written
from levers.ledger import Record

# One calendar for all money: months of 30 days, twelve to a year. It is the sources' own: 1,500 USD a day is 45,000 USD
# a month (S2), and 10,000 answers a day at one cent are 3,000 USD a month and 36,000 USD a year (S3).
DAYS_PER_MONTH = 30
MONTHS_PER_YEAR = 12
DAYS_PER_YEAR = DAYS_PER_MONTH * MONTHS_PER_YEAR
WEEKS_PER_YEAR = DAYS_PER_YEAR / 7


class Breakeven(Record):
    """When an option has paid back its set-up: after that many answers, and days at the traffic given."""

    answers: int
    days: float


def monthly(cost_per_answer: float, answers_per_day: float, fixed_per_month: float = 0.0) -> float:
    """Return USD per month of 30 days: what the answers cost, and what runs whether asked or not."""
    _refuse_negative(cost_per_answer=cost_per_answer, answers_per_day=answers_per_day, fixed_per_month=fixed_per_month)
    answers = written(answers_per_day) * DAYS_PER_MONTH
    return float(written(cost_per_answer) * answers + written(fixed_per_month))


def total_cost(
    setup: float, cost_per_answer: float, answers_per_day: float, fixed_per_month: float = 0.0, months: float = 12
) -> float:
    """Return USD over so many months of 30 days: the set-up once, then each month's cost (total cost of ownership)."""
    _refuse_negative(setup=setup, months=months)
    return setup + monthly(cost_per_answer, answers_per_day, fixed_per_month) * months


def breakeven(
    setup_now: float,
    per_answer_now: float,
    setup_other: float,
    per_answer_other: float,
    answers_per_day: float,
    fixed_saved: float = 0.0,
) -> Breakeven | None:
    """Return when the other option is no dearer than the present one from then on; None when it never is.

    Set-ups in USD, costs in USD per answer; `fixed_saved` is what the present option's fixed cost is above the other's,
    USD per month of 30 days (negative where the other's is higher). With answers a: setup_other + a x per_answer_other
    <= setup_now + a x per_answer_now, so a = (setup_other - setup_now) / (per_answer_now - per_answer_other), up to a
    whole answer; the fixed cost is spread over the answers of its time. An option that is dearer per day loses in the
    end, however cheap its set-up; where nothing is saved nothing is paid back.
    """
    _refuse_negative(
        setup_now=setup_now,
        per_answer_now=per_answer_now,
        setup_other=setup_other,
        per_answer_other=per_answer_other,
        answers_per_day=answers_per_day,
    )
    owed = written(setup_other) - written(setup_now)
    saved = written(per_answer_now) - written(per_answer_other)
    traffic = written(answers_per_day)
    a_day = saved * traffic + written(fixed_saved) / DAYS_PER_MONTH
    idle = traffic == 0 and a_day == 0  # then the dearer answer decides, for nothing else does
    loses = a_day < 0 or (idle and saved < 0)
    if loses or (owed > 0 and a_day == 0):
        return None
    if owed <= 0:
        return Breakeven(answers=0, days=0.0)
    answers, days = math.ceil(owed * traffic / a_day), owed / a_day
    # Where answers alone save, the last one must be whole; a fixed cost saves between two answers as well.
    return Breakeven(answers=answers, days=float(days if fixed_saved else answers / traffic))


def _refuse_negative(**figures: float) -> None:
    for name, value in figures.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a finite number, 0 or more; found {value}")
