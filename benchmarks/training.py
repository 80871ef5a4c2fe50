"""Tuning against TRL's SFTTrainer: the same model, examples, batch size, LoRA and machine, in the same run.

    python -m venv peers/trl && peers/trl/bin/pip install trl peft
    LEVERS_PEERS=peers python -m benchmarks training

First both take the same batches at the same rates from the same start: the loss of every step must agree. Then each is
timed over its second epoch, in tokens that are no padding. TRL runs at its own defaults (batch size apart, which is
eight in both), then at each of the settings that could be faster on a CPU; the fastest counts as its best. The model is
Qwen-shaped with random weights. One set of examples shares a brief of some 250 tokens, the other shares nothing.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import Row, Skipped
from benchmarks.peers import FOLDER
from levers.errors import MissingExtra
from levers.ledger import Message
from levers.tuning import Progress, Recipe, Sample, fit
from levers.tuning.encode import Encoder, schedule

EXAMPLES, BATCH, EPOCHS, REPEATS = 32, 8, 2, 3
DEFAULTS_GOAL, BEST_GOAL, CURVE = 1.5, 1.0, 0.01
SHAPE = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 4}
SUPPORT = Path(__file__).parents[1] / "src/levers/examples/support"
PLAIN: dict[str, Any] = {"gradient_checkpointing": False}
TRICKS: dict[str, dict[str, Any]] = {
    "sorted by length": {"train_sampling_strategy": "group_by_length"},
    "packed": {"packing": True},
}


def measure() -> list[Row]:
    """Measure both sets of examples."""
    python = FOLDER / "trl" / "bin" / "python"
    if not python.exists():
        raise Skipped("there is no environment with TRL under $LEVERS_PEERS; benchmarks/training.py says how")
    sets = {"one brief": _samples(shared=True), "nothing shared": _samples(shared=False)}
    rows = []
    with tempfile.TemporaryDirectory() as scratch, _Peer(python) as peer:
        for name, samples in sets.items():
            try:
                contest = _Contest(samples, Path(scratch) / name.replace(" ", "-"), peer)
            except ImportError as error:
                raise Skipped(str(MissingExtra(error.name or "torch", "local"))) from error
            rows += contest.rows(name)
    return rows


class _Peer:
    """TRL's environment at work: one process for all jobs, so that every run finds everything loaded."""

    def __init__(self, python: Path) -> None:
        own = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [str(python.absolute()), str(Path(__file__).with_name("training_peer.py"))]
        self._told = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed on leaving)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._told, env={**own, **quiet}, text=True
        )

    def __enter__(self) -> "_Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._told.close()

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Train as a job says."""
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._told.seek(0)
            raise RuntimeError(self._told.read()[-2000:])
        return dict(json.loads(line))


class _Contest:
    """Both trainers on one set of samples."""

    def __init__(self, samples: list[Sample], folder: Path, peer: _Peer) -> None:
        from levers.model.machine import bfloat16_is_faster
        from levers.tuning.base import open_base
        from levers.tuning.train import rate_share

        self.samples, self.folder, self.peer = samples, folder, peer
        self.recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, max_length=1024)
        self.base = _write_model(folder / "base", samples)
        start = open_base(self.base, self.recipe)
        start.save(folder / "start")
        encoder = Encoder(start.tokenizer, start.end_tokens)
        self.ids = [encoder.encode(sample) for sample in samples]
        plan = schedule([item.length for item in self.ids], BATCH, EPOCHS, self.recipe.seed)
        self.order = [place for epoch in plan for batch in epoch for place in batch]
        steps = sum(len(epoch) for epoch in plan)
        self.rates = [self.recipe.learning_rate * rate_share(step, steps, self.recipe.warmup) for step in range(steps)]
        self.tokens = sum(item.length for item in self.ids)
        self.half = bfloat16_is_faster()

    def rows(self, name: str) -> list[Row]:
        """Check the losses, look for TRL's fastest settings, then time in turns."""
        gap = self._gap()
        best, settings = self._best()
        times: dict[str, list[float]] = {"levers": [], "defaults": [], "best": []}
        for turn in range(REPEATS):
            times["levers"].append(self._levers(turn)[0])
            times["defaults"].append(self._trl({})["seconds"])
            times["best"].append(self._trl(settings)["seconds"])
        ours, defaults, fastest = (self.tokens / median(each) for each in times.values())
        what = f"{EXAMPLES} examples of {self.tokens // EXAMPLES} tokens, {name}"
        speed = "tokens/s"
        return [
            Row("training", what, ours, "TRL at its defaults", defaults, speed, f"goal: {DEFAULTS_GOAL} at least"),
            Row("training", what, ours, f"TRL at its best ({best})", fastest, speed, f"goal: {BEST_GOAL} at least"),
            Row(
                "training",
                f"{what}: largest gap of a step's loss on the same batches, of {len(self.rates)} steps",
                gap * 1e3,
                "tolerance",
                CURVE * 1e3,
                "millinats",
                "below 1: equal",
            ),
        ]

    def _gap(self) -> float:
        """Return the largest difference of a step's loss, over the same batches at the same rates."""
        same = {**PLAIN, "bf16": self.half, "train_sampling_strategy": "sequential", "num_train_epochs": 1}
        theirs = self._trl({**same, "logging_steps": 1}, self.order, self.rates)["losses"]
        ours = self._levers(-1)[1]
        if len(ours) != len(theirs):
            raise RuntimeError(f"{len(ours)} steps of levers, {len(theirs)} of TRL")
        return max(abs(one - other) for one, other in zip(ours, theirs, strict=True))

    def _best(self) -> tuple[str, dict[str, Any]]:
        """Return TRL's fastest settings: no checkpointing, the better precision, then each trick in turn."""
        tried = {
            f"no checkpointing, {name}": {**PLAIN, "bf16": half} for name, half in (("bf16", True), ("fp32", False))
        }
        seconds = {name: self._trl(settings)["seconds"] for name, settings in tried.items()}
        first = min(seconds, key=lambda name: seconds[name])
        for trick, more in TRICKS.items():
            name = f"{first}, {trick}"
            tried[name] = {**tried[first], **more}
            if trick == "packed":  # rows of many examples: as many tokens to a step as elsewhere
                fits = max(1, round(BATCH * self.tokens / EXAMPLES / 1024))
                tried[name] |= {"max_length": 1024, "per_device_train_batch_size": fits}
            seconds[name] = self._trl(tried[name])["seconds"]
        best = min(seconds, key=lambda name: seconds[name])
        return best, tried[best]

    def _levers(self, turn: int) -> tuple[float, list[float]]:
        """Return the seconds of the second epoch and the loss of every step."""
        ends: list[float] = []
        losses: list[float] = []

        def note(now: Progress) -> None:
            ends.append(time.perf_counter())
            losses.append(now.loss)

        fit(str(self.base), self.samples, (), self.recipe, self.folder / f"levers{turn}", note)
        return ends[-1] - ends[len(ends) // EPOCHS - 1], losses

    def _trl(
        self, settings: dict[str, Any], order: Sequence[int] | None = None, rates: Sequence[float] = ()
    ) -> dict[str, Any]:
        import torch

        chosen = [self.ids[place] for place in (order or range(len(self.ids)))]
        job = {
            "base": str(self.base),
            "adapter": str(self.folder / "start"),
            "folder": str(self.folder / "trl"),
            "rows": [[list(item.prompt), list(item.answer)] for item in chosen],
            "rates": list(rates),
            "threads": torch.get_num_threads(),
            "settings": {
                "per_device_train_batch_size": BATCH,
                "num_train_epochs": EPOCHS,
                "learning_rate": self.recipe.learning_rate,
                **settings,
            },
        }
        return self.peer.run(job)


def _samples(shared: bool) -> list[Sample]:
    """Return questions over a passage of the shop's documents; `shared` puts the brief before each."""
    rows = [json.loads(line) for line in (SUPPORT / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    brief = (SUPPORT / "brief.md").read_text(encoding="utf-8")
    random.Random(4).shuffle(rows)
    samples = []
    for row in [row for row in rows if row.get("evidence")][:EXAMPLES]:
        question, answer = (turn["content"] for turn in row["messages"][-2:])
        page = (SUPPORT / row["evidence"][0].partition("#")[0]).read_text(encoding="utf-8")
        asked = Message(role="user", content=f"{page[:900]}\n\n{question}")
        head = (Message(role="system", content=brief),) if shared else ()
        samples.append(Sample(messages=(*head, asked), answer=answer))
    return samples


def _write_model(folder: Path, samples: Sequence[Sample]) -> Path:
    """Write a Qwen-shaped model with random weights, and a tokenizer trained on the shop's own documents."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    texts = [turn.content for sample in samples for turn in sample.messages] + [sample.answer for sample in samples]
    alphabet, special = pre_tokenizers.ByteLevel.alphabet(), ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|bot|>"]
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=8000, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<|pad|>", eos_token="<|end|>")
    tokenizer.chat_template = (
        "{% for m in messages %}<|{{ 'bot' if m['role'] == 'assistant' else m['role'] }}|>{{ m['content'] }}"
        "{% if m['role'] == 'assistant' %}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|bot|>{% endif %}"
    )
    torch.manual_seed(2)
    config = Qwen2Config(
        vocab_size=8000, num_key_value_heads=2, max_position_embeddings=2048, eos_token_id=1, pad_token_id=0, **SHAPE
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
