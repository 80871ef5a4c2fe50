"""docs/reference says what the code says."""

import re
import runpy
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "recipes" / "docs" / "reference.py"
PAGES: dict[str, str] = runpy.run_path(str(SCRIPT))["pages"]()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name):
    text = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert text == PAGES[name], "run: python recipes/docs/reference.py"


def test_no_page_is_left_over():
    assert {path.name for path in (ROOT / "docs" / "reference").iterdir()} == set(PAGES)


def test_everything_public_is_on_a_page():
    import levers
    from levers.cli import app
    from levers.task.records import GRADER_KINDS, TaskConfig

    assert all(f"levers.{name}\n" in PAGES["python.md"] for name in levers.__all__ if name != "__version__")
    verbs = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]
    assert all(f"## levers {verb}\n" in PAGES["commands.md"] for verb in verbs)
    assert all(f"`{field}`" in PAGES["levers-yaml.md"] for field in TaskConfig.model_fields)
    assert all(f"| `{kind}` |" in PAGES["graders.md"] for kind in GRADER_KINDS)
    assert not any("<function" in text or " at 0x" in text for text in PAGES.values())


def test_the_changelog_starts_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+) \((\d{4}-\d{2}-\d{2})\)$", text, re.MULTILINE)
    assert newest and newest[1] == version("levers")
