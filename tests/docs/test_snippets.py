"""Snippets in the pages are right: Python names resolve, YAML and JSON are what levers accepts."""

import ast
import inspect
import json
import types
import typing
from types import SimpleNamespace
from typing import Any

import pytest
from docs.reading import Block, blocks
from pydantic import BaseModel
from ruamel.yaml import YAML

import levers
from levers.economics import PriceBook
from levers.knowledge import load_access
from levers.knowledge.front import read_front
from levers.task.examples import read_example
from levers.task.records import Case, TaskConfig
from levers.trial.graders.reviewed import Reviewed

BASE = {"name": "x", "instructions": "brief.md", "golden": "golden.jsonl", "graders": [{"kind": "exact"}]}
USES = [block for block in blocks("python") if "import levers\n" in block.text]


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_python_compiles(block):
    compile(block.text, str(block.page), "exec")


@pytest.mark.parametrize("block", USES, ids=lambda block: block.name)
def test_names_resolve(block):
    assert resolved(ast.parse(block.text)) > 4


def test_a_wrong_name_would_be_seen():
    with pytest.raises(AssertionError, match="finale"):
        resolved(ast.parse("import levers\nrun = levers.run(1)\nrun.finale.test"))


def resolved(tree: ast.Module) -> int:
    """Follow every attribute from `levers` through the types that its verbs return; count them."""
    known: dict[str, Any] = {"levers": levers}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = kind_of(node.value, known)
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    for node in attributes:
        kind_of(node, known)
    return len(attributes)


def kind_of(node: ast.expr, known: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Call):
        function = kind_of(node.func, known)
        return typing.get_type_hints(function)["return"] if inspect.isfunction(function) else None
    if isinstance(node, ast.Attribute):
        return member(kind_of(node.value, known), node.attr)
    return None


def member(owner: Any, name: str) -> Any:
    if owner is None:
        return None
    if isinstance(owner, types.ModuleType):
        assert name in levers.__all__, f"levers exports no {name}"
        return getattr(owner, name)
    owner = next((each for each in typing.get_args(owner) if isinstance(each, type) and each is not type(None)), owner)
    if issubclass(owner, BaseModel) and name in owner.model_fields:
        return owner.model_fields[name].annotation
    assert hasattr(owner, name), f"{owner.__name__} has no {name}"
    return None


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.name)
def test_yaml_is_accepted(block, tmp_path):
    if block.text.startswith("---"):
        head = read_front(f"{block.text.rstrip()}\nText.", "page.md")
        assert head.readable and not head.problems and head.title and head.groups == ("staff",)
        return
    data = YAML(typ="safe").load(block.text)
    path = tmp_path / "part.yaml"
    path.write_text(block.text, encoding="utf-8")
    if set(data) <= set(TaskConfig.model_fields):
        assert TaskConfig.model_validate({**BASE, **data})
    elif "rules" in data:
        assert load_access(path).groups_of("mira") == {"staff"}
    else:
        book = PriceBook.load(path, path.name)
        assert all(book.find(name.replace("*", "any")) is not None for name in data)


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.name)
def test_json_is_accepted(block):
    for number, line in enumerate(block.text.splitlines(), start=1):
        row = json.loads(line)
        if "passed" in row:
            assert Reviewed.model_validate(row)
        elif "input" in row:
            assert Case.model_validate(row)
        else:
            example, problems = read_example(row, "page", number)
            assert example and not problems


def test_the_lever_of_the_guide_works(monkeypatch):
    from levers.lever import figures
    from levers.plan import Quote
    from levers.stack import Instruct, ModelRef, Stack

    block: Block = next(block for block in blocks("python") if "class ShortenLever" in block.text)
    names: dict[str, Any] = {"__name__": "shorten"}
    exec(block.text, names)
    lever = names["ShortenLever"]()
    stack = Stack(model=ModelRef(id="pocket"), parts=(Instruct(text="Be kind."),))
    pulled = lever.pull(SimpleNamespace(stack=stack), {})
    assert pulled.stack.part("instruct").text == f"Be kind.\n\n{names['RULE']}"
    assert {part.kind for part in pulled.stack.parts} == {"instruct"}
    seen = []
    monkeypatch.setitem(names, "quote", lambda name, probes, situation, terms: seen.append((name, probes, terms)))
    lever.quote(SimpleNamespace(stack=stack))
    lever.quote(SimpleNamespace(stack=pulled.stack))
    assert [bool(terms.blocked) for _, _, terms in seen] == [False, True]
    assert inspect.signature(figures.quote).return_annotation in (Quote, "Quote")


def test_the_lever_of_the_guide_names_a_measured_set():
    from levers.diagnosis.headroom import SETS

    block = next(block for block in blocks("python") if "class ShortenLever" in block.text)
    assert '("format", "instruction")' in block.text
    assert ("format", "instruction") in SETS
