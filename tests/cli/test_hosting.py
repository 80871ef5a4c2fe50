"""`levers hosted` over the command line: export behind the guards, the bill, and where each provider goes on."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from story import STAFF_HUT, Story, fact, few_items, reference
from typer.testing import CliRunner

from levers.cli import app
from levers.errors import UserError
from levers.loop import Project
from levers.stack import Shots
from levers.tuning.hosted import HostedTuning
from levers.verbs.hosting import Hosting, hosted_export

pytest.importorskip("openai")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    cases = [
        {"id": f"c{at}", "input": f"Is number {at} here?", "expected": "yes", "partition": part}
        for at, part in enumerate(("dev", "dev", "test"))
    ]
    examples = [{"prompt": f"Do you sell thing {at}?", "completion": "yes" if at % 2 else "no"} for at in range(60)]
    for name, rows in (("golden.jsonl", cases), ("examples.jsonl", examples)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "brief.md").write_text("Say yes or no.\n")
    (tmp_path / "prices.yaml").write_text("together/acme/seven: {input: 1.0, output: 1.0, training: 0.5}\n")
    (tmp_path / "levers.yaml").write_text(
        "name: shop\ninstructions: brief.md\ngolden: golden.jsonl\nexamples: examples.jsonl\nprices: prices.yaml\n"
        'models: {answer: openai/gpt-4o}\ngraders: [{kind: choice, choices: ["yes", "no"]}]\n'
    )
    return tmp_path


def levers(*arguments: str | Path) -> tuple[int, Any]:
    given = [str(each) for each in arguments]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout) if result.exit_code != 2 and "--json" in given else result.output


def test_export_with_the_bill(shop: Path, tmp_path: Path) -> None:
    code, found = levers("hosted", "export", tmp_path / "out", "--model", "gpt-4o", "-p", shop, "--json")
    assert code == 0 and (found["train"], found["held_out"]) == (60, 0)
    assert found["cost"]["value"] == pytest.approx(found["tokens"] * 3 * 25 / 1e6)
    assert "S2" in found["cost"]["source"]
    rows = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert [turn["content"] for turn in rows[1]["messages"]] == ["Say yes or no.", "Do you sell thing 1?", "yes"]


def test_each_provider_says_how_it_goes_on(shop: Path, tmp_path: Path) -> None:
    options = ["--model", "acme/seven", "-p", shop]
    code, found = levers("hosted", "export", tmp_path / "t", "--provider", "together", *options, "--json")
    assert code == 0 and (found["train"], found["held_out"]) == (54, 6) and found["cost"]["value"] > 0
    assert found["commands"][0].startswith("levers hosted start")
    code, text = levers("hosted", "export", tmp_path / "f", "--provider", "fireworks", *options)
    assert code == 0 and "firectl dataset create" in text and "no training price known" in text


def test_the_next_command_starts_what_was_exported(shop: Path, tmp_path: Path) -> None:
    folder, server = tmp_path / "my files", "http://localhost:1/v1?a=b&c"
    levers("hosted", "export", folder, "--model", "acme/seven", "--provider", "together", "-p", shop)
    assert (folder / "held_out.jsonl").is_file()
    options = ["--model", "gpt-4o", "--base-url", server, "--suffix", "it's mine", "-p", shop, "--json"]
    code, found = levers("hosted", "export", folder, *options)
    assert code == 0 and found["held_out"] == 0 and not (folder / "held_out.jsonl").exists()
    words = shlex.split(found["commands"][0])
    assert words[:4] == ["levers", "hosted", "start", str(folder)]
    assert words[-4:] == ["--suffix", "it's mine", "--base-url", server]


def test_the_guards_come_first(shop: Path, tmp_path: Path) -> None:
    with (shop / "examples.jsonl").open("a") as file:
        file.write(json.dumps({"prompt": "Do you sell thing 1, please?", "completion": "no"}) + "\n")
    options = ["hosted", "export", tmp_path / "out", "--model", "gpt-4o", "-p", shop]
    code, text = levers(*options)
    assert code == 2 and "examples.jsonl:61" in text and not (tmp_path / "out").exists()
    code, found = levers(*options, "--force", "--json")
    assert code == 0 and found["train"] == 60 and found["notes"][0].startswith("forced past examples.jsonl:61")
    assert json.loads((shop / ".levers" / "forced.jsonl").read_text())["lever"] == "hosted"


def test_examples_with_a_system_turn_of_their_own(shop: Path, tmp_path: Path) -> None:
    own = ("system", "You keep the shop.")
    rows = [(own, ("user", f"Do you sell thing {at}?"), ("assistant", ("no", "yes")[at % 2])) for at in range(60)]
    chats = [{"messages": [{"role": role, "content": text} for role, text in row]} for row in rows]
    (shop / "examples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    code, _ = levers("hosted", "export", tmp_path / "out", "--model", "gpt-4o", "-p", shop)
    written = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert code == 0 and len(written) == 60
    assert written[0]["messages"][0]["content"] == "Say yes or no.\n\nYou keep the shop."
    assert {tuple(turn["role"] for turn in row["messages"]) for row in written} == {("system", "user", "assistant")}
    project = Project(shop)
    stack = project.stack(None)
    shown = stack.model_copy(update={"parts": (*stack.parts, Shots(pairs=(("Do you sell thing 0?", "no"),)))})
    with pytest.raises(UserError) as told:
        hosted_export(project, Hosting(model="gpt-4o"), tmp_path / "shots", shown)
    assert {problem.file for problem in told.value.problems} == {"examples.jsonl"}
    assert all(problem.line and problem.hint for problem in told.value.problems)
    assert not (tmp_path / "shots").exists()


def test_what_only_some_may_read_goes_to_no_provider(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", few_items()) as story:
        turns = [
            {"role": "user", "content": f"Who stirs the pot up there at {STAFF_HUT}?"},
            {"role": "assistant", "content": json.dumps({"answer": fact(STAFF_HUT, "cook"), "topic": "people"})},
        ]
        with (story.folder / "examples.jsonl").open("a") as file:
            file.write(json.dumps({"messages": turns, "evidence": [reference(STAFF_HUT, "cook")]}) + "\n")
        how = Hosting(model="gpt-4o")
        found = hosted_export(Project(story.folder), how, tmp_path / "out", "start", force=True)
    assert any(note.startswith("1 examples left out: not everybody") for note in found.notes)
    written = (tmp_path / "out" / "train.jsonl").read_text()
    assert fact(STAFF_HUT, "cook") not in written and len(written.splitlines()) == found.train > 50


@pytest.mark.parametrize(
    ("stopped", "says", "then"),
    [("_create", "a job may have been made", 2), ("_upload", "no job was asked for, the same command", 130)],
)
def test_an_interrupted_start_says_whether_a_job_may_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: str, says: str, then: int
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "train.jsonl").write_text("{}\n")
    monkeypatch.setattr(HostedTuning, "retires", lambda *_: None)
    monkeypatch.setattr(HostedTuning, "_upload", lambda *_: "file-1")
    monkeypatch.setattr(HostedTuning, stopped, stop)
    command = ["hosted", "start", tmp_path, "--model", "small", "--base-url", "http://127.0.0.1:9/v1"]
    code, text = levers(*command)
    assert code == 130 and says in text and "goes on from there" not in text
    assert levers(*command)[0] == then


def test_wrong_places_are_named(shop: Path, tmp_path: Path) -> None:
    assert levers("hosted", "look", "job", "--provider", "nobody")[0] == 2
    code, text = levers("hosted", "start", tmp_path / "none", "--model", "m")
    assert code == 2 and "levers hosted export writes it" in text
    code, text = levers("hosted", "export", tmp_path / "s", "--model", "m", "--suffix", "x" * 41, "-p", shop)
    assert code == 2 and "--suffix: found 41 characters" in text
    code, text = levers("hosted", "export", tmp_path / "s", "--model", "", "-p", shop)
    assert code == 2 and "--model: found nothing" in text
