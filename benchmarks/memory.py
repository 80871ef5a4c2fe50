"""Peak memory of real training steps and of serving, against the estimate from the shape alone.

Every case runs in a process of its own on the CPU, with random weights and a small shape. The peak is that of PyTorch's
own allocator, read from the events of its profiler. QLoRA needs bitsandbytes and is left out where it is absent; the
weights it keeps in 4 bits are put back into 16 by its own CPU kernels.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks import Row, Skipped
from levers.economics import Shape, Training, serving_memory, training_memory

SMALL = Shape(name="small", hidden=256, layers=4, heads=8, kv_heads=2, head_size=32, inner=688, vocabulary=8000)
DEEP = Shape(name="deep", hidden=384, layers=8, heads=6, kv_heads=6, head_size=64, inner=1024, vocabulary=2000)
WIDE = Shape(name="wide", hidden=1024, layers=2, heads=16, kv_heads=4, head_size=64, inner=4096, vocabulary=1000)
SECONDS = 300


@dataclass(frozen=True)
class Case:
    """One run: a shape, and how it is trained; without training it is served at so many bytes a weight."""

    shape: Shape
    training: Training | None
    batch: int = 2
    tokens: int = 256
    size: int = 4

    @property
    def words(self) -> str:
        if self.training is None:
            return f"{self.shape.name}: serve {self.batch} x {self.tokens} tokens, {self.size} bytes a weight"
        how = self.training
        checkpointed = ", checkpointed" if how.checkpointing else ""
        return f"{self.shape.name}: {how.method}, {how.batch} x {how.tokens} tokens, {how.precision}{checkpointed}"

    @property
    def estimate(self) -> float:
        if self.training is not None:
            return training_memory(self.shape, self.training).peak
        at_once = self.batch * self.tokens
        return serving_memory(self.shape, self.batch, self.tokens + 4, self.size, self.size, prefill=at_once).peak


def cases() -> list[Case]:
    """Every method, both precisions, with and without checkpointing, over three shapes."""
    plain = {"batch": 2, "tokens": 256, "precision": "float32"}
    changes: list[tuple[Shape, dict[str, Any]]] = [
        (SMALL, {"method": "full"}),
        (SMALL, {"method": "full", "precision": "mixed"}),
        (SMALL, {"method": "lora"}),
        (SMALL, {"method": "lora", "precision": "bfloat16", "checkpointing": True}),
        (SMALL, {"method": "prompt"}),
        (SMALL, {"method": "prefix"}),
        (DEEP, {"method": "full"}),
        (DEEP, {"method": "full", "checkpointing": True}),
        (DEEP, {"method": "lora", "targets": ("q", "v")}),
        (DEEP, {"method": "prefix", "precision": "bfloat16"}),
        (WIDE, {"method": "full", "precision": "bfloat16"}),
        (WIDE, {"method": "lora"}),
    ]
    if find_spec("bitsandbytes"):
        changes += [(WIDE, {"method": "qlora", "precision": "bfloat16"})]
    found = [Case(shape, Training.model_validate({**plain, **more})) for shape, more in changes]
    served = [Case(shape, None, batch, 512, size) for shape, batch in ((SMALL, 2), (DEEP, 4)) for size in (4, 2)]
    return [*found, *served]


def measure() -> list[Row]:
    """Run every case in a process of its own."""
    if not (find_spec("torch") and find_spec("peft")):
        raise Skipped("torch and peft are not installed")
    return [_row(each) for each in cases()]


def _row(case: Case) -> Row:
    code = "import sys; from benchmarks import memory; memory.run_one(int(sys.argv[1]))"
    place = cases().index(case)
    done = subprocess.run(
        [sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise Skipped(f"{case.words}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    peak = json.loads(lines[-1])["peak"]
    error = case.estimate / peak - 1
    return Row(
        "memory",
        case.words,
        peak / 1e6,
        "the estimate from the shape",
        case.estimate / 1e6,
        "MB",
        f"off by {error:+.1%}",
    )


def run_one(place: int) -> None:
    """Measure one case in this process and print its peak in bytes."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    case = cases()[place]
    torch.manual_seed(0)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        train(case.shape, case.training) if case.training else serve(case)
    live = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    print(json.dumps({"peak": peak}))


def train(shape: Shape, how: Training) -> None:
    """Take two steps: at the second the optimizer has its states."""
    import torch

    model = _adapted(_model(shape, how), how)
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learning)
    tokens = torch.randint(0, shape.vocabulary, (how.batch, how.tokens))
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16, enabled=how.precision == "mixed"):
            loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
        loss.backward()
        del loss
        optimizer.step()
        optimizer.zero_grad()


def serve(case: Case) -> None:
    """Read prompts at once, then write four tokens."""
    import torch

    how = Training(method="lora", precision="float32" if case.size == 4 else "bfloat16")
    with torch.inference_mode():
        model = _model(case.shape, how).eval()
        asked = torch.randint(0, case.shape.vocabulary, (case.batch, case.tokens))
        said = model(input_ids=asked, use_cache=True, logits_to_keep=1)
        for _ in range(4):
            past, asked = said.past_key_values, said.logits.argmax(-1)
            said = model(input_ids=asked, past_key_values=past, use_cache=True, logits_to_keep=1)


def _model(shape: Shape, how: Training) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        intermediate_size=shape.inner,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=shape.tied,
    )
    torch.set_default_dtype(torch.bfloat16 if how.precision == "bfloat16" else torch.float32)
    model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    if how.method == "qlora":
        _quantise(model)
    if how.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if how.method != "full":
            model.enable_input_require_grads()
    return model.train()


def _quantise(model: Any) -> None:
    """Put every linear layer of the blocks into NF4 with double quantisation."""
    import torch
    from bitsandbytes.nn import Linear4bit

    for block in model.model.layers:
        for owner in (block.self_attn, block.mlp):
            for name, linear in list(owner.named_children()):
                if isinstance(linear, torch.nn.Linear):
                    small = Linear4bit(
                        linear.in_features, linear.out_features, bias=False, compute_dtype=torch.bfloat16,
                        compress_statistics=True, quant_type="nf4",
                    )  # fmt: skip
                    small.load_state_dict(linear.state_dict())
                    setattr(owner, name, small.to("cpu"))


def _adapted(model: Any, how: Training) -> Any:
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model

    if how.method == "full":
        return model
    if how.method == "prefix":
        config: Any = PrefixTuningConfig(num_virtual_tokens=how.virtual_tokens, task_type="CAUSAL_LM")
    elif how.method == "prompt":
        config = PromptTuningConfig(num_virtual_tokens=how.virtual_tokens, task_type="CAUSAL_LM")
    else:
        targets = [f"{name}_proj" for name in how.targets]
        config = LoraConfig(r=how.rank, lora_alpha=2 * how.rank, target_modules=targets, task_type="CAUSAL_LM")
    return get_peft_model(model, config)
