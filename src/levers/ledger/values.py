"""Values in, digests out: canonical JSON, digests, and the one record every room speaks, a message."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, SerializationInfo


class Record(BaseModel):
    """A frozen record that refuses unknown fields; every record of levers derives from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Record):
    """One turn of a conversation, in the words of the OpenAI chat format."""

    role: Literal["system", "user", "assistant"]
    content: str


def whole(text: str) -> str:
    """Join the halves of surrogate pairs; half of one alone, which UTF-8 cannot hold, becomes U+FFFD.

    Models write them: a reply that is cut within an emoji ends in such a half.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


Text = Annotated[str, AfterValidator(whole)]
"""A text that came from outside and can be written down."""


_CANONICAL = {"canonical": True}


def in_order(value: Any) -> Any:
    """Return a JSON Schema with every `properties` as pairs, where their order is not that of the alphabet.

    Canonical JSON sorts keys, but a model writes the fields in the order of the properties: a reason before the score
    is another question than one after it.
    """
    if isinstance(value, list):
        return [in_order(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {key: in_order(item) for key, item in value.items()}
    named = told.get("properties")
    if isinstance(named, dict) and list(named) != sorted(named):
        told["properties"] = [list(pair) for pair in named.items()]
    return told


def _schema(value: dict[str, Any], info: SerializationInfo) -> Any:
    return in_order(value) if info.context == _CANONICAL else value


Schema = Annotated[dict[str, Any], PlainSerializer(_schema)]
"""A JSON Schema in a record: the order of its properties is part of the record's name."""


def canonical(value: Any) -> str:
    """Write a value as canonical JSON: sorted keys, no spaces, UTF-8; records become their fields.

    A record's schemas keep the order of their properties (`in_order`).
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any, length: int = 16) -> str:
    """Name a value by its content: `sha256-` and the first `length` hex digits over its canonical JSON."""
    return "sha256-" + hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", context=_CANONICAL)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
