"""Under a schema every reply is valid: of a model with random weights, and of pocket. The benchmark counts all 700."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from levers.model import Model, open_model
from levers.model.pocket import weights_path

pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[2]
CHAT_SCHEMAS, POCKET_SCHEMAS = 25, 10
ROOM, LONG_ROOM = 400, 1100  # tokens; where every part has a maximum, the long room lets each reply end by itself


@pytest.fixture(scope="module")
def structure() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks import structure
    return structure


@pytest.fixture(scope="module")
def shaped(structure: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return open_model(f"hf/{structure.save_qwen3(tmp_path_factory.mktemp('qwen3'))}")


def wrong(structure: ModuleType, model: Model, schemas: list[dict[str, object]], room: int = ROOM) -> list[str]:
    """Return the replies that are not valid."""
    found = model.answer(structure.asks_for(schemas, room))
    return [
        reply.text or str(reply.error)
        for reply, schema in zip(found, schemas, strict=True)
        if reply.error or not structure.is_valid(reply.text, schema)
    ]


def test_random_weights_write_valid_json_for_200_generated_schemas(structure: ModuleType, shaped: Model) -> None:
    schemas = list(structure.generated(200))
    assert len({str(schema) for schema in schemas}) == 200
    assert wrong(structure, shaped, schemas) == []


def test_random_weights_write_valid_json_for_schemas_of_real_replies(structure: ModuleType, shaped: Model) -> None:
    chats = structure.data_folder() / structure.CHATS
    if not chats.is_file():
        pytest.skip("json_mode_chats is not there")
    schemas = structure.of_replies(chats)
    assert len(schemas) > 400
    assert wrong(structure, shaped, schemas[:: len(schemas) // CHAT_SCHEMAS], LONG_ROOM) == []


def test_no_part_needs_a_maximum(structure: ModuleType, shaped: Model) -> None:
    chats = structure.data_folder() / structure.CHATS
    if not chats.is_file():
        pytest.skip("json_mode_chats is not there")
    schemas = structure.of_replies(chats, bounded=False)
    assert not any('"maxLength"' in json.dumps(schema) for schema in schemas)
    assert wrong(structure, shaped, schemas[:: len(schemas) // CHAT_SCHEMAS], LONG_ROOM // 2) == []


def test_left_alone_the_same_model_writes_none(structure: ModuleType, shaped: Model) -> None:
    schemas = list(structure.generated(8, seed=1))
    replies = shaped.answer(structure.asks_for([None] * 8, 48))
    assert not any(structure.is_valid(reply.text, schema) for reply, schema in zip(replies, schemas, strict=True))


@pytest.mark.skipif(not (weights_path() / "model.safetensors").is_file(), reason="pocket's weights are not here")
def test_pocket_writes_valid_json_too(structure: ModuleType) -> None:
    schemas = sorted(structure.generated(60, seed=2), key=lambda schema: len(str(schema)))[:POCKET_SCHEMAS]
    assert wrong(structure, open_model("pocket"), schemas) == []


def test_a_schema_is_taken_from_a_reply(structure: ModuleType, tmp_path: Path) -> None:
    reply = json.dumps({"a": [1, "x"], "b": None, "c": True})
    chats = tmp_path / "chats.jsonl"
    chats.write_text(f"{json.dumps({'messages': [{'role': 'assistant', 'content': reply}]})}\n" * 2)
    (schema,) = structure.of_replies(chats)
    assert structure.is_valid('{"a": [1], "b": null, "c": false}', schema)
    assert not structure.is_valid('{"a": [1, 2, 3], "b": null, "c": false}', schema)
    assert not structure.is_valid('{"a": [1]', schema)
