"""How search failed, by rearranging what it showed; who may not read the evidence; ties; a cap on the spending."""

import io
import json
from pathlib import Path

import pytest
from docs.reading import ROOT
from rich.console import Console
from story import STAFF_HUT, Item, Story, fact

import levers
from levers.cli.shapes import diagnosis as shape
from levers.diagnosis import CaseDiagnosis, Diagnosis, diagnose
from levers.diagnosis.arrange import rivals
from levers.errors import BudgetError, UserError
from levers.loop import Project
from levers.stack import Passage
from levers.task.records import Case
from levers.trial import as_dev
from levers.view.terminal import diagnosis_table


@pytest.fixture
def faults(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.planted import faults

    return faults


def found_in(faults, count: int, causes: int, seed: int) -> tuple[object, Diagnosis]:
    planted = faults.plant(count, causes, seed)
    trial = as_dev(planted.bench.trial(planted.stack, "dev", "trial"))
    return planted, diagnose(planted.bench, planted.stack, trial)


@pytest.mark.parametrize("causes", [1, 2])
def test_every_form_of_retrieval_is_told_from_the_others(faults, causes: int) -> None:
    planted, found = found_in(faults, 60, causes, seed=causes)
    seen = set()
    for case in found.cases:
        form = planted.faults[case.case] & set(faults.FORMS)
        if form:
            assert [need.detail for need in case.needs if need.name == "retrieval"] == sorted(form)
            seen |= form
    assert seen == set(faults.FORMS)


def test_what_an_outdated_passage_did_is_told_in_a_sentence(faults) -> None:
    planted, found = found_in(faults, 30, 1, seed=1)
    case = next(each for each in found.cases if planted.faults[each.case] == {"stale"})
    number = case.case.removeprefix("c")
    because = case.needs[0].because
    assert f"docs/old-{number}.md says nearly the same as docs/{case.case}.md" in because
    assert "one of them is outdated" in because
    assert any(each.probes == ("outdated passages replaced by the evidence",) and each.passed for each in case.tried)


def test_no_model_is_shown_what_the_user_may_not_read(faults) -> None:
    planted, found = found_in(faults, 30, 1, seed=1)
    denied = {case for case, planted_faults in planted.faults.items() if planted_faults == {"denied"}}
    assert denied
    for case in found.cases:
        if case.case in denied:
            assert [need.name for need in case.needs] == ["access"] and "may not read" in case.needs[0].because
    for model in planted.bench.workshop.models.values():
        for ask in model.asked:
            asked = ask.messages[-1].content.rpartition("Question: ")[2]
            number = "".join(filter(str.isdigit, asked))
            text = planted.bench.workshop._passage(f"c{number}").text
            assert f"c{number}" not in denied or all(text not in message.content for message in ask.messages)


def of(found: Diagnosis, case: str) -> CaseDiagnosis:
    return next(each for each in found.cases if each.case == case)


SECRET = Item(STAFF_HUT, "cook", frozenset({"knowledge"}), user="ana")
TOLD = Item(STAFF_HUT, "path", frozenset({"knowledge"}), user="mira")


def test_a_golden_answer_that_its_user_may_not_read_is_no_fault_of_the_model(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", [SECRET, TOLD]) as story:
        project = Project(story.folder)
        found = levers.diagnose(project, "start")
        need = of(found, SECRET.id).needs[0]
        assert (need.name, need.detail) == ("access", "the golden answer is not for this user")
        assert "ana" in need.because and f"docs/{STAFF_HUT.lower()}.md" in need.because
        assert [need.name for need in of(found, TOLD.id).needs] == ["knowledge"]
        secret = fact(SECRET.hut, SECRET.attribute)
        chats = [each["messages"] for each in story.server.requests if "messages" in each]
        own = [turns for turns in chats if turns[-1]["content"].endswith(SECRET.asked)]
        assert own and not any(secret in json.dumps(turns) for turns in own)
    assert found.needs["access"].cases == 1


def test_evidence_in_a_replaced_document_makes_the_label_suspect(tmp_path: Path) -> None:
    item = Item("Alder", "warden", frozenset({"knowledge"}))
    with Story(tmp_path / "huts", [item]) as story:
        newer = story.folder / "docs" / "alder-2026.md"
        newer.write_text("---\nsupersedes: [alder.md]\n---\n# Alder\n\n## Warden\n\nIt is a new one.\n")
        found = levers.diagnose(Project(story.folder), "start")
    need = of(found, item.id).needs[0]
    assert (need.name, need.detail) == ("label", "outdated evidence")
    assert "docs/alder-2026.md replaces" in need.because


def test_what_cures_as_well_is_a_tie(tmp_path: Path) -> None:
    item = Item("Birch", "warden", frozenset({"format"}))
    others = [Item("Cedar", "price", frozenset()), Item("Elder", "path", frozenset())]
    with Story(tmp_path / "huts", [item, *others]) as story:
        found = levers.diagnose(Project(story.folder), "start")
    case = of(found, item.id)
    assert [need.name for need in case.needs] == ["format"]
    assert case.ties == (("tone",),)
    assert shape(found)["cases"][0]["ties"] == [["tone"]]


CAPPED = [Item(hut, "warden", frozenset({"knowledge", "format"})) for hut in ("Alder", "Birch", "Cedar", "Elder")]


def test_a_cap_is_kept_to_the_cent_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", CAPPED) as story:
        whole = levers.diagnose(Project(story.folder), "start")
        assert (whole.stopped, whole.spent) == ("", None)
        for path in (story.folder / ".levers").glob("ledger*"):
            path.unlink()
        cap, spent, asked = 0.00007, [], []
        for _ in range(12):
            before = len(story.server.requests)
            found = levers.diagnose(Project(story.folder), "start", cap)
            assert found.spent is not None and found.spent <= cap
            spent.append(found.spent)
            asked.append(len(story.server.requests) - before)
            if not found.stopped:
                break
            unknown = [each.needs[0] for each in found.cases if each.needs[0].name == "unexplained"]
            assert all("USD are spent" in need.because for need in unknown)
            assert len(found.headroom) < len(whole.headroom) or not unknown
        assert len(spent) > 1 and not found.stopped, "the cap stopped the first runs and not the last"
        assert found.needs == whole.needs and found.headroom == whole.headroom
        again = levers.diagnose(Project(story.folder), "start", 0.0)
        assert (again.spent, again.stopped, again.needs) == (0.0, "", whole.needs)


def test_a_cap_that_not_even_the_trial_fits_in_is_an_error(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", CAPPED) as story:
        with pytest.raises(UserError, match="no price for openai/hash"):  # a cap cannot hold the embedding of documents
            levers.diagnose(Project(story.folder), "start", 0.0)
        assert Project(story.folder).index is not None
        with pytest.raises(BudgetError, match=r"0\.000000 of 0\.000000 USD"):
            levers.diagnose(Project(story.folder), "start", 0.0)
        with pytest.raises(UserError, match="cap"):
            levers.diagnose(Project(story.folder), "start", -1.0)


def test_a_stopped_diagnosis_says_so_in_the_terminal() -> None:
    found = Diagnosis(
        stack="s", measured=9, failures=2, needs={}, cases=(), headroom=(), stopped="the next call", spent=0.25
    )
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(diagnosis_table(found))
    shown = console.export_text()
    assert "spent now: 0.2500 USD" in shown and "stopped by the cap" in shown


def passage(document: str, text: str) -> Passage:
    return Passage(document=document, section="s", heading="h", text=text, start=0, end=len(text))


def test_another_version_is_told_from_a_neighbour() -> None:
    case = Case(id="c", input="How long may a tent be returned?", expected="30 days", partition="dev")
    own = passage("docs/returns.md", "A tent may be returned within 30 days, unused and with its receipt.")
    old = passage("docs/returns-2023.md", "A tent may be returned within 14 days, unused and with its receipt.")
    neighbour = passage("docs/boots.md", "A boot may be returned within 14 days, unused and with its receipt.")
    copy = passage("docs/copy.md", own.text)
    other = passage("docs/tents.md", "Every tent comes with pegs. It may be long; look at the table of sizes.")
    assert rivals(case, [own, old, neighbour, copy, other], [own], ()) == (old,)
