"""Schema-constrained decoding: which tokens may come next so that the reply is JSON of the asked schema.

Imports llguidance; loaded with the local models only. The form is that of Python's `json.dumps`: `, ` and `: ` between
items, no other white space, keys in the schema's order. Objects that list `properties` and say nothing of others are
closed, so that a model cannot go on adding keys; what comes out is valid under the schema as it was given, also where
the reply runs out of room (`ending`).
"""

import json
from collections.abc import Sequence
from typing import Any

import llguidance
import llguidance.hf
import llguidance.numpy
import numpy as np
from numpy.typing import NDArray

from levers.model.closing import closed
from levers.model.ending import Ender

_FORM: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Constrainer:
    """Compiles schemas for one tokenizer; a schema is compiled once."""

    def __init__(self, tokenizer: Any, vocabulary: int, eos: list[int]) -> None:
        """Read the tokenizer's vocabulary. `vocabulary` is the number of the model's logits.

        Raises:
            ValueError: the tokenizer's layout is none that llguidance reads.
        """
        self.vocabulary = vocabulary
        try:
            self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=eos)
        except Exception as error:  # a plain Exception is all its Rust side raises
            raise ValueError(f"no schema can be enforced with this model's tokenizer: {error}") from error
        self._executor = llguidance.LLExecutor(num_threads=1)  # a mask takes microseconds
        self._matchers: dict[str, llguidance.LLMatcher] = {}
        self._eos = eos
        self._ender: Ender | None = None

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

    def whole(self, matcher: llguidance.LLMatcher, tokens: Sequence[int], limit: int) -> list[int] | None:
        """Return a valid reply of at most `limit` tokens that begins as the cut one; None where none was found."""
        if self._ender is None:
            self._ender = Ender(self._tokenizer, self.vocabulary, self._eos, lambda one: self.allowed([one])[0])
        return self._ender.whole(matcher, tokens, limit)

    def allowed(self, matchers: Sequence[Any]) -> NDArray[np.bool_]:
        """Return [matchers, vocabulary] booleans: the tokens that may come next; none where a matcher failed."""
        bits = llguidance.numpy.allocate_token_bitmask(len(matchers), self.vocabulary)
        places = [(matcher, place) for place, matcher in enumerate(matchers)]
        llguidance.numpy.fill_next_token_bitmask_par(self._executor, places, bits)
        every = np.unpackbits(bits.view(np.uint8), axis=-1, count=self.vocabulary, bitorder="little")
        return every.view(np.bool_)
