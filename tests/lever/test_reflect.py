"""Reflection on instructions: the reference model's proposals race on dev, within a budget, and are paid for once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from story import HUTS, STAFF_HUT, TOPICS, Item, Reader, Story, fact

from levers.diagnosis import Diagnosis, Headroom
from levers.errors import UserError
from levers.lever import Situation, lever
from levers.lever.instruct import rules
from levers.lever.reflect import guarded_answers
from levers.loop import Project
from levers.plan import Attempt
from levers.stack import Instruct
from levers.task import Case, Task
from levers.task.records import TaskConfig
from levers.testing import Scripted
from levers.trial.records import Interval

pytest.importorskip("gepa")

BETTER = f"Reply with only a JSON object: answer, and topic, which is one of: {', '.join(TOPICS)}."
LEAK = BETTER + " " + " ".join(f"The warden of {hut} is {fact(hut, 'warden')}." for hut in HUTS)
SURE = Interval(low=1, high=1)
CASES = [Item(hut, "warden", frozenset({"format", "instruction"}), evidence=()) for hut in HUTS[:10]]
CASES += [Item(hut, "price", frozenset({"format"}), "test", evidence=()) for hut in HUTS[:4]]


class Writer(Reader):
    """Proposes instructions when it is asked to, in turn; else reads as the story's model does."""

    proposals = (f"```\n{LEAK}\n```", f"```\n{BETTER}\n```")

    def __call__(self, request: dict[str, Any]) -> Scripted:
        text = request["messages"][-1]["content"]
        if "instructions that an assistant works by" not in text:
            return super().__call__(request)
        self.asked = [*getattr(self, "asked", []), text]
        return Scripted(self.proposals[(len(self.asked) - 1) % 2])


def write_story(folder: Path, cases: list[Item], documents: bool) -> Story:
    made = Story(folder, cases, documents=documents, examples=False, reference_model="openai/strong")
    made.reader = made.server._script = Writer(made.items)
    prices = made.folder / "prices.yaml"
    prices.write_text(prices.read_text() + "openai/strong: {input: 2, output: 8}\n")
    graders = (made.folder / "levers.yaml").read_text().replace("schema: answer.schema.json", "schema: any.schema.json")
    (made.folder / "any.schema.json").write_text(json.dumps({"type": "object"}))  # says nothing of keys or topics
    (made.folder / "levers.yaml").write_text(graders)
    return made


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with write_story(tmp_path / "huts", CASES, documents=False) as made:
        yield made


def situation(project: Project) -> Situation:
    stack = project.start()
    trial = project.bench.trial(stack, "dev", "trial")
    found = Diagnosis(stack=stack.digest, measured=10, failures=10, needs={}, cases=(), headroom=())
    return Situation(project.bench.dev, project.workshop, stack, trial, found)


def test_what_the_reference_writes_is_raced_and_the_best_is_taken(story: Story) -> None:
    pulled = lever("instruct").pull(situation(Project(story.folder)), {"keep_brief": True, "reflect": 60})
    part = pulled.stack.part("instruct")
    assert isinstance(part, Instruct) and part.text == BETTER
    assert any("(taken)" in note and "best on 5" in note for note in pulled.notes)
    assert "held answers of dev" in pulled.notes[0]
    assert all(hut not in part.text for hut in HUTS)


def test_test_is_never_seen_and_a_second_pull_costs_nothing(story: Story) -> None:
    settings = {"keep_brief": True, "reflect": 60}
    lever("instruct").pull(situation(Project(story.folder)), settings)
    assert not any("price of" in json.dumps(request["messages"]) for request in story.server.requests)
    assert story.reader.asked and all("price of" not in text for text in story.reader.asked)
    asked = story.asked
    again = lever("instruct").pull(situation(Project(story.folder)), settings)
    assert story.asked == asked
    assert again.stack.part("instruct") == Instruct(text=BETTER)


def test_what_only_some_may_read_is_shown_to_no_reference_model(tmp_path: Path) -> None:
    lacks = frozenset({"format", "instruction"})
    hidden = [Item(STAFF_HUT, name, lacks, user="mira") for name in ("warden", "cook", "path", "spring")]
    cases = [Item(hut, "warden", lacks, evidence=()) for hut in HUTS[:6]] + hidden
    with write_story(tmp_path / "huts", cases, documents=True) as story:
        project = Project(story.folder)
        found = replace(situation(project), index=lambda: project.index)
        pulled = lever("instruct").pull(found, {"keep_brief": True, "reflect": 60})
        asked = story.reader.asked
        assert asked and not any(STAFF_HUT in text for text in asked)
        assert "4 dev cases left out of reflection: not everybody may read their evidence" in pulled.notes


def _task(expected: list[Any], graders: list[dict[str, Any]], schemas: dict[str, Any] | None = None) -> Task:
    config = TaskConfig.model_validate({"name": "t", "instructions": "b.md", "golden": "g.jsonl", "graders": graders})
    cases = tuple(
        Case(id=f"c{at}", input=f"Question {at}?", expected=each, partition="dev") for at, each in enumerate(expected)
    )
    return Task(root=Path(), config=config, instructions="", cases=cases, schemas=schemas or {})


def test_every_answer_is_guarded_but_labels_and_what_is_shared_or_says_nothing() -> None:
    plain = _task(["Paris", "14", ("blue moon", "Blue Moon."), *["I do not know"] * 4, "14"], [{"kind": "exact"}])
    assert set(guarded_answers(plain)) == {"paris", "14", "blue moon"}
    refusing = _task(["Paris", *["I do not know"] * 4], [{"kind": "exact"}])
    assert guarded_answers(refusing) == ("paris",)
    rows = [{"answer": f"{at}0", "days": at, "topic": "money", "mood": "glad", "right": True} for at in (1, 2, 3)]
    graders = [{"kind": "exact", "field": "answer"}, {"kind": "choice", "field": "topic", "choices": ["money"]}]
    schema = {"properties": {"mood": {"enum": ["glad", "sad"]}, "enum": {"type": "string"}}}
    assert set(guarded_answers(_task(rows, graders, {"s": schema}))) == {"10", "20", "30"}
    assert guarded_answers(_task(["card", "loan", "fee"], [{"kind": "choice"}])) == ()


def test_calls_and_money_end_the_search(story: Story) -> None:
    project = Project(story.folder)
    few = lever("instruct").pull(situation(project), {"keep_brief": True, "reflect": 8})
    assert few.notes[0].startswith("reflection: ")
    count = int(few.notes[0].split(", ")[1].split()[0])
    assert count <= 8 + 3 + 5  # a round that is under way is ended
    poor = lever("instruct").pull(situation(project), {"keep_brief": True, "reflect": 500, "usd": 1e-9})
    assert poor.notes[0].startswith("reflection: 0 proposals")


def test_what_is_missing_is_said(story: Story) -> None:
    found = situation(Project(story.folder))
    config = found.bench.task.config
    alone = config.model_copy(update={"models": config.models.model_copy(update={"reference": None})})
    task = found.bench.task.model_copy(update={"config": alone})
    with pytest.raises(UserError, match="a reference model, which writes the proposals"):
        lever("instruct").pull(replace(found, bench=replace(found.bench, task=task)), {"reflect": 20})
    (story.folder / "prices.yaml").write_text("openai/scripted: {input: 0.1, output: 0.4}\n")
    with pytest.raises(UserError, match="a price for openai/strong"):
        lever("instruct").pull(situation(Project(story.folder)), {"reflect": 20, "usd": 1.0})


def test_a_run_reflects_once_the_rules_are_written(story: Story) -> None:
    project = Project(story.folder)
    start = situation(project)
    room = Headroom(
        probes=("format", "instruction"), gain=1, interval=SURE, score_gain=1, score_interval=SURE, unlocks=1
    )
    start = replace(start, diagnosis=start.diagnosis.model_copy(update={"headroom": (room,)}))
    assert lever("instruct").quote(start).settings == {}
    text = f"{project.task.instructions}\n\n{rules(project.task)}"
    written = replace(start, stack=start.stack.with_part(Instruct(text=text)))
    quoted = lever("instruct").quote(written)
    assert quoted.settings == {"reflect": 200} and not quoted.blocked
    assert quoted.one_time.value > 0 and "proposals" in quoted.one_time.source
    done = Attempt(lever="instruct", stack="x", settings=quoted.settings, accepted=True, why="better")
    assert "already" in lever("instruct").quote(replace(written, attempts=(done,))).blocked
