from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from tests.task.conftest import CONFIG, Make

from levers.task import check, json_schema
from levers.task.schema import PUBLISHED, as_text


def test_the_published_schema_is_the_current_one() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == as_text(), "run: python -m levers.task.schema"


def test_it_is_a_json_schema_that_accepts_a_sound_project() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(YAML(typ="safe").load(CONFIG), json_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("targets", "target"),
        ("kind: exact", "kind: exat"),
        ("0.9", "90"),
        ("name: shop", "name: ''"),
        ("- kind: exact", ""),
    ],
)
def test_it_refuses_what_check_refuses(old: str, new: str, make: Make) -> None:
    text = CONFIG.replace(old, new)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(text), json_schema())
    assert not check(make({"levers.yaml": text})).ok


def test_every_field_is_described() -> None:
    schema = json_schema()
    for definition in [schema, *schema["$defs"].values()]:
        assert definition["description"]
        assert all(field["description"] for field in definition["properties"].values())


def test_it_ships_beside_the_code() -> None:
    assert PUBLISHED.parent == Path(__import__("levers.task", fromlist=["task"]).__file__).parent
