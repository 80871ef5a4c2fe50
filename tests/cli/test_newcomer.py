"""What a newcomer meets first: what is wrong is said before any work, in plain words, and where to go on."""

import json
from pathlib import Path

import pytest
from story import Story, few_items
from typer.testing import CliRunner

from levers.cli import app, console

TERMINAL = {"TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "", "GITHUB_ACTIONS": ""}
CASES = [
    {"id": "a", "input": "How long may I borrow a film?", "expected": "3 days", "partition": "dev"},
    {"id": "b", "input": "Who runs the archive?", "expected": "Mara", "partition": "test"},
]
CONFIG = """name: films
instructions: brief.md
golden: golden.jsonl
models: {answer: openai/none, base_url: "http://127.0.0.1:9/v1"}
graders: [{kind: contains}]
"""


def levers(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner(env=TERMINAL).invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the console a width: where $COLUMNS stood when it was made, it keeps that."""
    for each in (console.out, console.err):
        monkeypatch.setattr(each, "_width", 400)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A project whose server nobody runs: whatever asks a model fails with another error."""
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "levers.yaml").write_text(CONFIG)
    (folder / "brief.md").write_text("You answer questions on films in a few words. If unsure, say so.")
    (folder / "golden.jsonl").write_text("\n".join(json.dumps(case) for case in CASES))
    return folder


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("pull", "retrieve", "--set", "k=two"), ["k: found 'two', expected a whole number", "found no documents"]),
        (("pull", "tune", "--set", "foo=1"), ["foo: found an unknown setting", "found no examples"]),
        (("pilot",), ["found no examples, expected examples for tune"]),
    ],
)
def test_settings_and_material_are_checked_before_a_model_is_asked(
    films: Path, command: tuple[str, ...], says: list[str]
) -> None:
    code, text = levers(*command, "-p", films)
    assert code == 2 and all(each in text for each in says), text


def test_what_stops_a_tuning_is_said_before_a_model_is_asked(films: Path) -> None:
    pairs = [{"prompt": f"How long is film {n}?", "completion": f"{n} minutes"} for n in range(3)]
    (films / "examples.jsonl").write_text("\n".join(json.dumps(each) for each in pairs))
    (films / "levers.yaml").write_text(CONFIG + "examples: examples.jsonl\n")
    code, text = levers("pull", "tune", "-p", films)
    assert code == 2 and "found 3 examples, expected at least 50 for style" in text, text
    code, text = levers("pull", "instruct", "-p", films)
    assert code == 2 and "expected graders that ask for a form or a label" in text, text


def test_a_project_that_cannot_be_read_shows_its_problem_only(tmp_path: Path) -> None:
    code, text = levers("check", tmp_path / "absent")
    assert code == 2 and "no such folder" in text and "1 problem to mend" in text
    assert "data gates" not in text and "smallest difference" not in text and "0 cases" not in text


def test_a_problem_is_one_line_and_its_hint_another_however_narrow_the_pipe(
    films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "_width", 60)
    (films / "levers.yaml").write_text(CONFIG + "colour: blue\n")
    lines = levers("check", films)[1].splitlines()
    keys = "name, instructions, golden, knowledge, examples, models, graders, targets, traffic, prices"
    at = lines.index(f'levers.yaml:6: colour: found unknown key "colour", expected one of {keys}')
    assert lines[at + 1] == "  hint: remove it: nothing reads it"


def test_a_path_in_the_wrong_place_is_called_what_it_is(films: Path) -> None:
    code, text = levers("lint", films / "no.txt")
    assert code == 2 and "no.txt: found no such file or folder, expected a prompt in a file of text" in text, text
    assert "levers init" not in text
    (films / "levers.yaml").write_text(CONFIG + "knowledge: {documents: docs/}\n")
    (films / "docs").mkdir()
    (films / "docs" / "a.md").write_text("---\ngroups: [a\n---\n# A\n\nText.\n")
    code, text = levers("check", films / "golden.jsonl")
    assert code == 2 and "golden.jsonl: found a file, expected a folder with levers.yaml" in text, text
    assert f"did you mean {films}?" in text and "1 problem to mend" in text, text


def test_a_stack_that_is_not_there_says_what_is(films: Path) -> None:
    code, text = levers("trial", "zzz", "-p", films)
    assert code == 2 and "expected `start`; no other stack has been kept yet" in text, text
    (films / ".levers" / "stacks").mkdir(parents=True)
    (films / ".levers" / "stacks" / "sha256-12.json").write_text("{}")
    assert "expected `start` or sha256-12\n" in levers("trial", "zzz", "-p", films)[1]


def test_the_hint_for_a_folder_of_other_things_can_be_followed(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("here already")
    assert "`levers init my-project` writes a project" in levers("check", tmp_path)[1]
    assert f"`levers init {tmp_path / 'new'}` writes a project" in levers("check", tmp_path / "new")[1]


def test_check_counts_in_words_and_points(films: Path) -> None:
    code, text = levers("check", films)
    assert code == 0, text
    assert "2 cases, 1 dev" in text and "1 grader" in text and "1 graders" not in text
    assert "dev: too few cases to show any difference" in text and "1.00" not in text
    assert "below 50: it runs, but proves little" in text
    many = [{**CASES[0], "id": f"d{n}", "input": f"What is film {n}?"} for n in range(60)]
    (films / "golden.jsonl").write_text("\n".join(json.dumps(case) for case in [*many, CASES[1]]))
    assert "in points: dev 20" in levers("check", films)[1]


def test_everything_is_named_in_the_first_pass(films: Path) -> None:
    (films / "docs").mkdir()
    (films / "docs" / "loans.md").write_text("# Loans\n\n## Films\n\nA film goes out for 3 days.\n")
    (films / "levers.yaml").write_text(CONFIG + "knowledge: {documents: docs/}\ncolour: blue\n")
    cases = [
        {**CASES[0], "partition": "train", "evidence": ["docs/loans.md#gone"]},
        {**CASES[0], "input": "How many?", "evidence": ["docs/loans.md#films"]},
        CASES[1],
    ]
    (films / "golden.jsonl").write_text("\n".join(json.dumps(case) for case in cases))
    code, text = levers("check", films)
    assert code == 2 and "colour" in text and '"train"' in text
    assert "which line 1 has too" in text and "a section of docs/loans.md" in text, text
    (films / "golden.jsonl").write_text(json.dumps({**CASES[0], "expected": 3}))
    text = levers("check", films)[1]
    assert "found 3" in text and "no test case (1 dev, 0 test, 0 edge)" in text, text


@pytest.mark.parametrize("verb", ["plan", "trial", "diagnose", "report"])
def test_a_folder_in_the_wrong_place_is_told_where_it_belongs(films: Path, verb: str) -> None:
    code, text = levers(verb, films)
    assert code == 2 and f"did you mean `levers {verb} -p {films}`?" in text


def test_the_version_and_what_import_lacks(tmp_path: Path) -> None:
    code, text = levers("--version")
    assert code == 0 and text.startswith("levers 0.")
    code, text = levers("import", "foo", tmp_path)
    assert code == 2 and "'foo'" in text and "--into" not in text
    code, text = levers("import", "beir", tmp_path)
    assert code == 2 and "--into: found nothing" in text
    assert levers("report", "what")[0] == 2


def test_lint_says_only_what_the_graders_ask(films: Path) -> None:
    (films / "brief.md").write_text("You help people who visit the film archive. If unsure, say so.")
    text = levers("lint", films)[1]
    assert "what is not said is guessed" in text and "graders ask for a form" not in text
    code, text = levers("lint", films / "golden.jsonl")
    assert code == 2 and "a file of data" in text


def test_the_ledger_says_why_no_spending_is_shown(films: Path) -> None:
    assert "no cap is set (models: {cap: …} in levers.yaml)" in levers("ledger", "-p", films)[1]


def test_an_answer_without_documents_says_so_and_embeds_nothing(tmp_path: Path) -> None:
    with Story(tmp_path / "huts", few_items()) as story:
        code, text = levers("ask", "Who is the warden of Alder?", "-p", story.folder)
        assert code == 0 and "answered by start: the plain prompt, no documents searched. `levers run`" in text
        assert "embed passages" not in text and not (story.folder / ".levers" / "indexes").exists()
        assert json.loads(levers("ask", "Who cooks?", "-p", story.folder, "--json")[1])["unsearched"] is True


def test_a_folder_with_brackets_in_its_name_is_named(tmp_path: Path) -> None:
    code, said = levers("init", tmp_path / "a[" / "b]")
    assert code == 0 and "a[/b] is ready" in said.replace("\n", "")


def test_what_the_system_refuses_is_a_message_and_no_traceback(films: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, text = levers("init", tmp_path / "file" / "project")
    assert code == 2 and "error: " in text and str(tmp_path / "file") in text
    code, text = levers("trial", "-p", films, "--json")
    said = json.loads(text[text.index("{") : text.index("}") + 1])
    assert code == 2 and said["error"] and set(said) == {"error", "hint"}


def test_a_damaged_ledger_is_named(films: Path) -> None:
    (films / ".levers").mkdir()
    (films / ".levers" / "ledger.sqlite").write_text("no database, but long enough to be read as one " * 20)
    code, text = levers("trial", "-p", films)
    assert code == 2 and "ledger.sqlite" in text and "move it away" in text
