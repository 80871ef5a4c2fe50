"""Samples to tune on: their prompts hold their facts, and never what only some may read."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from story import STAFF_HUT, Story, fact, few_items, reference

from levers.lever import Situation
from levers.lever.samples import lay_out
from levers.loop import Project
from levers.stack import Retrieve, Stack
from levers.task.records import Example
from levers.trial.records import Trial


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Situation]:
    """A stack that shows one passage a question."""
    with Story(tmp_path_factory.mktemp("samples") / "huts", few_items()) as story:
        project = Project(story.folder)
        index = project.index
        assert index is not None
        stack = project.start().with_part(Retrieve(index=index.digest, k=1))
        yield Situation(project.bench.dev, project.workshop, stack, Trial.model_construct(), None, index=lambda: index)  # type: ignore[arg-type]


def example(situation: Situation, hut: str, attribute: str, question: str) -> Example:
    shown = situation.bench.task.examples[0]
    answer = json.dumps({"answer": fact(hut, attribute), "topic": "any"})
    turns = (shown.messages[0].model_copy(update={"content": question}),)
    return shown.model_copy(
        update={"messages": turns, "answer": answer, "evidence": (reference(hut, attribute),), "line": 1}
    )


def test_evidence_that_search_misses_takes_the_place_of_a_passage(searching: Situation) -> None:
    lost = example(searching, "Alder", "cook", "zzz qqq")
    laid = lay_out(searching, [lost])
    assert (laid.handed, laid.left_out) == (1, 0)
    prompt = laid.samples[0].messages[-1].content
    assert fact("Alder", "cook") in prompt and "[2]" not in prompt


@pytest.mark.parametrize(
    "answer", ['{"answer": "yes", "topic": "any"}', "It is somebody whom all of them know.", "1,250"]
)
def test_an_answer_in_other_words_than_its_evidence_is_learnt_beside_it(searching: Situation, answer: str) -> None:
    asked = f"Who cooks at {example(searching, 'Alder', 'cook', 'x').evidence[0]}?"
    other = example(searching, "Alder", "cook", asked).model_copy(update={"answer": answer})
    lost = example(searching, "Alder", "cook", "zzz qqq").model_copy(update={"answer": answer})
    laid = lay_out(searching, [other, lost])
    assert laid.left_out == 0 and len(laid.samples) == 2
    assert all(fact("Alder", "cook") in sample.messages[-1].content for sample in laid.samples)


def test_what_search_finds_is_left_as_it_is(searching: Situation) -> None:
    examples = searching.bench.task.examples
    laid = lay_out(searching, examples)
    assert laid.samples and len(laid.samples) + laid.left_out == len(examples)
    assert all("Passages:" in sample.messages[-1].content for sample in laid.samples)


@pytest.mark.parametrize("retrieves", [True, False])
def test_what_only_some_may_read_is_never_learnt(searching: Situation, retrieves: bool) -> None:
    stack = searching.stack if retrieves else searching.stack.without("retrieve")
    secret = example(searching, STAFF_HUT, "cook", f"Who cooks at {STAFF_HUT}?")
    laid = lay_out(replace(searching, stack=stack), [secret, *searching.bench.task.examples[:1]])
    assert (laid.handed, laid.left_out, laid.restricted) == (0, 0, 1)
    assert [sample.line for sample in laid.samples] == [1] and fact(STAFF_HUT, "cook") not in str(laid.samples)


def test_without_documents_nothing_is_restricted(searching: Situation) -> None:
    bare = replace(searching, stack=searching.stack.without("retrieve"), index=lambda: None)
    laid = lay_out(bare, searching.bench.task.examples)
    assert len(laid.samples) == len(searching.bench.task.examples) and not laid.restricted


def test_without_passages_every_example_stays(searching: Situation) -> None:
    stack: Stack = searching.stack.without("retrieve")
    examples = searching.bench.task.examples
    laid = lay_out(replace(searching, stack=stack), examples)
    assert len(laid.samples) == len(examples) and not laid.handed
