"""A check names what is wrong, each thing once, and nothing that follows from another fault."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from levers.errors import UserError
from levers.loop import Project, check

CONFIG = """name: shop
instructions: brief.md
golden: golden.jsonl
graders: [{kind: contains}]
"""
CASES = [
    {"id": "a", "input": "How long is a return?", "expected": "30 days", "partition": "dev"},
    {"id": "b", "input": "Who signs?", "expected": "Ana", "partition": "test"},
    {"id": "c", "input": "Sing!", "expected": "No.", "partition": "edge"},
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "levers.yaml").write_text(CONFIG)
    (tmp_path / "brief.md").write_text("Answer in a few words.")
    (tmp_path / "golden.jsonl").write_text("\n".join(json.dumps(case) for case in CASES))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pay.md").write_text("---\ngroups: [staff]\n---\n# Pay\n\nMuch.\n")
    return tmp_path


def found(shop: Path, config: str) -> list[str]:
    (shop / "levers.yaml").write_text(CONFIG + config)
    return [str(each).partition("\n")[0] for each in check(shop).problems]


def test_one_fault_in_the_access_file_is_one_problem(shop: Path) -> None:
    knowledge = "knowledge: {documents: docs/, access: access.yaml}\n"
    (shop / "access.yaml").write_text("groups: {staff: [ana]}\nrules: []\nrules: []\n")
    assert found(shop, knowledge) == ['access.yaml:3: found duplicate key "rules", expected valid YAML']
    (shop / "access.yaml").unlink()
    assert [each.partition(",")[0] for each in found(shop, knowledge)] == [
        'levers.yaml:5: knowledge.access: found "access.yaml"'
    ]
    (shop / "access.yaml").write_text("groups: {board: [ana]}\n")
    assert found(shop, knowledge) == ["docs/pay.md: groups: found 'staff', expected a group of access.yaml"]


def test_the_documents_counted_are_those_that_are_indexed(shop: Path) -> None:
    (shop / "levers.yaml").write_text(CONFIG + "knowledge: {documents: docs/}\n")
    (shop / "docs" / "pay.md").write_text("# Pay\n\nMuch.\n")
    for name in ("report.png", "x.yaml", "~pay.md"):
        (shop / "docs" / name).write_text("Nothing to read.")
    index = Project(shop).index
    assert index is not None and check(shop).counts["documents"] == len(index.documents) == 1


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            "knowledge: {tables: brief.md}\n",
            'levers.yaml:5: knowledge.tables: found "brief.md", which is no SQLite database, '
            "expected a SQLite database",
        ),
        (
            "models:\n  answer: openai/nonexist\n  cap: 5.00\n",
            "levers.yaml:7: models.cap: found no price for openai/nonexist, expected one, for a cap counts prices",
        ),
        (
            "models:\n  embed: openai/nonexist\n  cap: 5.00\n",
            "levers.yaml:7: models.cap: found no price for openai/nonexist, expected one, for a cap counts prices",
        ),
    ],
)
def test_what_would_stop_a_later_command_is_said_now(shop: Path, config: str, says: str) -> None:
    assert found(shop, config) == [says]


def test_a_cap_with_a_price_and_a_database_are_no_problem(shop: Path) -> None:
    (shop / "prices.yaml").write_text("openai/*: {input: 1, output: 1}\n")
    with closing(sqlite3.connect(shop / "tables.db")) as database:
        database.execute("CREATE TABLE t (a)")
    config = "knowledge: {tables: tables.db}\nprices: prices.yaml\nmodels: {answer: openai/nonexist, cap: 5}\n"
    assert found(shop, config) == []


def test_asking_without_a_price_names_the_file_to_write(shop: Path) -> None:
    (shop / "levers.yaml").write_text(CONFIG + "models: {answer: openai/nonexist, cap: 5}\n")
    project = Project(shop)
    with pytest.raises(UserError) as caught:
        project.workshop.model(project.start().model)
    assert "--prices" not in str(caught.value) and "prices: prices.yaml" in str(caught.value)


def test_a_model_that_is_no_folder_is_noted(shop: Path) -> None:
    assert found(shop, "models: {answer: hf/models/mine}\n") == []
    note = "models.answer: hf/models/mine: no such folder here; it will be looked for on the hub"
    assert note in check(shop).notes
    (shop / "models" / "mine").mkdir(parents=True)
    assert note not in check(shop).notes


@pytest.mark.parametrize(
    "field", ["prices: %s", "knowledge: {documents: %s}", "knowledge: {documents: docs/, access: %s}"]
)
@pytest.mark.parametrize("text", ['"' + "Answer politely. " * 30 + '"', r'"a\0b"'])
def test_a_text_where_a_file_belongs_is_one_problem(shop: Path, field: str, text: str) -> None:
    (problem,) = found(shop, field % text + "\n")
    assert "which does not exist" in problem


def test_a_text_where_a_model_belongs_is_looked_up_as_nothing(shop: Path) -> None:
    assert found(shop, f"models: {{answer: hf/{'a' * 300}}}\n") == []
