"""What is planted in a case comes out as its need: alone, in pairs, and never as another's fault."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from story import FILLER, HUTS, Item, Lacks, Story, fact

from levers.diagnosis import CaseDiagnosis, Diagnosis, diagnose
from levers.errors import LeversError
from levers.loop import Project
from levers.stack import Retrieve, Stack

STRONG = "openai/strong"


def lacks(*names: str) -> Lacks:
    return frozenset(names)


PLANTED: dict[str, tuple[Item, set[str]]] = {
    "knowledge": (Item("Alder", "warden", lacks("knowledge")), {"knowledge"}),
    "format": (Item("Birch", "warden", lacks("format")), {"format"}),
    "instruction": (Item("Cedar", "price", lacks("instruction")), {"instruction"}),
    "tone": (Item("Dovecot", "price", lacks("tone")), {"tone"}),
    "tool": (Item("Elder", "path", lacks("knowledge"), evidence=("tables.db#huts",)), {"tool"}),
    "consistency": (Item("Fernside", "path", lacks("seed")), {"consistency"}),
    "capability": (Item("Gorse", "curfew", lacks("capability")), {"capability"}),
    "unexplained": (Item("Heron", "curfew", lacks("wrong")), {"unexplained"}),
    "label": (Item("Ivy", "cook", lacks("label")), {"label"}),
    "label, unknown": (Item("Juniper", "cook", lacks("label", "knowledge", "format")), {"label"}),
    "facts, form": (Item("Kestrel", "warden", lacks("knowledge", "format")), {"knowledge", "format"}),
    "form, label": (Item("Kestrel", "price", lacks("format", "instruction")), {"format", "instruction"}),
    "facts, label": (Item("Kestrel", "path", lacks("knowledge", "instruction")), {"knowledge", "instruction"}),
    "form, tone": (Item("Birch", "curfew", lacks("format", "tone", "instruction")), {"tone"}),
    "facts, tone": (Item("Cedar", "spring", lacks("knowledge", "tone")), {"knowledge", "tone"}),
    "three": (
        Item("Elder", "supper", lacks("knowledge", "format", "instruction")),
        {"knowledge", "format", "instruction"},
    ),
    "nothing": (Item("Elder", "deposit", lacks()), set()),
}


def looked_at(project: Project, stack: Stack) -> Diagnosis:
    return diagnose(project.bench, stack, project.bench.trial(stack, "dev", "trial"))


def needs(found: Diagnosis) -> dict[str, set[str]]:
    return {each.case: {need.name for need in each.needs} for each in found.cases}


def of(found: Diagnosis, item: Item) -> CaseDiagnosis:
    return next(each for each in found.cases if each.case == item.id)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Story, Diagnosis]]:
    items = [item for item, _ in PLANTED.values()]
    extra = [Item("Ivy", "path", lacks(), "test"), Item("Nowhere", "path", lacks(), "edge")]
    folder = tmp_path_factory.mktemp("planted") / "huts"
    with Story(folder, [*items, *extra], tables=True, reference_model=STRONG) as story:
        project = Project(story.folder)
        yield story, looked_at(project, project.start())


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_comes_out(planted: tuple[Story, Diagnosis], name: str) -> None:
    item, wanted = PLANTED[name]
    assert needs(planted[1]).get(item.id, set()) == wanted
    if wanted:
        assert all(need.because for need in of(planted[1], item).needs)


def test_shares_count_every_measured_case(planted: tuple[Story, Diagnosis]) -> None:
    found = planted[1]
    assert (found.measured, found.failures) == (len(PLANTED), len(PLANTED) - 1)
    wanted = sum("knowledge" in names for _, names in PLANTED.values())
    share = found.needs["knowledge"]
    assert share.cases == wanted and share.share == wanted / len(PLANTED)
    assert share.interval.low < share.share < share.interval.high


def test_headroom_is_what_the_probes_cured(planted: tuple[Story, Diagnosis]) -> None:
    found = planted[1]
    alone = sum(names in ({"knowledge"}, {"tool"}) for _, names in PLANTED.values())
    room = found.headroom_of(("knowledge",))
    assert room is not None and room.gain == pytest.approx(alone / len(PLANTED))
    wanted = sum(bool(names & {"knowledge", "tool"}) for _, names in PLANTED.values())
    assert room.unlocks == pytest.approx(wanted / len(PLANTED))
    form = found.headroom_of(("format",))
    assert form is not None and form.gain == pytest.approx(1 / len(PLANTED))


def test_a_rerun_says_the_same_and_asks_nothing(planted: tuple[Story, Diagnosis]) -> None:
    story, before = planted
    asked = story.asked
    project = Project(story.folder)
    again = looked_at(project, project.start())
    assert story.asked == asked
    assert (again.needs, needs(again), again.headroom) == (before.needs, needs(before), before.headroom)


def test_nothing_is_asked_twice(planted: tuple[Story, Diagnosis]) -> None:
    requests = [json.dumps(each, sort_keys=True) for each in planted[0].server.requests]
    assert len(requests) == len(set(requests))


def test_only_dev_is_looked_at(planted: tuple[Story, Diagnosis]) -> None:
    project = Project(planted[0].folder)
    for partition in ("test", "edge"):
        trial = project.bench.trial(project.start(), partition, "trial")
        with pytest.raises(LeversError, match=f"dev cases only, not at {partition}"):
            diagnose(project.bench, project.start(), trial)


def test_without_a_reference_model_the_model_is_not_blamed(tmp_path: Path) -> None:
    item = Item("Gorse", "curfew", lacks("capability"))
    with Story(tmp_path / "huts", [item]) as story:
        project = Project(story.folder)
        need = of(looked_at(project, project.start()), item).needs[0]
    assert need.name == "unexplained" and "name a reference model" in need.because


DROWNED = Item("Alder", "warden", lacks("knowledge", "drowned"))
MISSED = Item("Birch", "cook", lacks("knowledge"), question="Who stirs pots?")
BURIED = Item(
    "Cedar",
    "supper",
    lacks("knowledge"),
    question="Cedar folk ask again: Birch warden, Birch price, Cedar path, or what else?",
)
SHOWN = 2


def retrieving(project: Project) -> Stack:
    assert project.index is not None
    return project.start().with_part(Retrieve(index=project.index.digest, k=SHOWN, mode="bm25"))


def test_retrieval_is_missed_buried_or_drowned(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", [DROWNED, MISSED, BURIED]) as story:
        project = Project(story.folder)
        found = looked_at(project, retrieving(project))
    details = {each.case: [(need.name, need.detail) for need in each.needs] for each in found.cases}
    assert details == {
        DROWNED.id: [("retrieval", "drowned")],
        MISSED.id: [("retrieval", "missed")],
        BURIED.id: [("retrieval", "buried")],
    }


def test_documents_in_the_prompt_whole_can_drown_too(tmp_path: Path) -> None:
    from levers.lever import Situation, lever

    with Story(tmp_path / "huts", [DROWNED]) as story:
        project = Project(story.folder)
        start = project.start()
        trial = project.bench.trial(start, "dev", "trial")
        found = diagnose(project.bench, start, trial)
        situation = Situation(project.bench.dev, project.workshop, start, trial, found, index=lambda: project.index)
        after = looked_at(project, lever("inline").pull(situation, {}).stack)
    assert needs(found)[DROWNED.id] == {"knowledge"}
    need = of(after, DROWNED).needs[0]
    assert (need.name, need.detail) == ("retrieval", "drowned") and "docs/alder.md" in need.because


def test_removing_the_documents_turns_retrieval_into_knowledge(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", [DROWNED, MISSED, BURIED]) as story:
        for item in (DROWNED, MISSED):
            (story.folder / "docs" / f"{item.hut.lower()}.md").unlink()
        project = Project(story.folder)
        found = looked_at(project, retrieving(project))
    assert needs(found) == {DROWNED.id: {"knowledge"}, MISSED.id: {"knowledge"}, BURIED.id: {"retrieval"}}
    assert of(found, MISSED).needs[0].detail == "not in the documents"


def test_another_answer_format_without_examples_shows_up_as_format(tmp_path: Path) -> None:
    items = [Item(hut, "price", lacks("format")) for hut in HUTS[:4]]
    with Story(tmp_path / "huts", items, examples=False) as story:
        in_json = {name: (story.folder / name).read_text() for name in ("golden.jsonl", "levers.yaml")}
        rows = [json.loads(line) for line in in_json["golden.jsonl"].splitlines()]
        pairs = zip(rows, story.items, strict=True)
        plain = [{**row, "expected": fact(item.hut, item.attribute)} for row, item in pairs]
        (story.folder / "golden.jsonl").write_text("\n".join(map(json.dumps, plain)))
        head, tail = in_json["levers.yaml"].split("graders:\n")
        rest = tail[tail.index("targets:") :]
        (story.folder / "levers.yaml").write_text(f"{head}graders:\n  - {{kind: contains}}\n{rest}")
        project = Project(story.folder)
        assert looked_at(project, project.start()).failures == 0

        for name, text in in_json.items():
            (story.folder / name).write_text(text)
        project = Project(story.folder)
        found = looked_at(project, project.start())
    assert needs(found) == {item.id: {"format"} for item in items}
    assert set(found.needs) == {"format"}


def test_the_filler_holds_no_fact() -> None:
    assert not any(hut in FILLER for hut in HUTS)
