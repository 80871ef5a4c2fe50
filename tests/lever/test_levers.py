"""Levers: what they write, whom they show what, and what they refuse."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from story import STAFF_HUT, TOPICS, Item, Story, fact, few_items

from levers.diagnosis import diagnose
from levers.economics import PriceBook, Usage, threshold
from levers.errors import LeversError, UserError
from levers.knowledge import Access, build
from levers.lever import LEVERS, Situation, lever
from levers.lever.examples import pick, showable
from levers.lever.figures import Terms
from levers.lever.figures import quote as make_quote
from levers.lever.instruct import rules
from levers.loop import Project
from levers.model.contract import Compared
from levers.plan import Attempt, choose
from levers.stack import Inline, ModelRef, Retrieve, Shots, Stack
from levers.stack.workshop import as_in
from levers.testing import HashEmbedder


class Named:
    """A reranker that is never asked."""

    id = "named"

    def score(self, asked: Sequence[Compared]) -> list[NDArray[np.float32]]:
        raise AssertionError(asked)


def situation_of(project: Project, stack: Stack) -> Situation:
    trial = project.bench.trial(stack, "dev", "trial")
    found = diagnose(project.bench, stack, trial)
    return Situation(project.bench.dev, project.workshop, stack, trial, found, index=lambda: project.index)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Situation]:
    with Story(tmp_path_factory.mktemp("lever") / "huts", few_items()) as story:
        project = Project(story.folder)
        yield situation_of(project, project.start())


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Situation]:
    """A project with nothing but cases: no documents, no examples, no schema."""
    items = [Item("Alder", name, frozenset(), part) for name, part in (("cook", "dev"), ("path", "test"))]
    folder = tmp_path_factory.mktemp("bare") / "huts"
    with Story(folder, items, documents=False, examples=False) as story:
        config = (story.folder / "levers.yaml").read_text()
        kept = [line for line in config.splitlines() if "schema" not in line and "choice" not in line]
        (story.folder / "levers.yaml").write_text("\n".join(kept))
        project = Project(story.folder)
        yield situation_of(project, project.start())


def test_every_lever_quotes_and_names_measured_probes(start: Situation) -> None:
    for each in LEVERS:
        quote = each.quote(start)
        assert quote.lever == each.name and quote.answers
        assert not each.probes or start.diagnosis.headroom_of(each.probes) is not None
        assert quote.per_answer and quote.per_answer.source and quote.one_time.source and quote.latency_ms.source


def test_another_pull_of_retrieve_is_quoted_by_what_changes(start: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lever("retrieve").quote(start)
    there = situation_of_same(start, start.stack.with_part(Retrieve(index="i", k=4)))
    monkeypatch.setattr("levers.lever.retrieve._next_settings", lambda situation: {"k": 3})
    fewer = lever("retrieve").quote(there)
    assert first.one_time.value > 0 and fewer.one_time.value == 0
    assert fewer.per_answer and first.per_answer and start.trial.cost_per_answer is not None
    assert fewer.per_answer.value <= start.trial.cost_per_answer <= first.per_answer.value
    assert fewer.latency_ms.value < 0 < first.latency_ms.value
    assert {fewer.per_answer.provenance, lever("instruct").quote(start).per_answer.provenance} <= {
        "price book",
        "assumed",
    }


def test_a_lever_of_unknown_headroom_waits_and_says_why(start: Situation) -> None:
    blind = replace(start, diagnosis=start.diagnosis.model_copy(update={"headroom": ()}))
    quoted = lever("instruct").quote(blind)
    assert (
        quoted.gain == 0
        and quoted.blocked == "its headroom is not known: the cap ended its probe, or no answer could be scored"
    )
    plan = choose(start.stack.digest, [quoted], (), 1000.0)
    assert plan.next is None and quoted.blocked in plan.options[0].why


def test_quoting_touches_nothing(start: Situation) -> None:
    before = sorted(path.name for path in start.workshop.state.rglob("*.json"))
    for each in LEVERS:
        each.quote(start)
    assert sorted(path.name for path in start.workshop.state.rglob("*.json")) == before


@pytest.mark.parametrize("name", ["structure", "instruct", "examples", "inline"])
def test_what_a_stack_has_is_not_quoted_again(start: Situation, name: str) -> None:
    pulled = lever(name).pull(start, {})
    assert pulled.stack.digest != start.stack.digest and pulled.changed and pulled.material
    again = situation_of_same(start, pulled.stack)
    assert lever(name).quote(again).blocked


def situation_of_same(start: Situation, stack: Stack) -> Situation:
    return Situation(start.bench, start.workshop, stack, start.trial, start.diagnosis, index=start.index)


@pytest.mark.parametrize("name", ["structure", "instruct", "examples", "inline", "retrieve", "sharpen", "tune"])
def test_a_lever_without_material_is_blocked_and_refuses(bare: Situation, name: str) -> None:
    quote = lever(name).quote(bare)
    assert quote.blocked or any(not gate.met for gate in quote.gates)
    with pytest.raises(UserError):
        lever(name).pull(bare, {})


def within(there: Situation, p95_ms: float | None) -> Situation:
    """The same situation under a target for latency."""
    config = there.bench.task.config
    targets = config.targets.model_copy(update={"p95_ms": p95_ms})
    task = there.bench.task.model_copy(update={"config": config.model_copy(update={"targets": targets})})
    return replace(there, bench=replace(there.bench, task=task))


def test_retrieve_is_blocked_under_a_hard_limit_on_latency(start: Situation) -> None:
    limit = threshold("retrieval latency budget").low
    assert limit == 500
    told = [lever("retrieve").quote(within(start, p95_ms)).blocked for p95_ms in (None, limit, limit - 1, 20)]
    assert told[:2] == ["", ""]
    assert told[2] == told[3] == "retrieval does not fit a latency target under 500 ms (S2)"


def test_a_small_public_documentation_is_inlined_before_it_is_searched(start: Situation, tmp_path: Path) -> None:
    assert start.documents is not None
    public = build(start.documents, "docs", Access(), HashEmbedder(), tmp_path)
    small = replace(start, index=lambda: public)
    assert "put them into the prompt and cache it (S" in lever("retrieve").quote(small).blocked
    assert lever("inline").quote(small).blocked == ""
    tried = Attempt(stack=start.stack.digest, lever="inline", settings={}, accepted=False, why="no gain")
    assert lever("retrieve").quote(replace(small, attempts=(tried,))).blocked == ""
    assert lever("retrieve").quote(start).blocked == ""  # one hut is for staff: it cannot stand in everybody's prompt
    reader = start.stack.model_copy(update={"model": ModelRef(id="pocket")})
    assert "the model reads 1,536 at most" in lever("inline").quote(replace(small, stack=reader)).blocked
    assert lever("retrieve").quote(replace(small, stack=reader)).blocked == ""


def test_passages_can_be_kept_within_a_number_of_words(start: Situation) -> None:
    part = lever("retrieve").pull(start, {"k": 4, "words": 40, "chunking": "keep"}).stack.part("retrieve")
    assert isinstance(part, Retrieve) and (part.k, part.words) == (4, 40)


def test_the_rules_name_keys_and_labels_and_no_fact(start: Situation) -> None:
    text = rules(start.bench.task)
    assert '"answer" and "topic"' in text and ", ".join(TOPICS) in text
    assert not any(fact(item.hut, item.attribute) in text for item in few_items() if item.partition != "edge")


def test_nothing_of_staff_is_put_into_a_prompt_for_all(start: Situation) -> None:
    documents = lever("inline").pull(start, {}).stack.part("inline")
    assert isinstance(documents, Inline) and len(documents.documents) == 11
    assert not any(STAFF_HUT.lower() in name for name, _ in documents.documents)
    assert all(STAFF_HUT not in example.question for example in showable(start))


def test_examples_show_every_label_and_no_golden_case(start: Situation) -> None:
    part = lever("examples").pull(start, {"k": 4}).stack.part("examples")
    assert isinstance(part, Shots) and len(part.pairs) == 4
    shown = [example.answer for example in pick(showable(start), 2)]
    assert len({text.split('"topic": ')[1] for text in shown}) == 2
    golden = {case.question for case in start.bench.task.cases}
    assert golden.isdisjoint(question for question, _ in part.pairs)


def test_passages_take_the_place_of_whole_documents(start: Situation) -> None:
    inlined = lever("inline").pull(start, {}).stack
    pulled = lever("retrieve").pull(situation_of_same(start, inlined), {"k": 3})
    assert pulled.stack.part("inline") is None
    part = pulled.stack.part("retrieve")
    assert isinstance(part, Retrieve) and part.k == 3


def test_variants_are_measured_and_noted(start: Situation) -> None:
    pulled = lever("retrieve").pull(start, {})
    assert len(pulled.notes) == 4 and sum("(chosen)" in note for note in pulled.notes) == 1
    assert pulled.notes[0].startswith("chunkings were not compared: 9 dev questions")


def test_retrieval_names_the_reranker_it_was_measured_with(start: Situation) -> None:
    index = start.index()
    assert index is not None
    index = index.reranked(Named())
    there = replace(start, index=lambda: index)
    part = lever("retrieve").pull(there, {"k": 1}).stack.part("retrieve")
    assert isinstance(part, Retrieve) and part.rerank == "named" and as_in(index, part) is index
    bare = lever("retrieve").pull(there, {"k": 1, "rerank": False}).stack.part("retrieve")
    assert isinstance(bare, Retrieve) and bare.rerank is None and as_in(index, bare).reranker is None
    assert "rerank" not in bare.model_dump()  # stacks from before there was a reranker keep their names
    with pytest.raises(LeversError, match="reranks with other"):
        as_in(index, part.model_copy(update={"rerank": "other"}))


def test_added_prompt_tokens_are_paid_as_prompt_tokens(start: Situation) -> None:
    count = len(start.trial.outcomes)
    usage = Usage(input=100 * count, output=1000 * count)
    trial = start.trial.model_copy(update={"usage": usage, "cost_per_answer": 0.01025, "cost_source": "price book: x"})
    terms = Terms(answers="format", settings={}, added_tokens=1000)
    for price, cost in ((PriceBook.load().price("openai/gpt-4o"), 0.01275), (None, 0.11275)):
        there = replace(start, trial=trial, bench=replace(start.bench, price=price))
        found = make_quote("inline", ("knowledge",), there, terms).per_answer
        assert found is not None and found.value == pytest.approx(cost) and found.provenance == "assumed"
        assert found.source == "price book: x" + (
            "; 1,000 more prompt tokens" if price else "; scaled by 11.00 for the longer prompt"
        )


def test_a_second_pull_of_retrieve_changes_only_what_it_is_told(start: Situation) -> None:
    there = replace(start, index=lambda: index)
    index = start.index()
    assert index is not None
    index = index.reranked(Named())
    first = Retrieve(index="old", k=4, mode="bm25", order="ends", around=True, sentences=2, rewrites=1, words=90)

    def again(**told: object) -> Retrieve:
        part = lever("retrieve").pull(situation_of_same(there, stack), told).stack.part("retrieve")
        assert isinstance(part, Retrieve)
        return part

    stack = start.stack.with_part(first)
    assert again(k=3) == first.model_copy(update={"index": index.digest, "k": 3})
    told = again(k=3, mode="hybrid", rerank=True, hops=2, words=None)
    assert (told.mode, told.rerank, told.hops, told.words) == ("hybrid", "named", 2, None)
    assert (told.order, told.around, told.sentences, told.rewrites) == ("ends", True, 2, 1)
    stack = start.stack.with_part(first.model_copy(update={"rerank": "older"}))
    assert again(k=3).rerank == "named" and again(k=3, rerank=False).rerank is None


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("examples", {"k": 0}, "expected a whole number of at least 1 and at most 32"),
        ("examples", {"k": "two"}, "found 'two', expected a whole number of at least 1"),
        ("tune", {"epoch": 1}, 'epoch: found an unknown setting, expected one of method, .*"epochs"'),
        ("tune", {"learning_rate": 0}, "expected a number of more than 0"),
        ("tune", {"method": "magic"}, "expected one of lora, rslora"),
        ("inline", {"k": 1}, "nothing to set"),
        ("retrieve", {"k": "many", "mode": "psychic"}, "mode"),
        ("retrieve", {"chunking": "by taste"}, "structure 160"),
        ("structure", {"k": 1}, "expected one of repairs"),
        ("instruct", {"keep_brief": "perhaps"}, "keep_brief: found 'perhaps', expected true or false"),
    ],
)
def test_wrong_settings_are_named(start: Situation, name: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=re.compile(says, re.DOTALL)):
        lever(name).pull(start, dict(settings))


def test_a_brief_that_the_rules_replace_is_told(start: Situation) -> None:
    assert "the rules replace the brief" in lever("instruct").pull(start, {"keep_brief": False}).changed
    assert "brief" not in lever("instruct").pull(start, {"keep_brief": True}).changed


def test_an_unknown_lever_names_the_known_ones() -> None:
    with pytest.raises(
        UserError,
        match="one of instruct, structure, examples, inline, retrieve, order, reason, sharpen, tune, compress",
    ):
        lever("magic")
