"""A check names what is wrong, each thing once, and nothing that follows from another fault."""

import json
from pathlib import Path

import pytest

from levers.loop import check

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
