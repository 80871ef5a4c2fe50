"""Tests of how pocket is measured: scores, checks of formats, and that what is measured on is not what is learnt."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from levers.model import Ask, Reply

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / "recipes" / "pocket"
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def recipe() -> Iterator[Any]:
    """Import the recipe's command as it is run: from its own folder."""
    if not RECIPE.is_dir():
        pytest.skip("the recipes are not beside the tests")
    known = set(sys.modules)
    sys.path.insert(0, str(RECIPE))
    import evaluate

    from levers.model.pocket import weights_path

    evaluate.weights = weights_path()
    yield evaluate
    sys.path.remove(str(RECIPE))
    for name in set(sys.modules) - known:
        if str(RECIPE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def data(recipe: Any) -> None:
    import sources

    if not (sources.data_folder() / "xquad").is_dir():
        pytest.skip("the data sets are not here")


class Scripted:
    """Replies to every ask by a rule; remembers what it was asked."""

    id = "hf/scripted@sha256-0"

    def __init__(self, rule: Any) -> None:
        self.rule = rule
        self.asked: list[Ask] = []

    def answer(self, asks: Sequence[Ask]) -> list[Reply]:
        self.asked += asks
        return [Reply(text=self.rule(ask), confidence=0.5) for ask in asks]


def test_scores_are_those_of_the_squad_script(recipe: Any) -> None:
    from evaluation import scoring

    assert scoring.normalised("The  Cat, an  (old) one!") == "cat old one"
    assert scoring.overlap("the big cat", "a big dog") == pytest.approx(0.5)
    assert scoring.overlap("", "") == 1.0
    assert scoring.overlap("the", "cat") == 0.0
    assert scoring.read_scores(["In 1998.", "x"], [["1997", "in 1998"], ["y"]]) == {"em": 50.0, "f1": 50.0, "n": 2}
    assert math.isnan(scoring.share([]))


def test_auroc_counts_pairs_in_order_and_ties_by_half(recipe: Any) -> None:
    from evaluation.scoring import auroc

    right, wrong = [0.9, 0.5, 0.7], [0.5, 0.1, 0.8]
    pairs = [(one > other) + 0.5 * (one == other) for one in right for other in wrong]
    assert auroc(right, wrong) == pytest.approx(sum(pairs) / 9)
    assert math.isnan(auroc([], wrong))


FOLLOWS = {
    "plain": ["18:45", "the old bridge"],
    "json": ['{"answer": "a"}', '{"reply": ""}', '{"quote": "b", "result": "c"}', '{"finding": "a", "unit": "b"}'],
    "label": ["person", "science", '"thing"', "no", "medium"],
    "bullets": ["- one", "- one\n- two", "* one"],
    "citation": ["18:45 [1]", "the bridge [3]."],
    "wrapped_or_short": ["In short: yes", "yes (checked)", "one two three"],
}
BREAKS = {
    "plain": ["", '{"answer": "a"}', "- a", "Answer: a", "a\nb", "a [1]", '"a"'],
    "json": ["a", "{}", '["answer"]', '{"answer": "a", "more": 1}', '{"answer": "a"} and'],
    "label": ["", "somebody", "person, place", "It is person"],
    "bullets": ["", "one", "- one\ntwo", "-"],
    "citation": ["", "[1]", "18:45", "18:45 [4]", "18:45 (1)", "[1] 18:45"],
    "wrapped_or_short": ["", "one two three four five six seven eight nine"],
}


@pytest.mark.parametrize("name", FOLLOWS)
def test_formats_are_told_apart(recipe: Any, name: str) -> None:
    requests = recipe.FORMATS[name]
    assert len({request.system for request in requests}) == len(requests) >= 5
    for reply in FOLLOWS[name]:
        assert any(request.obeyed(reply, 1) for request in requests), reply
    for reply in BREAKS[name]:
        assert not any(request.obeyed(reply, 1) for request in requests), reply


def test_a_wrapped_answer_is_taken_out_again(recipe: Any) -> None:
    begun = next(request for request in recipe.FORMATS["wrapped_or_short"] if "In short:" in request.system)
    assert begun.obeyed("In short: 18:45", 1)
    assert not begun.obeyed("In short:", 1)
    assert begun.answer("In short: 18:45") == "18:45"
    keyed = recipe.FORMATS["json"][2]
    assert keyed.answer('{"result": "18:45", "quote": "x"}') == "18:45"
    assert keyed.answer("no JSON") == ""


def test_requests_of_the_sixth_format_hold_each_other_off(recipe: Any) -> None:
    """A reply that obeys one request to begin or end with words obeys no other of them."""
    around = recipe.FORMATS["wrapped_or_short"][:10]
    for request in around:
        words = request.system.split("'")[1] if "'" in request.system else request.system.split(": ")[-1]
        reply = f"{words} it is" if request in around[:5] else f"it is {words}"
        assert [other for other in around if other.obeyed(reply, 1)] == [request]


def test_constrained_formats_are_asked_with_their_schema(recipe: Any, data: None) -> None:
    model = Scripted(lambda ask: "18:45")
    found = recipe.formats(model, 2)
    assert set(found["constrained"]) == {"json", "label"}
    assert found["free"]["plain"]["obeyed"] == 100.0
    assert found["free"]["json"]["obeyed"] == 0.0
    assert sum(ask.json_schema is not None for ask in model.asked) == 2 * 10


def test_distractors_hold_no_answer_and_keep_the_passage(recipe: Any, data: None) -> None:
    from evaluation import material

    pool = material.passages(material.xquad())
    for row in material.xquad()[:50]:
        shown, place = material.among_others(row, pool, 4)
        assert len(set(shown)) == 5
        assert shown[place] == (row.title, row.passage)
        others = [text for at, (_, text) in enumerate(shown) if at != place]
        assert not any(answer in text for answer in row.answers for text in others)


def test_the_sets_have_the_rows_their_readme_names(recipe: Any, data: None) -> None:
    from evaluation import material

    assert (len(material.answerable()), len(material.unanswerable())) == (2910, 3168)
    assert len(material.xquad()) == 1190


def test_label_tasks_show_every_label_and_no_case(recipe: Any, data: None) -> None:
    from evaluation.imitation import label_tasks

    tasks = label_tasks()
    assert tasks == label_tasks()
    assert len({task.labels for task in tasks}) == 10
    for task in tasks:
        assert len(task.shots) == 8
        assert {shot.label for shot in task.shots} == set(task.labels)
        assert {case.label for case in task.cases} <= set(task.labels)
        assert not {shot.text for shot in task.shots} & {case.text for case in task.cases}


def test_a_model_that_imitates_lifts_and_one_that_guesses_does_not(recipe: Any, data: None) -> None:
    guess = recipe.imitation(Scripted(lambda ask: "nothing"), 3)
    assert guess["free"] == {"none": 0.0, "k8": 0.0, "lift": 0.0}
    shown = recipe.imitation(Scripted(lambda ask: ask.messages[2].content if len(ask.messages) > 2 else ""), 3)
    assert shown["free"]["lift"] > 0


def test_refusing_everything_scores_as_the_squad_script_would(recipe: Any, data: None) -> None:
    from evaluation.reading import REFUSAL, Reader

    found = recipe.reads.refusals(Reader(Scripted(lambda ask: REFUSAL.capitalize() + "."), 5))
    assert found["unanswerable_f1"] == 100.0
    assert found["refused_though_answerable"] == 100.0
    assert found["all_f1"] == 50.0


def test_nothing_to_be_tuned_on_is_evaluation_material(recipe: Any, data: None) -> None:
    from evaluation.house_format import obeys, pairs
    from sources import is_clean

    examples, cases = pairs(20)
    assert len(examples) == 200
    for ask, reply in examples:
        assert is_clean(ask.messages[-1].content)
        assert obeys(reply, reply)
        assert reply.split(" / ")[0].removeprefix("ANSWER ") in ask.messages[-1].content
    texts = [{ask.messages[-1].content.split("\n")[2] for ask, _ in side} for side in (examples, cases)]
    assert not texts[0] & texts[1]
    assert not obeys("18:45", cases[0][1])


def test_a_killed_run_goes_on_where_it_stopped(recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, ran = Scripted(lambda ask: ""), []
    monkeypatch.setattr(recipe, "open_folder", lambda folder: model)
    monkeypatch.setattr(recipe, "PARTS", {name: lambda *_, name=name: ran.append(name) or {} for name in "ab"})
    out = tmp_path / "figures.json"
    recipe.measure(tmp_path, ["a"], 3, out)
    found = recipe.measure(tmp_path, ["a", "b"], 3, out)
    assert ran == ["a", "b"]
    assert set(found["parts"]) == set(json.loads(out.read_text())["parts"]) == {"a", "b"}
    recipe.measure(tmp_path, ["a"], 4, out)  # another limit is another measurement
    assert ran == ["a", "b", "a"]


def test_unknown_parts_are_named_with_those_there_are(recipe: Any) -> None:
    import argparse

    assert recipe._names("reading,tokens") == ["reading", "tokens"]
    with pytest.raises(argparse.ArgumentTypeError, match=r"unknown: speed; choose from reading, "):
        recipe._names("reading,speed")


def test_every_data_set_survives_the_tokenizer(recipe: Any, data: None) -> None:
    """The first characters of each file; the recipe's command checks them whole."""
    if not (recipe.weights / "tokenizer.json").exists():
        pytest.skip("no weights beside the package")
    found = recipe.round_trip(recipe.weights, limit=1, piece=4000)
    assert found["exact"], found["failed"]
    assert found["files"] > 100
