"""Schema-constrained decoding: which tokens may come next so that the reply is JSON of the asked schema.

Imports llguidance; loaded with the local models only. The form is that of Python's `json.dumps`: `, ` and `: ` between
items, no other white space, keys in the schema's order. Objects that list `properties` and say nothing of others are
closed, so that a model cannot go on adding keys; what comes out is valid under the schema as it was given.
"""

import json
from typing import Any

import llguidance
import llguidance.hf
import llguidance.numpy
import numpy as np
from numpy.typing import NDArray

_FORM: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Constrainer:
    """Compiles schemas for one tokenizer; a schema is compiled once."""

    def __init__(self, tokenizer: Any, vocabulary: int, eos: list[int]) -> None:
        """Read the tokenizer's vocabulary. `vocabulary` is the number of the model's logits."""
        self.vocabulary = vocabulary
        self._tokenizer = _tokenizer(tokenizer, vocabulary, eos)
        self._matchers: dict[str, llguidance.LLMatcher] = {}

    def matcher(self, schema: dict[str, Any]) -> llguidance.LLMatcher:
        """Return a fresh matcher for a reply of this schema.

        Raises:
            ValueError: the schema uses what the decoder cannot enforce; the message says what.
        """
        key = json.dumps(schema)
        if key not in self._matchers:
            grammar = llguidance.LLMatcher.grammar_from_json_schema(closed(schema), overrides=_FORM)
            matcher = llguidance.LLMatcher(self._tokenizer, grammar, log_level=0)
            if matcher.is_error():
                raise ValueError(f"this schema cannot be enforced: {matcher.get_error().strip()[:300]}")
            self._matchers[key] = matcher
        return self._matchers[key].deep_copy()

    def allowed(self, matcher: llguidance.LLMatcher) -> NDArray[np.bool_]:
        """Return [vocabulary] booleans: the tokens that may come next. All false where the matcher failed."""
        bits = llguidance.numpy.allocate_token_bitmask(1, self.vocabulary)
        llguidance.numpy.fill_next_token_bitmask(matcher, bits, 0)
        return np.unpackbits(bits.view(np.uint8), bitorder="little")[: self.vocabulary].astype(bool)


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Close every object that lists properties and leaves others open; not under `allOf`, where parts must combine."""
    return schema if '"allOf"' in json.dumps(schema) else dict(_closed(schema))


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _closed_value(key, value) for key, value in node.items()}
    if isinstance(inner.get("properties"), dict) and inner.get("type", "object") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


def _closed_value(key: str, value: Any) -> Any:
    if key in {"const", "enum", "default", "examples"}:  # data, not schemas
        return value
    if key in {"properties", "$defs", "definitions"} and isinstance(value, dict):  # names, each with a schema
        return {name: _closed(schema) for name, schema in value.items()}
    return _closed(value)


class _Words:
    """What llguidance asks of a tokenizer it does not know: the bytes of every token."""

    def __init__(self, tokenizer: Any, vocabulary: int, eos: int) -> None:
        self.eos_token_id = eos
        self.bos_token_id = None
        self.special_token_ids = sorted(set(tokenizer.all_special_ids))
        self._tokenizer = tokenizer
        special = set(self.special_token_ids)
        count = min(vocabulary, len(tokenizer))
        words = [b"" if index in special else self._bytes(index) for index in range(count)]
        # A token that adds nothing to a text can never be right in JSON: it is marked like a special one.
        self.special_token_ids = sorted(special | {index for index, word in enumerate(words) if not word})
        self.tokens = [word or f"<unused {index}>".encode() for index, word in enumerate(words)]

    def _bytes(self, index: int) -> bytes:
        name = str(self._tokenizer.convert_ids_to_tokens(index))
        if len(name) == len("<0x00>") and name.startswith("<0x") and name.endswith(">"):
            return bytes([int(name[3:5], 16)])
        # A lone token may lose its leading space, so it is read as what it adds to a text.
        before = self._tokenizer.decode([self._anchor], clean_up_tokenization_spaces=False)
        after = self._tokenizer.decode([self._anchor, index], clean_up_tokenization_spaces=False)
        return str(after)[len(str(before)) :].encode() if after.startswith(before) else b""

    @property
    def _anchor(self) -> int:
        return int(self._tokenizer.encode("a", add_special_tokens=False)[-1])

    def __call__(self, text: str | bytes) -> list[int]:
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return [int(token) for token in self._tokenizer.encode(words, add_special_tokens=False)]


def _tokenizer(tokenizer: Any, vocabulary: int, eos: list[int]) -> llguidance.LLTokenizer:
    try:
        return llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=eos)
    except Exception:  # llguidance knows the common layouts only; others are read token by token
        wrapper = llguidance.TokenizerWrapper(_Words(tokenizer, vocabulary, eos[0]))
        return llguidance.LLTokenizer(wrapper, n_vocab=vocabulary, eos_token=eos)
