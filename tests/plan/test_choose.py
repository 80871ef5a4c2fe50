"""The next move: cheapest first, never twice, never through a closed gate, and a reason for everything."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from levers.economics import CostFigure
from levers.plan import Attempt, GateCheck, Plan, Quote, choose, first_year
from levers.plan.records import EFFORTS
from levers.trial.records import Interval

STACK = "sha256-now"
NAMES = ("instruct", "structure", "examples", "inline", "retrieve", "tune")
SETTINGS: tuple[dict[str, Any], ...] = ({}, {"k": 2}, {"k": 4})


def usd(value: float) -> CostFigure:
    return CostFigure(value=value, provenance="assumed", source="test")


def gate_of(met: bool) -> GateCheck:
    return GateCheck(goal="few-shot", have=5 if met else 1, need=3, usual=10, unit="examples", met=met, source="S2")


def a_quote(lever: str = "instruct", **changes: Any) -> Quote:
    zero = Interval(low=0.0, high=0.0)
    plain: dict[str, Any] = {
        "lever": lever, "answers": "format", "gain": 0.2, "interval": zero, "score_gain": 0.1, "score_interval": zero,
        "unlocks": 0.2, "one_time": usd(0), "per_answer": usd(0), "latency_ms": usd(0),
    }  # fmt: skip
    return Quote(**{**plain, **changes})


def an_attempt(lever: str = "instruct", accepted: bool = True, stack: str = STACK, **settings: Any) -> Attempt:
    return Attempt(stack=stack, lever=lever, settings=settings, accepted=accepted, why="because of the test")


shares = st.sampled_from([0.0, 0.005, 0.02, 0.3, 1.0])
quotes = st.lists(
    st.builds(
        a_quote,
        st.sampled_from(NAMES),
        gain=shares,
        unlocks=shares,
        score_interval=st.sampled_from([Interval(low=-0.1, high=0.1), Interval(low=0.05, high=0.2)]),
        one_time=st.sampled_from([usd(0), usd(0.2), usd(50), usd(2000)]),
        per_answer=st.sampled_from([None, usd(0), usd(0.0001), usd(0.01)]),
        effort=st.sampled_from(EFFORTS),
        gates=st.sampled_from([(), (gate_of(True),), (gate_of(True), gate_of(False))]),
        settings=st.sampled_from(SETTINGS),
        blocked=st.sampled_from(["", "", "", "no documents"]),
    ),
    unique_by=lambda quote: quote.lever,
)
attempts = st.lists(
    st.builds(
        Attempt,
        stack=st.sampled_from([STACK, "sha256-before", "sha256-long-ago"]),
        lever=st.sampled_from(NAMES),
        settings=st.sampled_from(SETTINGS),
        accepted=st.booleans(),
        why=st.just("because of the test"),
    ),
    max_size=8,
)
traffic = st.sampled_from([0.0, 1.0, 1000.0])


def options(plan: Plan) -> dict[str, tuple[str, str]]:
    return {option.quote.lever: (option.verdict, option.why) for option in plan.options}


@given(quotes, attempts, traffic)
def test_every_option_has_its_word_and_its_reason(some: list[Quote], made: list[Attempt], per_day: float) -> None:
    plan = choose(STACK, some, made, per_day)
    assert sorted(option.quote.lever for option in plan.options) == sorted(quote.lever for quote in some)
    assert all(option.why for option in plan.options)
    assert sum(option.verdict == "next" for option in plan.options) == (plan.next is not None)
    assert (plan.next is None) == all(option.verdict == "no" for option in plan.options)
    if plan.chosen:
        assert plan.options[0].quote is plan.chosen and plan.chosen.lever == plan.next


@given(quotes, attempts, traffic)
def test_nothing_accepted_or_failed_here_is_pulled_again(
    some: list[Quote], made: list[Attempt], per_day: float
) -> None:
    for option in choose(STACK, some, made, per_day).options:
        same = [each for each in made if (each.lever, each.settings) == (option.quote.lever, option.quote.settings)]
        if any(each.accepted or each.stack == STACK for each in same) or len(same) > 1:
            assert option.verdict == "no"


@given(quotes, attempts, traffic)
def test_closed_gates_and_empty_probes_block(some: list[Quote], made: list[Attempt], per_day: float) -> None:
    for option in choose(STACK, some, made, per_day).options:
        quote = option.quote
        idle = max(quote.gain, quote.unlocks) < 0.01 and quote.score_interval.low <= 0
        if quote.blocked or idle or any(not gate.met for gate in quote.gates):
            assert option.verdict == "no"
        elif not any(each.lever == quote.lever for each in made):
            assert option.verdict in {"next", "later"}


@given(quotes, attempts, traffic)
def test_the_next_move_is_the_cheapest(some: list[Quote], made: list[Attempt], per_day: float) -> None:
    plan = choose(STACK, some, made, per_day)
    waiting = [option.quote for option in plan.options if option.verdict == "later"]
    for quote in waiting:
        assert plan.chosen is not None
        assert EFFORTS.index(plan.chosen.effort) <= EFFORTS.index(quote.effort)
        if plan.chosen.effort == quote.effort:
            assert first_year(plan.chosen, per_day) <= first_year(quote, per_day) + 1  # cents order nothing


@given(quotes, attempts, traffic, st.randoms())
def test_the_order_of_the_quotes_does_not_matter(
    some: list[Quote], made: list[Attempt], per_day: float, random: Any
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    assert choose(STACK, shuffled, made, per_day) == choose(STACK, some, made, per_day)


def test_the_reasons_say_what_decided() -> None:
    some = [
        a_quote("instruct"),
        a_quote("examples", gates=(gate_of(False),)),
        a_quote("inline", blocked="the project has no public documents"),
        a_quote("structure", gain=0.0, unlocks=0.0),
        a_quote("retrieve", effort="hours"),
        a_quote("tune", per_answer=usd(0.01)),
    ]
    found = options(choose(STACK, some, [], 1000))
    assert found["instruct"][0] == "next" and "cheapest" in found["instruct"][1]
    assert found["examples"] == ("no", "data gate: few-shot needs 3 examples, you have 1 (S2)")
    assert found["inline"] == ("no", "the project has no public documents")
    assert found["structure"][0] == "no" and "gains nothing" in found["structure"][1]
    assert found["retrieve"] == ("later", "waits: instruct takes minutes, this hours")
    assert found["tune"] == ("later", "waits: $3,600 in the first year against $0 for instruct")


def test_a_rejection_is_quoted_from_the_stack_it_happened_on() -> None:
    made = [
        an_attempt(accepted=False),
        Attempt(stack="sha256-before", lever="instruct", settings={}, accepted=False, why="of another day"),
    ]
    assert options(choose(STACK, [a_quote()], made, 0))["instruct"][1].endswith("rejected: because of the test")


def test_a_rejected_lever_may_try_once_more_on_another_stack_and_an_accepted_one_with_other_settings() -> None:
    assert choose("sha256-next", [a_quote()], [an_attempt(accepted=False)], 0).next == "instruct"
    assert choose(STACK, [a_quote(settings={"k": 2})], [an_attempt(k=4)], 0).next == "instruct"
    assert choose(STACK, [a_quote(settings={"k": 4})], [an_attempt(k=4)], 0).next is None


def test_a_lever_whose_whole_forecast_is_a_loss_is_out() -> None:
    loss, none = Interval(low=-0.2, high=-0.05), Interval(low=-0.1, high=0.0)
    for passes, credit, out in ((loss, none, True), (loss, loss, True), (none, none, False), (None, None, False)):
        plan = choose(STACK, [a_quote(forecast=passes, score_forecast=credit)], (), 1000.0)
        assert (plan.next is None) == out
        assert plan.options[0].why.startswith("its forecast is a loss: -0.20 to -0.05 passes, ") == out
    gains = a_quote(forecast=loss, score_forecast=Interval(low=-0.1, high=0.1))
    assert choose(STACK, [gains], (), 1000.0).next == gains.lever
