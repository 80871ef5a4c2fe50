"""The command line: JSON for scripts, exit codes, problems on stderr, help that changes only on purpose."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from story import Item, Story, few_items
from typer.testing import CliRunner

from levers.cli import app
from levers.verbs import finished

GOLDEN = Path(__file__).with_name("golden")
VERBS = ("init", "import", "check", "run", "trial", "diagnose", "plan", "pull", "ask", "search", "index", "bench")
VERBS += ("report", "advise", "cost", "ledger", "lint", "pilot", "distill", "review", "merge", "hosted")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TERMINAL = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "", "GITHUB_ACTIONS": ""}


def levers(*arguments: str | Path) -> Result:
    return CliRunner(env=TERMINAL).invoke(app, [str(each) for each in arguments], catch_exceptions=False)


def asked(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = levers(*arguments, "--json")
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Story(tmp_path_factory.mktemp("cli") / "huts", few_items()) as written:
        yield written


@pytest.fixture(scope="module")
def ran(story: Story) -> tuple[int, dict[str, Any]]:
    return asked("run", story.folder)


def test_run_holds_the_steps_and_the_report(story: Story, ran: tuple[int, dict[str, Any]]) -> None:
    code, found = ran
    assert code == 0 and found["targets_met"] is True
    assert (story.folder / found["report"]).is_file() and found["stack"].startswith("sha256-")
    keys = {"lever", "stack", "quality", "interval", "cost_per_answer", "p50_ms", "p95_ms", "p_value", "verdict", "why"}
    assert all(keys <= set(step) and set(step["quality"]) == {"dev", "test", "edge"} for step in found["steps"])
    assert found["steps"][0]["verdict"] == "start" and found["steps"][-1]["cost_per_answer"] > 0
    told = found["forecasts"]["pass"]
    assert len(told["steps"]) == len(found["steps"]) - 1 == told["within"] + told["short"] + told["beyond"]


def test_report_tells_the_finished_run_again(story: Story, ran: tuple[int, dict[str, Any]]) -> None:
    path = story.folder / ran[1]["report"]
    path.unlink()
    code, found = asked("report", "-p", story.folder)
    assert (code, found) == (0, ran[1]) and path.is_file()
    assert levers("report", "-p", story.folder, "--run", "sha256-none").exit_code == 2


def test_lint_reads_a_project_or_a_file(story: Story, tmp_path: Path) -> None:
    code, found = asked("lint", story.folder, "--stack", "start")
    assert code in {0, 1} and all({"rule", "file", "found", "reason", "fix"} <= set(each) for each in found["findings"])
    path = tmp_path / "prompt.md"
    path.write_text("You sort letters into two piles, {{left}} and right, one word. If unsure: left.", encoding="utf-8")
    code, found = asked("lint", path)
    assert code == 1 and [(each["rule"], each["line"]) for each in found["findings"]] == [("placeholder", 1)]
    assert "prompt.md:1: placeholder" in levers("lint", path).stdout
    path.write_text("You sort letters into two piles, left and right, one word. If unsure: left.", encoding="utf-8")
    assert levers("lint", path).exit_code == 0
    assert levers("lint", tmp_path / "absent").exit_code == 2


def test_ledger_shows_exports_and_imports(story: Story, ran: tuple[int, dict[str, Any]], tmp_path: Path) -> None:
    code, found = asked("ledger", "-p", story.folder)
    assert code == 0 and found["kept"] > 0 and found["cap"] is None
    code, moved = asked("ledger", "export", tmp_path / "out.jsonl", "-p", story.folder)
    assert (code, moved["moved"]) == (0, found["kept"])
    code, moved = asked("ledger", "import", tmp_path / "out.jsonl", "-p", story.folder)
    assert (code, moved["moved"], moved["kept"]) == (0, 0, found["kept"])
    assert levers("ledger", "burn", "-p", story.folder).exit_code == 2
    assert levers("ledger", "export", "-p", story.folder).exit_code == 2


def test_check_holds_problems_gates_and_what_can_be_shown(story: Story, tmp_path: Path) -> None:
    code, found = asked("check", story.folder)
    assert code == 0 and found["problems"] == [] and found["gates"]
    assert set(found["detectable_difference"]) == {"dev", "test", "edge"}


def test_trial_and_its_comparison(story: Story, ran: tuple[int, dict[str, Any]]) -> None:
    code, found = asked("trial", "--against", "start", "-p", story.folder)
    assert code == 0 and found["quality"] == 1 and found["stack"] == ran[1]["stack"]
    assert {"interval", "usage", "cost_per_answer", "latency"} <= set(found)
    assert all({"p50", "p95"} <= set(step) for step in found["latency"].values())
    compared = found["comparison"]
    assert {"difference", "interval", "p_value", "decisive", "detectable_difference"} <= set(compared)
    assert compared["difference"] == 1 and compared["decisive"] is True
    code, found = asked("trial", "--against", "start", "--margin", "0.1", "-p", story.folder)
    assert code == 0 and found["margin"]["not_worse"] is True and found["margin"]["equivalent"] is False
    assert "not worse by 10%" in levers("trial", "--against", "start", "--margin", "0.1", "-p", story.folder).stdout
    assert all(note["version"] for note in found["graders"].values())


def test_diagnose_and_plan(story: Story, ran: tuple[int, dict[str, Any]]) -> None:
    code, found = asked("diagnose", "start", "-p", story.folder)
    assert code == 0 and found["failures"] == 9
    assert all({"cases", "share", "interval"} <= set(each) for each in found["needs"].values())
    assert all({"id", "needs", "evidence"} <= set(each) for each in found["cases"])
    assert all({"gain", "interval"} <= set(each) for each in found["headroom"].values())
    code, found = asked("plan", "start", "-p", story.folder)
    assert code == 0 and found["next"] == "structure"
    assert all(each["verdict"] in {"next", "later", "no"} and each["why"] for each in found["options"])
    code, found = asked("plan", "-p", story.folder)
    assert code == 1 and found["next"] is None


def test_a_plan_knows_what_the_run_tried_on_its_stack(
    story: Story, ran: tuple[int, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from levers.verbs import work

    run, project = work.finished(story.folder), work.load(story.folder)
    refused = run.steps[1].model_copy(update={"verdict": "rejected", "why": "dev is worse"})
    told = run.model_copy(update={"stack": run.steps[0].stack, "steps": (run.steps[0], refused)})
    monkeypatch.setattr(work, "finished", lambda root: told)
    (option,) = [each for each in work.plan(project, "start").options if each.quote.lever == "structure"]
    assert (option.verdict, option.why) == ("no", "tried on this stack and rejected: dev is worse")
    told = told.model_copy(update={"id": "of other documents"})
    assert work.plan(project, "start").chosen == run.steps[1].plan.chosen


@pytest.mark.parametrize(("verb", "field"), [("ask", "QUESTION"), ("search", "QUERY")])
def test_bytes_that_are_no_text_are_refused(story: Story, verb: str, field: str) -> None:
    code, found = asked(verb, "caf\udce9", "-p", story.folder)
    assert code == 2 and [each["field"] for each in found["problems"]] == [field]


def test_pull_ask_and_search(story: Story, ran: tuple[int, dict[str, Any]]) -> None:
    code, found = asked("pull", "structure", "--stack", "start", "-p", story.folder)
    assert code == 0 and {"stack", "changed", "material"} <= set(found)
    assert levers("ask", "x", "-p", story.folder).exit_code == 0
    code, found = asked("ask", story.items[0].asked, "--stack", ran[1]["stack"], "-p", story.folder)
    assert code == 0 and json.loads(found["answer"])["answer"] == "amber anvil"
    assert {"answer", "citations", "steps", "usage", "cost"} <= set(found) and found["cost"] > 0
    code, found = asked("search", "the cook of Linnet", "-p", story.folder)
    assert code == 0 and all(each["document"] != "docs/linnet.md" for each in found["passages"])
    assert all({"document", "section", "start", "end", "score"} <= set(each) for each in found["passages"])
    code, found = asked("search", "the cook of Linnet", "--user", "mira", "-p", story.folder)
    assert found["passages"][0]["document"] == "docs/linnet.md"


def test_costs_of_a_finished_run_are_measured(story: Story, ran: tuple[int, dict[str, Any]]) -> None:
    start = finished(story.folder).steps[0].measured.dev
    code, found = asked("cost", "tco", "@0", f"@{ran[1]['steps'][-1]['number']}", "-p", story.folder)
    a_month = (start.cost_per_answer or 0.0) * found["offers"][0]["answers_per_day"]["low"] * 30
    assert code == 0 and found["offers"][0]["month"]["low"] == pytest.approx(a_month) and a_month > 0
    assert "measured usage" in found["offers"][0]["lines"][0]["source"]
    code, found = asked("cost", "answer", "-p", story.folder)
    assert code == 0 and found["usage"]["input"] > 0 and found["cost"]["total"]["value"] > 0
    dearer = asked("cost", "answer", "openai/gpt-4o", "-p", story.folder)[1]
    assert dearer["cost"]["total"]["provenance"] == "assumed" and dearer["model"] == "openai/gpt-4o"
    assert found["notes"] == [] and found["cost"]["total"]["provenance"] == "price book"
    assert dearer["notes"] == [
        "tokens as openai/scripted counted and wrote them: openai/gpt-4o would count and write others"
    ]
    code, found = asked("cost", "latency", "--target", "1h", "-p", story.folder)
    assert code == 0 and found["measured_total"] and found["provenance"] == "measured"
    gates = {each["goal"]: each["have"] for each in asked("cost", "gates", "-p", story.folder)[1]["gates"]}
    assert gates["golden set"] > 0


def test_a_missed_target_is_exit_code_1(tmp_path: Path) -> None:
    items = [Item("Alder", name, frozenset({"wrong"}), part) for name, part in (("cook", "dev"), ("path", "test"))]
    with Story(tmp_path / "huts", items, documents=False) as hopeless:
        code, found = asked("run", hopeless.folder)
        assert code == 1 and found["targets_met"] is False and found["stopped"] == "no lever pays any more"
        table = levers("run", hopeless.folder)
        assert table.exit_code == 1 and "report:" in table.stderr and "report:" not in table.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("trial", "--partition", "all"), "--partition"),
        (("trial", "sha256-0000"), "sha256-0000, no such stack"),
        (("trial", "--margin", "0.1"), "without a stack"),
        (("trial", "--against", "start", "--margin", "3"), "margin 3"),
        (("pull", "magic"), "one of instruct"),
        (("pull", "examples", "--set", "k"), "key=value"),
        (("pull", "examples", "--set", "k=many"), "levers pull examples: k"),
    ],
)
def test_what_the_user_must_mend_is_exit_code_2_on_stderr(story: Story, arguments: tuple[str, ...], says: str) -> None:
    result = levers(*arguments, "-p", story.folder)
    assert result.exit_code == 2 and says in result.stderr and result.stdout == ""
    in_json = levers(*arguments, "-p", story.folder, "--json")
    assert in_json.exit_code == 2 and json.loads(in_json.stdout)["problems"]


def test_import_makes_a_project_or_says_what_is_wrong(tmp_path: Path) -> None:
    talks = [("Capital of France?", "Paris"), ("Capital of Italy?", "Rome"), ("Capital of Peru?", "Lima")]
    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in talks]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, found = asked("import", "openai", path, "--into", tmp_path / "capitals")
    assert code == 0 and sum(found["cases"].values()) == 3 and found["graders"] == ["f1"]
    assert asked("check", tmp_path / "capitals")[0] == 0
    assert "next: levers check" in levers("import", "openai", path, "--into", tmp_path / "again").stdout
    for arguments, says in (
        (("opnai", path), 'did you mean "openai"'),
        (("openai", tmp_path / "no.jsonl"), "no.jsonl"),
        (("foo", path), "tensorzero, otel\n"),
    ):
        result = levers("import", *arguments, "--into", tmp_path / "third")
        assert result.exit_code == 2 and says in result.stderr and not (tmp_path / "third").exists()
        assert "choose from" not in result.stderr


def test_every_verb_refuses_a_broken_project(tmp_path: Path) -> None:
    (tmp_path / "levers.yaml").write_text("name: [")
    for verb in ("check", "run"):
        result = levers(verb, tmp_path)
        assert result.exit_code == 2 and "levers.yaml" in result.stderr + result.stdout
    result = levers("search", "x", "-p", tmp_path / "nowhere")
    assert result.exit_code == 2 and "levers.yaml" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["levers.yaml"]


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", few_items(False), delay=1.0, documents=False) as slow:
        command = [sys.executable, "-m", "levers", "run", str(slow.folder), "--json"]
        # Commands in the background of a shell ignore SIGINT, and children inherit that, but not a handler.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        signal.signal(signal.SIGINT, before)
        deadline = time.monotonic() + 100
        while slow.asked < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=100)
        assert process.returncode == 130 and out == "" and "interrupted" in said and "Traceback" not in said
        for path in slow.folder.glob(".levers/**/*.json"):
            json.loads(path.read_text())
        slow.reader.delay = 0.0
        code, found = asked("run", slow.folder)
        assert code == 0 and found["targets_met"]


@pytest.mark.parametrize("verb", ["levers", *VERBS])
def test_help_changes_only_on_purpose(verb: str) -> None:
    result = levers(*([] if verb == "levers" else [verb]), "--help")
    found = "\n".join(line.rstrip() for line in ANSI.sub("", result.stdout).strip().splitlines()) + "\n"
    path = GOLDEN / f"{verb}.txt"
    if os.environ.get("LEVERS_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert result.exit_code == 0
    assert found == path.read_text(encoding="utf-8"), "if it is meant: LEVERS_GOLDEN=1 make test"
