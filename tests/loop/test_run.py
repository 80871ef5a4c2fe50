"""The loop over a small project with real parts behind a scripted model: it improves, confirms, explains, remembers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from story import Story, few_items

from levers.errors import Problem, UserError
from levers.lever import Pulled, lever
from levers.loop import Loop, Project, Run, forecasts


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Story, Run]]:
    with Story(tmp_path_factory.mktemp("loop") / "huts", long=True) as story:
        yield story, Loop(Project(story.folder)).run()


def test_it_improves_and_holds_on_test_and_edge(finished: tuple[Story, Run]) -> None:
    run = finished[1]
    start, final = run.steps[0].measured, run.final
    assert start.dev.quality == 0 and final.dev.quality > 0.5
    assert final.test is not None and final.test.quality > 0.5
    assert start.edge is not None and final.edge is not None and final.edge.quality >= start.edge.quality


def test_accepted_steps_carry_their_proof(finished: tuple[Story, Run]) -> None:
    accepted = [step for step in finished[1].steps if step.verdict == "accepted"]
    assert len({step.lever for step in accepted}) >= 3
    for step in accepted:
        assert step.p_value is not None and step.p_value < 0.05
        assert step.test_score is not None and step.test_score.difference > 0
        assert step.diagnosis is not None and step.plan is not None and step.plan.next == step.lever
        assert step.changed and step.material


def test_rejected_steps_say_why_and_never_open_test_in_vain(finished: tuple[Story, Run]) -> None:
    run = finished[1]
    rejected = [step for step in run.steps if step.verdict == "rejected"]
    assert all(step.why for step in rejected)
    opened = {opening.stack for opening in run.openings}
    assert all((step.stack.digest in opened) == (step.test_score is not None) for step in rejected)


def test_no_pull_is_made_twice_on_one_stack(finished: tuple[Story, Run]) -> None:
    current, seen = finished[1].steps[0].stack.digest, set()
    for step in finished[1].steps[1:]:
        pull = (current, step.lever, json.dumps(step.settings))
        assert pull not in seen
        seen.add(pull)
        current = step.stack.digest if step.verdict == "accepted" else current


def test_what_still_fails_is_explained_and_every_option_answered(finished: tuple[Story, Run]) -> None:
    run = finished[1]
    assert run.stopped == "no lever pays any more" and run.closing.next is None and not run.targets_met
    assert {"label", "unexplained"} <= set(run.after.needs)
    assert all(option.verdict == "no" and option.why for option in run.closing.options)


def test_forecasts_are_told_in_cases_and_none_is_beyond(finished: tuple[Story, Run]) -> None:
    run = finished[1]
    found = forecasts(run.steps)
    assert found is not None and found.beyond == 0 and found.share_honest.high == 1
    for each in found.steps:
        cases = each.kept + each.extra - each.lost
        assert each.realised == pytest.approx(cases / len(run.final.dev.outcomes))
        assert bool(each.why) == (each.hit == "short") and each.kept + each.missed >= 0


def test_openings_of_test_are_recorded_once_each(finished: tuple[Story, Run]) -> None:
    story, run = finished
    stacks = [opening.stack for opening in run.openings]
    assert len(stacks) == len(set(stacks)) and run.stack.digest in stacks
    lines = (story.folder / ".levers" / "openings.jsonl").read_text().splitlines()
    assert [json.loads(line)["stack"] for line in lines] == stacks
    assert {json.loads(line)["run"] for line in lines} == {run.id}


def test_the_same_run_again_asks_nothing_and_says_the_same(finished: tuple[Story, Run]) -> None:
    story, run = finished
    asked = story.asked
    assert Loop(Project(story.folder)).run() == run
    assert story.asked == asked


def test_the_stack_in_use_is_the_one_promoted(finished: tuple[Story, Run]) -> None:
    story, run = finished
    project = Project(story.folder)
    assert project.stack() == run.stack
    assert project.stack(run.stack.digest[:14]) == run.stack
    assert project.stack("start") == run.steps[0].stack


def test_the_run_follows_the_documents(finished: tuple[Story, Run]) -> None:
    story, before = finished
    item = next(item for item in story.items if item.partition == "dev" and "wrong" not in item.lacks)
    assert before.final.dev.outcome(item.id).passed
    story.rewrite(item.hut, item.attribute, "a brand new word")
    after = Loop(Project(story.folder)).run()
    assert after.id != before.id
    found = after.final.dev.outcome(item.id)
    assert found.passed and "a brand new word" in found.answer.text


def test_a_target_that_is_met_ends_the_run(tmp_path: Path) -> None:
    from story import Item

    items = [Item("Alder", name, frozenset(), "dev" if name < "m" else "test") for name in ("altitude", "cook", "path")]
    with Story(tmp_path / "huts", items) as story:
        run = Loop(Project(story.folder)).run()
    assert run.targets_met and len(run.steps) == 1 and run.after.failures == 0
    assert run.final.test is not None and run.steps[0].measured.test is not None
    assert [opening.reason for opening in run.openings] == ["to report the end"]


def test_a_start_that_an_opened_test_shows_to_be_good_enough_ends_the_run(tmp_path: Path) -> None:
    items = [item if item.partition == "dev" else replace(item, lacks=frozenset()) for item in few_items()]
    with Story(tmp_path / "huts", items) as story:
        run = Loop(Project(story.folder)).run()
    start, pulled = run.steps
    assert start.measured.dev.quality < 1 and pulled.dev_score is not None and pulled.dev_score.difference > 0
    assert pulled.verdict == "rejected" and "test" in pulled.why
    assert run.stopped == "all targets are met" and run.targets_met and run.stack == start.stack
    assert run.final.test is not None and run.final.test.quality == 1
    assert {opening.stack for opening in run.openings} == {start.stack.digest, pulled.stack.digest}


def test_a_pull_that_a_lever_refuses_is_a_rejected_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(name: str) -> SimpleNamespace:
        def pull(*given: object) -> None:
            raise UserError(Problem(file="examples.jsonl", found="1 to tune on", expected="two at least"))

        return SimpleNamespace(pull=pull, pilot=pull, probes=lever(name).probes)

    monkeypatch.setattr("levers.loop.run.lever", refusing)
    monkeypatch.setattr("levers.loop.run.MOST_STEPS", 2)
    with Story(tmp_path / "huts", few_items()) as story:
        run = Loop(Project(story.folder), pilots=True).run()
    start, refused, again = run.steps
    assert refused.tries == again.tries == 1, "what tested nothing makes no later pull harder to prove"
    assert refused.verdict == "rejected" and refused.stack == start.stack == run.stack
    assert refused.why == "it cannot be pulled: examples.jsonl: found 1 to tune on, expected two at least"
    assert not list((story.folder / ".levers").rglob("pull-*"))  # what is mended is pulled when the run goes on


def test_a_pull_that_says_it_made_things_worse_opens_no_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def worsening(name: str) -> SimpleNamespace:
        def pull(*given: Any) -> Pulled:
            return lever(name).pull(*given).model_copy(update={"worse": ("at other instructions: 3 of 10 lost",)})

        return SimpleNamespace(pull=pull, probes=lever(name).probes)

    monkeypatch.setattr("levers.loop.run.lever", worsening)
    monkeypatch.setattr("levers.loop.run.MOST_STEPS", 1)
    with Story(tmp_path / "huts", few_items()) as story:
        run = Loop(Project(story.folder)).run()
    start, worse = run.steps
    assert worse.stack != start.stack == run.stack and worse.dev_score is not None and worse.test_score is None
    assert worse.verdict == "rejected" and worse.why == "worse at other instructions: 3 of 10 lost"
    assert [opening.reason for opening in run.openings] == ["to report the end"]
