"""reason, order, compress, cache and the nearest examples: what they quote without a call, and what they build."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from story import ATTRIBUTES, HUTS, Item, Story

from levers.diagnosis import diagnose
from levers.economics import PriceBook, prefix_cost
from levers.errors import UserError
from levers.lever import LEVERS, Situation, lever
from levers.lever.cache import prefix
from levers.lever.compress import cuts
from levers.lever.instruct import rules
from levers.loop import Project
from levers.plan import choose
from levers.stack import Instruct, Reason, Retrieve, Shots, Stack, Structure
from levers.task import Task, TaskConfig

FILLER = "Guests have walked for hours in the wind and the rain, and they are glad of every warm word they hear"
CLAUDE = "anthropic/claude-sonnet-4"


def situation_of(project: Project, stack: Stack) -> Situation:
    trial = project.bench.trial(stack, "dev", "trial")
    found = diagnose(project.bench, stack, trial)
    return Situation(project.bench.dev, project.workshop, stack, trial, found, index=lambda: project.index)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Ten dev cases: six want the form, two are drowned among passages, one only comes right at times, one never."""
    lacks = [*["format"] * 6, "drowned", "drowned", "seed", "wrong"]
    items = [Item(HUTS[at], list(ATTRIBUTES)[at], frozenset({name})) for at, name in enumerate(lacks)]
    with Story(tmp_path_factory.mktemp("prompting") / "huts", items) as made:
        yield made


@pytest.fixture(scope="module")
def project(story: Story) -> Project:
    return Project(story.folder)


@pytest.fixture(scope="module")
def searching(project: Project) -> Situation:
    """A stack with rules, four passages, and a sentence that nobody needs."""
    index = project.index
    assert index is not None
    text = f"{rules(project.task)}\n\n{FILLER}."
    return situation_of(project, project.start().with_part(Instruct(text=text)).with_part(Retrieve(index=index.digest)))


def on(situation: Situation, stack: Stack) -> Situation:
    return replace(situation, stack=stack)


def test_quoting_asks_nothing_and_answers_for_every_lever(story: Story, searching: Situation) -> None:
    asked = story.asked
    quotes = [each.quote(searching) for each in LEVERS]
    assert story.asked == asked
    found = choose(searching.stack.digest, quotes, (), 500)
    assert all(option.why for option in found.options)
    assert {quote.lever for quote in quotes if quote.saves} == {"compress", "cache"}


def test_reasoning_is_quoted_from_what_no_material_mends(searching: Situation) -> None:
    quote = lever("reason").quote(searching)
    needs = searching.diagnosis.needs
    assert quote.unlocks == pytest.approx(sum(needs[name].share for name in ("consistency", "unexplained")))
    assert not quote.blocked
    now = searching.trial.cost_per_answer
    assert now is not None and quote.per_answer.value == pytest.approx(5 * now)  # some waver: a vote of five


def test_reasoning_waits_where_it_cannot_help_or_does_not_fit(searching: Situation) -> None:
    pocket = searching.stack.model.model_copy(update={"id": "pocket"})
    small = on(searching, searching.stack.model_copy(update={"model": pocket}))
    assert "at once" in lever("reason").quote(small).blocked
    with pytest.raises(UserError, match="at once"):
        lever("reason").pull(small, {})
    few = replace(searching, diagnosis=searching.diagnosis.model_copy(update={"cases": ()}))
    assert "under 5%" in lever("reason").quote(few).blocked
    targets = searching.bench.task.config.targets.model_copy(update={"p95_ms": 0.001})
    config = searching.bench.task.config.model_copy(update={"targets": targets})
    hurried = replace(searching, bench=replace(searching.bench, task=task_of(searching, config)))
    assert "over the target" in lever("reason").quote(hurried).blocked


def task_of(situation: Situation, config: TaskConfig) -> Task:
    return situation.bench.task.model_copy(update={"config": config})


def test_every_fitting_way_to_reason_is_measured(searching: Situation) -> None:
    pulled = lever("reason").pull(searching, {"budget": 32})
    assert [note.split(":")[0] for note in pulled.notes] == ["thought", "a check", "a vote of 5"]
    part = pulled.stack.part("reason")
    assert isinstance(part, Reason)
    assert "reasons already" in lever("reason").quote(on(searching, pulled.stack)).blocked


def test_a_way_to_reason_can_be_named(searching: Situation) -> None:
    part = lever("reason").pull(searching, {"think": True, "samples": 3}).stack.part("reason")
    assert part == Reason(think=True, samples=3)
    with pytest.raises(UserError, match="think, verify or samples"):
        lever("reason").pull(searching, {"think": False})


def test_order_is_measured_where_there_is_a_middle(searching: Situation) -> None:
    quote = lever("order").quote(searching)
    assert not quote.blocked and quote.unlocks == pytest.approx(0.2)
    pulled = lever("order").pull(searching, {})
    assert len(pulled.notes) == 6 and "(as it is)" in pulled.notes[0]
    assert pulled.stack.digest != searching.stack.digest
    two = searching.stack.with_part(Retrieve(index="i", k=2))
    assert "no middle" in lever("order").quote(on(searching, two)).blocked
    assert lever("order").quote(on(searching, searching.stack.without("retrieve"))).blocked


def test_compression_leaves_out_what_dev_does_not_miss(project: Project, searching: Situation) -> None:
    stack = searching.stack.without("retrieve")
    pulled = lever("compress").pull(situation_of(project, stack), {"tries": 6})
    part = pulled.stack.part("instruct")
    assert isinstance(part, Instruct) and FILLER not in part.text and "JSON object" in part.text
    assert any(FILLER in note for note in pulled.notes)
    assert any("cases, 59 are needed" in note or "shown (p" in note for note in pulled.notes)
    assert any("weights" in note for note in pulled.notes)


def test_cuts_take_examples_and_passages_too(searching: Situation) -> None:
    stack = searching.stack.with_part(Shots(pairs=(("q", "a"),) * 4))
    labels = [label for label, _ in cuts(stack)]
    assert labels[0] == "all but 2 sentences of each passage" and "all but 2 examples" in labels
    one = stack.with_part(Shots(pairs=(("q", "a"),)))
    assert "the example" in [label for label, _ in cuts(one)]
    nearest = stack.with_part(Shots(pairs=(("q", "a"),) * 4, nearest=3))
    shorter = dict(cuts(nearest))["all but 1 examples"].part("examples")
    assert isinstance(shorter, Shots) and shorter.nearest == 1


def test_small_savings_wait_and_say_how_small(searching: Situation) -> None:
    quote = lever("compress").quote(searching)
    assert quote.blocked.startswith("it would save at most $") and "under $100" in quote.blocked


def marked(searching: Situation, answers_per_day: float, length: int = 20_000) -> Situation:
    """The same stack with a long prompt, on a model whose prompts take marks."""
    price = PriceBook.load().find(CLAUDE)
    traffic = searching.bench.task.config.traffic.model_copy(update={"answers_per_day": answers_per_day})
    config = searching.bench.task.config.model_copy(update={"traffic": traffic})
    bench = replace(searching.bench, price=price, task=task_of(searching, config))
    model = searching.stack.model.model_copy(update={"id": CLAUDE})
    stack = Stack(model=model, parts=(Instruct(text="x" * length),))
    return replace(searching, bench=bench, stack=stack)


def test_a_cache_is_quoted_at_its_break_even(searching: Situation) -> None:
    busy = marked(searching, 50_000)
    quote = lever("cache").quote(busy)
    assert not quote.blocked and quote.settings == {"lifetime": "5m"}
    price = busy.bench.price
    assert price is not None and quote.saves is not None and prefix(busy) == 5000
    full = prefix_cost(price, 5000, None)
    assert 0.85 * full < quote.saves.value <= 0.9 * full  # every answer hits, at a tenth of the price
    pulled = lever("cache").pull(busy, quote.settings)
    assert pulled.stack.model.cache == "5m"
    assert "pays from 71 answers a day" in pulled.notes[0]  # by hand: -ln(1 - 0.75 / 3.45) / 300 s * 86,400 s
    assert "marked already" in lever("cache").quote(on(busy, pulled.stack)).blocked


def test_a_cache_waits_for_traffic_length_and_marks(searching: Situation) -> None:
    assert "pays from" in lever("cache").quote(marked(searching, 10)).blocked
    assert "caches from" in lever("cache").quote(marked(searching, 50_000, length=400)).blocked
    assert "caches by itself" in lever("cache").quote(searching).blocked
    local = searching.stack.model.model_copy(update={"id": "hf/x"})
    assert (
        "runs here" in lever("cache").quote(on(searching, searching.stack.model_copy(update={"model": local}))).blocked
    )
    with pytest.raises(UserError, match="Anthropic"):
        lever("cache").pull(searching, {})


def test_the_nearest_examples_come_from_the_reviewed_ones(searching: Situation) -> None:
    part = lever("examples").pull(searching, {"k": 3, "nearest": True}).stack.part("examples")
    assert isinstance(part, Shots) and part.nearest == 3 and len(part.pairs) > 3
    golden = {case.question for case in searching.bench.task.cases}
    assert golden.isdisjoint(question for question, _ in part.pairs)


def test_a_server_that_ignores_the_schema_is_repaired_and_counted(tmp_path_factory: pytest.TempPathFactory) -> None:
    items = [Item(HUTS[at], "warden", frozenset({"format"})) for at in range(4)]
    with Story(tmp_path_factory.mktemp("repair") / "huts", items) as deaf:
        heard = deaf.server._script
        deaf.server._script = lambda request: heard({**request, "response_format": {}})
        opened = Project(deaf.folder)
        pulled = lever("structure").pull(situation_of(opened, opened.start()), {})
    part = pulled.stack.part("structure")
    assert isinstance(part, Structure) and part.repairs == 1
    assert "100.0%" in pulled.notes[1] and "sent back" in pulled.notes[2] and "tune for format" in pulled.notes[3]
