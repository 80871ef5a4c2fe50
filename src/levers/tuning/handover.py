"""Hand a tuned model over to servers: the adapter, the weights with it merged in, and the commands that load them.

Loads nothing heavy until `hand_over` is called.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levers.errors import MissingExtra, ModelError, Problem, UserError
from levers.ledger import Record, write_atomic
from levers.model.weights import is_whole_model
from levers.tuning.fit import base_folder
from levers.tuning.records import Sample

TOLERANCE = 1e-5  # largest difference of log-probabilities, in float32, that is rounding
_CHECKED = 8  # prompts whose scores are compared
_BESIDE = 24  # tokens read where no sample is given


class HandedOver(Record):
    """What was written: the folder, the largest difference of log-probabilities it makes, and the commands."""

    folder: Path
    difference: float
    merged: bool
    commands: tuple[str, ...]


def hand_over(
    base: str, adapter: Path, into: Path, samples: Sequence[Sample] = (), root: Path | None = None
) -> HandedOver:
    """Write adapter, merged weights and the commands that serve them into a new folder.

    The merged weights are compared with the adapter on unmerged weights, in float32, before they count as written.
    Prefix and prompt tuning have nothing to merge: the adapter alone is handed over. Full tuning is a model already.

    Args:
        base: the model that was tuned, as `fit` takes it.
        adapter: a folder that `fit` returned.
        into: a folder that does not exist yet, or an empty one.
        samples: prompts to compare scores on; without any, a row of the vocabulary's first tokens.
        root: the folder that a relative base starts from.

    Raises:
        UserError: the folder is not empty.
        ModelError: merged and unmerged weights do not score alike.
        MissingExtra: torch, transformers or peft is not installed.
    """
    if into.exists() and any(into.iterdir()):
        raise UserError(Problem(file=str(into), found="a folder with files", expected="a new or empty folder"))
    try:
        import torch
    except ImportError as error:
        raise MissingExtra(error.name or "torch", "local") from error
    source = base_folder(base, root)
    into.mkdir(parents=True, exist_ok=True)
    if is_whole_model(adapter):
        shutil.copytree(adapter, into / "merged")
        return _finish(into, source, None, 0.0)
    shutil.copytree(adapter, into / "adapter")
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings["peft_type"] != "LORA":
        return _finish(into, source, settings, 0.0)
    with torch.inference_mode():
        difference = _merge(source, adapter, into / "merged", samples)
    if not difference <= TOLERANCE:  # what is no number fails too
        shutil.rmtree(into / "merged")
        shutil.rmtree(into / "adapter")  # so that the folder can be written into again
        found = f"{adapter.name}: merged weights score {difference:.1e} from unmerged ones, {TOLERANCE:.0e} is rounding"
        raise ModelError(found, "serve the adapter beside its base instead")
    return _finish(into, source, settings, difference)


def _merge(source: Path, adapter: Path, into: Path, samples: Sequence[Sample]) -> float:
    """Write the merged model and tokenizer; return the largest difference that reading them back makes."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from levers.model.quiet import quietly
    from levers.tuning.base import open_tokenizer

    tokenizer = open_tokenizer(source)
    options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
    with quietly():
        model: Any = AutoModelForCausalLM.from_pretrained(source, **options)
        tuned: Any = PeftModel.from_pretrained(model, str(adapter), local_files_only=True).eval()
        prompts = _prompts(tokenizer, samples)
        before = [tuned(input_ids=ids).logits.log_softmax(-1) for ids in prompts]
        tuned.merge_and_unload().save_pretrained(str(into))
        tokenizer.save_pretrained(str(into))
        read: Any = AutoModelForCausalLM.from_pretrained(into, **options)
        read.eval()
        after = [read(input_ids=ids).logits.log_softmax(-1) for ids in prompts]
    # What is all but impossible has a log-probability of thousands, whose rounding says nothing: compared where likely.
    gaps = [(one - two)[~(one <= -30)].abs().max() for one, two in zip(before, after, strict=True)]
    return float(torch.stack(gaps).max())


def _prompts(tokenizer: Any, samples: Sequence[Sample]) -> list[Any]:
    import torch

    from levers.model.chat import render

    if not samples:
        return [torch.arange(min(_BESIDE, len(tokenizer)))[None]]
    texts = [render(tokenizer, sample.messages) for sample in samples[:_CHECKED]]
    plain = not getattr(tokenizer, "chat_template", None)
    return [torch.tensor([tokenizer(text, add_special_tokens=plain)["input_ids"]]) for text in texts]


def _finish(into: Path, source: Path, settings: dict[str, Any] | None, difference: float) -> HandedOver:
    merged = (into / "merged").is_dir()
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    commands = serving_commands(config["model_type"], merged, settings)
    lines = ["# Serve this", "", *_told(config["model_type"], merged, difference), "", "```bash", *commands, "```", ""]
    write_atomic(into / "README.md", "\n".join(lines))
    if merged:
        write_atomic(into / "Modelfile", "FROM ./merged\n")
    return HandedOver(folder=into, difference=difference, merged=merged, commands=commands)


def serving_commands(make: str, merged: bool, settings: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the commands that serve what was handed over, run from its folder.

    vLLM: `vllm serve` with `--enable-lora --lora-modules`; llama.cpp: `convert_hf_to_gguf.py`; Ollama: a Modelfile's
    `FROM` a safetensors folder.
    """
    if make == "pocket":  # a make of our own, which no server knows
        where = "merged" if merged else "adapter"
        return (f"# only levers runs pocket: name {'hf/' if merged else 'this '}{where} in levers.yaml",)
    found = []
    if settings is not None and settings["peft_type"] == "LORA":
        base, rank = settings["base_model_name_or_path"].removeprefix("hf/"), settings["r"]
        found.append(f"vllm serve {base} --enable-lora --max-lora-rank {rank} --lora-modules tuned=./adapter")
    if merged:
        found += [
            "vllm serve ./merged --served-model-name tuned",
            "ollama create tuned -f Modelfile && ollama run tuned",
            "python llama.cpp/convert_hf_to_gguf.py ./merged --outfile tuned.gguf",
            "llama-server --model tuned.gguf",
        ]
    return tuple(found) or ("# prefix and prompt tuning are served by levers and by transformers with PEFT only",)


def _told(make: str, merged: bool, difference: float) -> list[str]:
    lines = [f"A model of make `{make}`."]
    if merged:
        lines.append(
            f"`merged` scores within {difference:.1e} of the adapter on its base (float32, log-probabilities)."
        )
    return lines
