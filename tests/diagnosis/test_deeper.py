"""Facts from elsewhere, wording, thought, a brief that breaks itself, interaction, harm, and sampling of large sets."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from story import HUTS, Item, Story, sentence

import levers
from levers.diagnosis import CaseDiagnosis, Diagnosis, diagnose
from levers.diagnosis.verdict import suspect_label
from levers.errors import LeversError, UserError
from levers.lever import Situation
from levers.loop import Project
from levers.stack import Passage, Retrieve
from levers.task.dev import dev_task, golden_leaks
from levers.task.records import Case, Example
from levers.view.needs import interaction_lines


def lacks(*names: str) -> frozenset[str]:
    return frozenset(names)


def of(found: Diagnosis, item: Item) -> CaseDiagnosis:
    return next(each for each in found.cases if each.case == item.id)


def named(found: Diagnosis, item: Item) -> list[tuple[str, str]]:
    return [(need.name, need.detail) for need in of(found, item).needs]


UNNAMED = Item("Alder", "warden", lacks("knowledge"), evidence=())
UNNAMED_PROSE = Item("Birch", "cook", lacks("knowledge", "format"), evidence=())
GONE = Item("Cedar", "price", lacks("knowledge"), evidence=())
ILLEGIBLE = Item("Dovecot", "path", lacks("knowledge", "instruction"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Story:
    story = Story(tmp_path / "huts", [UNNAMED, UNNAMED_PROSE, GONE, ILLEGIBLE])
    docs = story.folder / "docs"
    (docs / "cedar.md").unlink()
    text = (docs / "dovecot.md").read_text()
    (docs / "dovecot.md").write_text(text.replace(sentence("Dovecot", "path"), "Ink has run over this line."))
    return story


def test_facts_are_looked_for_in_all_documents_and_else_stated(elsewhere: Story) -> None:
    with elsewhere as story:
        found = levers.diagnose(Project(story.folder), "start")
    assert named(found, UNNAMED) == [("knowledge", "in the documents, not given")]
    assert "docs/alder.md#warden made it pass: name it" in of(found, UNNAMED).needs[0].because
    assert named(found, UNNAMED_PROSE) == [("format", ""), ("knowledge", "in the documents, not given")]
    assert named(found, GONE) == [("knowledge", "not in the documents")]
    assert ("knowledge", "not in the document it names") in named(found, ILLEGIBLE)
    assert ("instruction", "") in named(found, ILLEGIBLE)


def test_a_stack_that_searches_missed_what_no_case_names(elsewhere: Story) -> None:
    with elsewhere as story:
        project = Project(story.folder)
        assert project.index is not None
        stack = project.start().with_part(Retrieve(index=project.index.digest, k=1, mode="bm25"))
        found = diagnose(project.bench, stack, project.bench.trial(stack, "dev", "trial"))
    details = {need.detail for each in found.cases for need in each.needs if need.name == "retrieval"}
    assert details <= {"missed", "drowned"}
    assert named(found, GONE) == [("knowledge", "not in the documents")]


WORDING = Item("Elder", "curfew", lacks("wording"))
THOUGHT = Item("Fernside", "supper", lacks("thought"))
HOPELESS = Item("Gorse", "cook", lacks("wrong"))


def test_wording_and_thought_are_told_from_what_nothing_explains(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", [WORDING, THOUGHT, HOPELESS]) as story:
        found = levers.diagnose(Project(story.folder), "start")
    assert named(found, WORDING) == [("consistency", "hangs on the wording")]
    assert named(found, THOUGHT) == [("reasoning", "")]
    [need] = of(found, HOPELESS).needs
    assert need.name == "unexplained"
    for ruled_out in ("facts, format, labels and tone", "0 of 5 samples", "0 of 4", "thought"):
        assert ruled_out in need.because
    tried = {each.probes for each in of(found, HOPELESS).tried}
    assert ("everything given, sample 5 of 5",) in tried and ("everything given, thinking first",) in tried


def test_a_brief_that_breaks_itself_is_mended_and_tried(tmp_path: Path) -> None:
    item = Item("Heron", "price", lacks("brief"))
    with Story(tmp_path / "huts", [item]) as story:
        brief = story.folder / "brief.md"
        brief.write_text(brief.read_text() + "\f\u2028Be brief.\nAnswer in plain text.\n")
        found = levers.diagnose(Project(story.folder), "start")
    [need] = of(found, item).needs
    assert (need.name, need.detail) == ("instruction", "the brief breaks itself")
    assert "“Answer in plain text.” out of the brief it passed" in need.because


def test_two_levers_that_only_help_together_show_as_an_interaction(tmp_path: Path) -> None:
    both = [Item(hut, "warden", lacks("knowledge", "format")) for hut in HUTS[:8]]
    with Story(tmp_path / "huts", [*both, Item("Ivy", "cook", lacks())]) as story:
        found = levers.diagnose(Project(story.folder), "start")
    pair = found.interactions[0]
    assert (pair.first, pair.second) == (("format",), ("knowledge",))
    assert pair.gain == pair.together == pytest.approx(8 / 9) and pair.interval.low > 0
    assert "more than the sum of both" in interaction_lines(found)[0]


def test_what_a_probe_harms_stands_in_the_forecast(tmp_path: Path) -> None:
    shy = [Item(hut, "warden", lacks("shots")) for hut in HUTS[:4]]
    with Story(tmp_path / "huts", [*shy, Item("Ivy", "cook", lacks("format"))]) as story:
        found = levers.diagnose(Project(story.folder), "start")
    room = found.headroom_of(("format", "instruction", "tone"))
    assert room is not None
    assert room.harm == pytest.approx(4 / 5) and room.forecast.low < -0.5 < room.gain
    form = found.headroom_of(("format",))
    assert form is not None and form.harm == 0 and form.forecast == form.interval


def test_large_sets_are_sampled_with_intervals_that_know_it(tmp_path: Path) -> None:
    items = [Item(hut, "warden", lacks("format" if place % 2 else "knowledge")) for place, hut in enumerate(HUTS[:10])]
    with Story(tmp_path / "huts", items) as story:
        project = Project(story.folder)
        whole, part = levers.diagnose(project, "start", most=0), levers.diagnose(project, "start", most=6)
        assert levers.diagnose(project, "start", most=6) == part
        with pytest.raises(UserError, match="most"):
            levers.diagnose(project, "start", most=-1)
    assert (whole.sampled, part.sampled, len(part.cases), part.failures) == (None, 6, 6, 10)
    assert {each.case for each in part.cases} < {each.case for each in whole.cases}
    for name, share in part.needs.items():
        true = whole.needs[name]
        assert share.interval.low <= true.share <= share.interval.high
        assert share.interval.high - share.interval.low > true.interval.high - true.interval.low
    for room in part.headroom:
        full = whole.headroom_of(room.probes)
        assert full is not None and room.interval.low - 1e-9 <= full.gain <= room.interval.high + 1e-9


class _Held:
    """A library that holds the same texts for every case; ana may read the first alone, if it is not the only one."""

    def __init__(self, *texts: str) -> None:
        self.library = self
        self.task = SimpleNamespace(config=SimpleNamespace(graders=()))
        self._texts = texts

    def may_find(self, passage: Passage, user: str | None) -> bool:
        return user != "ana" or passage.text in self._texts[:-1]

    def evidence(self, case: Case) -> tuple[Passage, ...]:
        del case
        return tuple(Passage(document="d", section="", heading="", text=text, start=0, end=9) for text in self._texts)


def test_a_label_is_suspect_only_where_samples_and_reference_agree() -> None:
    case = Case(id="c", input="Who?", expected="Ann", partition="dev")
    held, bare = _Held("It was Bob."), _Held()
    assert suspect_label(case, ["Bob", *["Bob"] * 5], None, held) is not None
    assert suspect_label(case, ["Bob", *["Cid"] * 5], None, held) is None, "the samples say otherwise"
    assert suspect_label(case, ["Bob", *["Bob"] * 5], None, _Held("Ann or Bob.")) is None, "the golden answer is there"
    theirs = case.model_copy(update={"user": "ana"})
    assert suspect_label(theirs, ["Bob", *["Bob"] * 5], None, held) is None, "what she may not read proves a leak"
    both = _Held("It was Bob.", "No, it was Ann.")
    assert suspect_label(theirs, ["Bob", *["Bob"] * 5], None, both) is None, "it is right in what she may not read"
    assert suspect_label(case, ["Bob", *["Bob"] * 5], None, bare) is None, "nothing to look into, nobody to agree"
    assert suspect_label(case, ["Bob", *["Bob"] * 5], "Ann", bare) is None, "the reference is right"
    need = suspect_label(case, ["Bob", *["Bob"] * 4, "Cid"], "bob", bare)
    assert need is not None and "5 of 6 answers and the reference model" in need.because


def test_levers_and_diagnosis_have_no_held_out_cases(tmp_path: Path) -> None:
    items = [Item("Ivy", "cook", lacks("format")), Item("Heron", "path", lacks(), "test")]
    with Story(tmp_path / "huts", items) as story:
        project = Project(story.folder)
        task, own = project.task, project.bench.dev.task
        assert {case.partition for case in own.cases} == {"dev"} and own.digest == task.digest
        assert {case.partition for case in task.cases} == {"dev", "test"} and dev_task(own) is own
        assert items[1].asked not in own.model_dump_json() and items[1].asked in task.model_dump_json()
        stack = project.start()
        for partition in ("test", "edge"):
            with pytest.raises(LeversError, match=f"dev cases only, not at {partition}"):
                own.partition(partition)
            with pytest.raises(LeversError, match=f"dev cases only, not at {partition}"):
                project.bench.dev.trial(stack, partition, "trial")
        with pytest.raises(LeversError, match="dev cases only"):
            project.bench.dev.outcomes(stack, task.partition("test"), "trial")
        with pytest.raises(LeversError, match="dev cases only"):
            Situation(project.bench, project.workshop, stack, None, None)  # type: ignore[arg-type]
        told = Example(messages=({"role": "user", "content": items[1].asked},), answer="x", line=3)
        [leak] = golden_leaks(own, [told])
    assert (leak.partition, leak.case, leak.how) == ("test", items[1].id, "the question")
