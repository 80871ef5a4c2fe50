"""The weights, tokenizer and constraints of a local model in memory. Imports torch and transformers.

`levers.model.local` names a model and loads this at the first ask, so that what is replayed waits for no library.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from levers.economics.usage import Usage
from levers.errors import ModelError
from levers.model.chat import cut_plain, render
from levers.model.contract import Ask, Reply
from levers.model.decode import Row, Steering, new_row
from levers.model.generate import Generator
from levers.model.machine import keep_memory
from levers.model.quiet import quietly
from levers.model.reading import THOUGHT, cut_at, unthought
from levers.model.structure import Constrainer
from levers.model.weights import device, folder_digest, precision

MAX_ROWS = 32
MAX_BATCH_TOKENS = 32_768


@dataclass(frozen=True)
class _Prompt:
    """One ask, ready for a batch: its place among the asks, its token ids, and its row."""

    index: int
    tokens: list[int]
    row: Row

    @property
    def length(self) -> int:
        return len(self.tokens) + self.row.ask.max_tokens


class Loaded:
    """Weights, tokenizer and constraints in memory."""

    def __init__(self, reference: str, folder: Path, adapter: Path | None) -> None:
        _set_threads()
        keep_memory()
        try:
            _register_pocket(folder)
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
            self.model: Any = _load_weights(folder, adapter)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            hint = "the folder must hold config.json, safetensors weights and a tokenizer of a causal language model"
            raise ModelError(f"{reference} cannot be loaded: {error}", hint) from error
        template = getattr(self.tokenizer, "chat_template", None)
        self.plain, self._thinks = not template, THOUGHT in str(template)
        self.eos = _end_tokens(self.model, self.tokenizer)
        self.pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.eos[0]
        # Of the checkpoint's habits only what it forbids is kept; replies asked for greedily are greedy.
        forbidden = self.model.generation_config.suppress_tokens
        special = [token for token, added in self.tokenizer.added_tokens_decoder.items() if added.special]
        self._special, self._forbidden = special, forbidden
        self.generator = Generator(self.model, self.pad, special, forbidden)
        self.window = _window(self.model)
        self.vocabulary = int(self.model.config.get_text_config().vocab_size)
        self._constrainer: Constrainer | None = None

    def swap(self, adapter: Path | None) -> None:
        """Put another adapter beside the base, or take it away."""
        from peft import PeftModel  # seconds to import, needed only where an adapter is

        wrapped = isinstance(self.model, PeftModel)
        if adapter is None:
            if wrapped:
                self.model.base_model.disable_adapter_layers()
        else:
            kind = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get("peft_type")
            if kind != "LORA":
                raise ModelError(f"{adapter.name} is {kind}, not low-rank", "open the model with it instead")
            name = folder_digest(adapter).replace("sha256-", "a")
            with quietly():
                if not wrapped:
                    self.model = PeftModel.from_pretrained(self.model, str(adapter), name, local_files_only=True)
                elif name not in self.model.peft_config:
                    self.model.load_adapter(str(adapter), name, local_files_only=True)
            self.model.base_model.enable_adapter_layers()
            self.model.set_adapter(name)
            self.model.eval()
        self.generator = Generator(self.model, self.pad, self._special, self._forbidden)  # what it kept is of before

    def tokens_of(self, ask: Ask) -> list[int]:
        """Return the tokens of an ask's prompt."""
        # A chat template writes the special tokens itself; a plain layout leaves them to the tokenizer.
        text = render(self.tokenizer, ask.messages)
        return [int(token) for token in self.tokenizer(text, add_special_tokens=self.plain)["input_ids"]]

    def prompt(self, index: int, ask: Ask) -> _Prompt:
        """Make an ask ready for a batch. Raises ValueError when it cannot be answered here."""
        tokens = self.tokens_of(ask)
        if self.window is not None and len(tokens) + ask.max_tokens > self.window:
            raise ValueError(
                f"the prompt has {len(tokens)} tokens; {max(0, self.window - ask.max_tokens)} fit beside a reply of "
                f"{ask.max_tokens} in this model's window of {self.window}"
            )
        if ask.json_schema is not None and self._constrainer is None:
            self._constrainer = Constrainer(self.tokenizer, self.vocabulary, self.eos)
        return _Prompt(index, tokens, new_row(ask, self._constrainer))

    def stream(self, asks: Sequence[Ask]) -> Iterator[dict[int, Reply]]:
        """Answer batch by batch, shortest prompts first."""
        ready: list[_Prompt] = []
        for index, ask in enumerate(asks):
            try:
                _refuse_what_is_not_done(ask)
                ready.append(self.prompt(index, ask))
            except ValueError as error:
                yield {index: Reply(text="", finish="error", error=str(error))}
        for batch in _batches(sorted(ready, key=lambda prompt: (prompt.length, prompt.index))):
            yield dict(zip((prompt.index for prompt in batch), self.run(batch), strict=True))

    def run(self, batch: list[_Prompt]) -> list[Reply]:
        """Answer one batch."""
        begun = time.perf_counter()
        rows = [prompt.row for prompt in batch]
        steering = Steering(rows, self._constrainer, self.eos, self.generator.flexible, self._text)
        try:
            with torch.inference_mode():
                self.generator.run([prompt.tokens for prompt in batch], steering)
        except torch.OutOfMemoryError as error:
            longest = max(len(prompt.tokens) for prompt in batch)
            what = f"out of memory on a batch of {len(batch)} x {longest} tokens"
            raise ModelError(what, "use a smaller model or shorter prompts") from error
        seconds = (time.perf_counter() - begun) / len(batch)
        return [self._reply(prompt, seconds) for prompt in batch]

    def _text(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _reply(self, prompt: _Prompt, seconds: float) -> Reply:
        row = prompt.row
        text = cut_at(self._text(row.tokens), row.ask.stop)
        thought, text = unthought(text.strip()) if self._thinks else ("", text)
        return Reply(
            text=cut_plain(text) if self.plain else text.strip(),
            thought=thought,
            finish=row.finish or "length",
            usage=Usage(input=len(prompt.tokens), output=len(row.tokens), compute_seconds=seconds),
            confidence=row.confidence,
            seconds=seconds,
            error=row.error,
        )


def _refuse_what_is_not_done(ask: Ask) -> None:
    """Refuse what only servers do; left out in silence, the reply would not be what was asked for."""
    asked = {"tools": ask.tools, "logprobs": ask.logprobs}
    named = [name for name, value in asked.items() if value]
    if named:
        raise ValueError(f"a model that runs here takes no {' and no '.join(named)}; leave it out or name a server")


def _batches(prompts: list[_Prompt]) -> Iterator[list[_Prompt]]:
    """Cut sorted prompts into batches from the front, so that the batches of what is left never shift after a kill."""
    batch: list[_Prompt] = []
    for prompt in prompts:
        if batch and (len(batch) == MAX_ROWS or (len(batch) + 1) * prompt.length > MAX_BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(prompt)
    if batch:
        yield batch


def _load_weights(folder: Path, adapter: Path | None) -> Any:
    with quietly():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, precision()),
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    model, told = loaded
    if told["missing_keys"]:  # transformers would go on with random numbers in their place
        raise ValueError(f"the weights lack {', '.join(sorted(told['missing_keys'])[:3])}")
    if adapter is not None:
        model = _adapted(model, adapter)
    return model.to(device()).eval()


def _adapted(model: Any, adapter: Path) -> Any:
    from peft import PeftModel  # seconds to import, needed only where an adapter is

    from levers.model.virtual import Virtual

    with quietly():
        adapted: Any = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
    if adapted.active_peft_config.is_prompt_learning:
        return Virtual(adapted)
    # In float32 the merge is exact to rounding and spares two products a layer; in bfloat16 it would blur the adapter.
    return adapted.merge_and_unload() if precision() == "float32" else adapted


def _register_pocket(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") == "pocket":
        from levers.model.pocket import register

        register()


def _window(model: Any) -> int | None:
    """Return how many tokens of prompt and reply fit, beside what an adapter puts before them."""
    window: int | None = getattr(model.config, "max_position_embeddings", None)
    return window if window is None else window - getattr(model, "count", 0)


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end a reply; the tokenizer's own first, for it is the one chat templates use."""
    found = [tokenizer.eos_token_id, model.generation_config.eos_token_id, model.config.get_text_config().eos_token_id]
    flat = [token for each in found for token in (each if isinstance(each, list | tuple) else [each])]
    tokens = list(dict.fromkeys(int(token) for token in flat if token is not None))
    if not tokens:
        raise ValueError("neither the tokenizer nor the configuration names a token that ends a reply")
    return tokens


def _set_threads() -> None:
    threads = os.environ.get("LEVERS_THREADS", "")
    if threads.isdigit() and int(threads) > 0:
        torch.set_num_threads(int(threads))
