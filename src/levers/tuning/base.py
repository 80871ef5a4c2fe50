"""The model to be tuned: its tokenizer, its weights with a fresh adapter. Imports torch, transformers and peft."""

import importlib.util
import inspect
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from levers.errors import ModelError
from levers.model.machine import bfloat16_is_faster, keep_memory
from levers.model.pocket import register
from levers.model.virtual import Virtual
from levers.tuning.records import Recipe

_PLAIN_ATTENTION = 1024  # tokens


@dataclass
class Base:
    """A model ready to be tuned: `model` carries what learns (an adapter, or under `full` its own weights)."""

    model: Any
    tokenizer: Any
    device: torch.device
    precision: str
    window: int | None
    end_tokens: tuple[int, ...]
    inputs: frozenset[str]
    """Names of the arguments that the model's own forward takes."""
    packing: bool = False
    checkpointing: bool = False

    @contextmanager
    def fast(self, length: int) -> Iterator[None]:
        """Run forward passes over `length` tokens a row in the fastest way: in bfloat16 where that pays.

        On a CPU, attention in bfloat16 over short rows is faster as plain products (534 against 834 ms a step of pocket
        on two cores); over long rows its memory, square in the length, forbids it. In float32 it is slower (131 against
        111 s for 445 examples). Layers that are computed anew on the way back, outside of this, must take the same way
        both times: there torch chooses.
        """
        half = self.precision == "bfloat16"
        with ExitStack() as stack:
            stack.enter_context(torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half))
            if half and self.device.type == "cpu" and length <= _PLAIN_ATTENTION and not self.checkpointing:
                stack.enter_context(sdpa_kernel([SDPBackend.MATH]))
            yield

    def adapter(self) -> dict[str, torch.nn.Parameter]:
        """Return the weights that learn, by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    @property
    def inner(self) -> Any:
        """The model itself, under its adapter."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    def save(self, folder: Path) -> None:
        """Write what was learnt: an adapter in PEFT's layout, or under `full` the whole model with its tokenizer."""
        kept = self.model.peft if isinstance(self.model, Virtual) else self.model
        if hasattr(kept, "peft_config"):
            kept.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
            return
        with _quiet():
            kept.save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def sizes(self) -> tuple[int, int]:
        """Return the number of learning weights, and of all weights without the adapter's; under `full` all and all."""
        learning = sum(weight.numel() for weight in self.adapter().values())
        every = sum(weight.numel() for weight in self.model.parameters())
        return learning, every - learning if learning < every else every


def open_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a model folder.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    register()
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder.name}: no tokenizer can be loaded: {error}", "the folder must hold one") from error


def open_base(folder: Path, recipe: Recipe) -> Base:
    """Load a model and put a fresh adapter on it; `recipe.seed` decides the adapter's start.

    Raises:
        ModelError: the folder holds no causal language model, or the adapter does not fit it.
    """
    keep_memory()
    device, precision = _device_and_precision()
    quantised = _four_bits(recipe, device)
    tokenizer = open_tokenizer(folder)
    # On a CPU the frozen weights stay in float32, and autocast rounds them per step where bfloat16 pays: faster there
    # than weights kept in bfloat16 (3,088 against 1,867 tokens a second on two cores).
    # What learns itself stays in float32 everywhere: a step of 2e-5 is lost in a bfloat16 weight of 0.02.
    stored = torch.bfloat16 if device.type == "cuda" and recipe.method != "full" else torch.float32
    try:
        with _quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=stored, use_safetensors=True, local_files_only=True, **quantised
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        hint = "the folder must hold config.json and safetensors weights of a causal language model"
        raise ModelError(f"{folder.name} cannot be loaded: {error}", hint) from error
    inputs = frozenset(inspect.signature(model.forward).parameters)
    config, ends = model.config.get_text_config(), end_tokens(model, tokenizer)
    torch.manual_seed(recipe.seed)
    if recipe.checkpointing:
        _compute_anew(model, folder.name)
    adapted = _adapt(model if quantised else model.to(device), recipe, folder.name)
    if recipe.packing and ("position_ids" not in inputs or isinstance(adapted, Virtual) or _scores_itself(model)):
        hint = "leave packing off: batches are sorted by length and pad little"
        raise ModelError(f"{folder.name}: {recipe.method} of this model cannot be packed", hint)
    window = _window(config, adapted)
    return Base(adapted, tokenizer, device, precision, window, ends, inputs, recipe.packing, recipe.checkpointing)


def _scores_itself(model: Any) -> bool:
    return hasattr(model, "score_labelled")


def _compute_anew(model: Any, name: str) -> None:
    """Let every layer keep its input alone, and compute the rest again on the way back."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise ModelError(f"{name}: its layers cannot be computed anew", "save memory by micro_batch instead")
    model.activation_checkpointing_enable()


def _adapt(model: Any, recipe: Recipe, name: str) -> Any:
    """Put what learns on the model, by the recipe's method; the rest is frozen."""
    if recipe.method == "full":
        _watch_layers(model.requires_grad_(True).eval())
        return model
    try:
        with warnings.catch_warnings():
            # peft asks transformers for an attribute by its older name, and says so when it adapts to a layer's make.
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
            warnings.filterwarnings("ignore", "fan_in_fan_out", UserWarning)
            adapted: Any = get_peft_model(model, _settings(recipe, model))
    except ValueError as error:
        raise ModelError(f"{name}: no adapter fits: {error}", "name the layers in target_modules") from error
    # The frozen model runs as when it serves, without its own dropout; only the adapter's dropout is on.
    adapted.eval()
    _watch_layers(adapted)
    for path, module in adapted.named_modules():
        if "lora_dropout" in path:
            module.train(recipe.dropout > 0)
    return adapted if recipe.low_rank else Virtual(adapted)


def _watch_layers(model: Any) -> None:
    """Let layers that are computed anew know that this is training: the layers alone, whose parts keep no dropout."""
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.training = True


def _without_direction(model: Any) -> list[str]:
    """Name the linear layers with a row of zeros: DoRA divides each row by its length, and makes 0/0 of those."""
    layers = ((path, module) for path, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return [path for path, layer in layers if not bool(layer.weight.any(dim=1).all())]


def _settings(recipe: Recipe, model: Any) -> PeftConfig:
    if recipe.method == "prefix":
        return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=recipe.virtual_tokens)
    if recipe.method == "prompt":
        return PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=recipe.virtual_tokens)
    targets = recipe.target_modules if isinstance(recipe.target_modules, str) else list(recipe.target_modules)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.r,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=targets,
        exclude_modules=(recipe.method == "dora" and _without_direction(model)) or None,
        use_rslora=recipe.method == "rslora",
        use_dora=recipe.method == "dora",
        bias="none",
    )


def _four_bits(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    """Return what loads the frozen weights in NF4, for QLoRA; nothing for other methods.

    Raises:
        ModelError: this machine cannot compute with such weights.
    """
    if recipe.method != "qlora":
        return {}
    if device.type != "cuda" or importlib.util.find_spec("bitsandbytes") is None:
        lacks = "no CUDA device is here" if device.type != "cuda" else "bitsandbytes is not installed"
        hint = "use method lora here: the same adapter, the frozen weights in 16 or 32 bits"
        raise ModelError(f"qlora does not run on this machine: {lacks}", hint)
    from transformers import BitsAndBytesConfig

    settings: Any = BitsAndBytesConfig
    four = settings(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": four, "device_map": {"": 0}}


def _device_and_precision() -> tuple[torch.device, str]:
    if torch.cuda.is_available():
        return torch.device("cuda"), "bfloat16"
    return torch.device("cpu"), "bfloat16" if bfloat16_is_faster() else "float32"


def _window(config: Any, adapted: Any) -> int | None:
    window = getattr(config, "max_position_embeddings", None)
    taken = adapted.count if isinstance(adapted, Virtual) else 0
    return int(window) - taken if isinstance(window, int) and window > 0 else None


def end_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that end a reply, the tokenizer's own first."""
    generation = getattr(model, "generation_config", None)
    named = getattr(generation, "eos_token_id", None)
    ends = list(named) if isinstance(named, list | tuple) else [named]
    return tuple(dict.fromkeys(int(end) for end in [tokenizer.eos_token_id, *ends] if end is not None))


@contextmanager
def _quiet() -> Iterator[None]:
    bars: Any = transformers_logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
