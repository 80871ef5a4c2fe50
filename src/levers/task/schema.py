"""The JSON Schema of `levers.yaml`, for editors; `levers.schema.json` beside this file is its text."""

import json
from pathlib import Path
from typing import Any

from levers.task.records import TaskConfig
from levers.task.wording import FIELDS

PUBLISHED = Path(__file__).with_name("levers.schema.json")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `levers.yaml`, every field with its description."""
    schema = TaskConfig.model_json_schema(by_alias=True, mode="validation")
    definitions: dict[str, dict[str, Any]] = {"TaskConfig": schema, **schema["$defs"]}
    for record, definition in definitions.items():
        definition["description"] = FIELDS.get(_OWNERS.get(record, ""), "A task of levers, as levers.yaml holds it")
        for name, field in definition["properties"].items():
            field["description"] = FIELDS[f"{record}.{name}"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "levers.yaml"}


_OWNERS = {
    "Material": "TaskConfig.knowledge",
    "Models": "TaskConfig.models",
    "GraderSpec": "TaskConfig.graders",
    "Targets": "TaskConfig.targets",
    "Traffic": "TaskConfig.traffic",
    "ToneRules": "GraderSpec.rules",
}


def as_text() -> str:
    """Return the schema as the published file holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
