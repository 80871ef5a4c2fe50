"""Trains pocket: one command, resumable at any instant, the data and their order fixed by a seed.

    python recipes/pocket/train.py WORK --pools 400 --helpers 1

WORK receives the tokenizer, `state.pt` (replaced atomically), `log.jsonl` and after each evaluation `export/`.
"""

import argparse
import json
import os
import random
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import vocabulary
from beginning import finished_weights, start_model
from encoding import Batch, collate, encode, grouped
from evaluate import quick_evaluation
from tasks import draw
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import GenerationConfig, PreTrainedTokenizerFast

from levers.model.machine import bfloat16_is_faster, give_back, keep_memory
from levers.model.pocket.masking import attention_visibility, block_visibility, fold_passages
from levers.model.pocket.modeling import PocketForCausalLM, pick_labelled

POOL, TOKENS, TOGETHER, PEAK, WARMUP, SEED, POINTER = 192, 3072, 1, 3e-4, 60, 7, 0.3
DROPOUT = 0.1  # while training only; questions are seen several times
START_WEIGHT = 3.0  # of the reply tokens where copying begins: there the answer is found or missed
SPAN = 1.0  # weight of marking where the answer begins and ends in the prompt
MEMORY = 0.998  # of the running mean of the weights, each step: about the last 24 pools. The mean is what is shipped


class Scored(NamedTuple):
    """The reply tokens of a batch: log-probabilities, attention, their places, which places are real; all states."""

    logp: torch.Tensor
    attention: torch.Tensor
    where: torch.Tensor
    real: torch.Tensor
    states: torch.Tensor


def pool_batches(pool: int, progress: float, tokenizer: PreTrainedTokenizerFast, toggle: list[int]) -> list[Batch]:
    """Return the batches of one pool of examples, near in length, in a drawn order."""
    coded = [encode(tokenizer, draw(SEED, pool * POOL + number, progress).example, toggle) for number in range(POOL)]
    items = sorted((item for item in coded if item is not None), key=lambda item: len(item.ids))
    groups = grouped(items, TOKENS)
    random.Random(f"{SEED}/order/{pool}").shuffle(groups)
    return [collate(group) for group in groups]


def score_replies(model: PocketForCausalLM, batch: Batch, offset: torch.Tensor | int = 0) -> Scored:
    """Read a batch, its positions moved on by `offset`, and score the tokens of its replies."""
    passage, shift = fold_passages(batch.ids, model.config)
    visible = attention_visibility(block_visibility(batch.ids, model.config, passage), batch.mask, 0)
    positions = torch.arange(batch.ids.shape[1])[None] - shift + offset
    states = model.encode(model.embeddings(batch.ids), visible, positions)
    keys = model.head.keys(states)
    picked = pick_labelled(batch.labels)
    ids = batch.ids.masked_fill(batch.mask == 0, -1)
    logp, attention = model.score_labelled(states, keys, visible & (ids >= 0)[:, None, :], ids, picked)
    return Scored(logp, attention, picked[0], picked[2], states)


def start_weights(sources: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Return the weights of reply tokens, [batch, most]: more where a copied stretch begins.

    `sources` is a batch's, [batch, length]; `where` the positions that predict, as `pick_labelled` gives them. The next
    token of a stretch is nearly certain, so at equal weights it hides what has to be learnt. Where copying ends nothing
    may weigh more: the odds of ending would be too high by as much, and answers too short.
    """
    here, before = sources[:, 1:].gather(1, where), sources[:, :-1].gather(1, where)
    begins = (here >= 0) & ((before < 0) | (here != before + 1))
    return torch.where(begins, START_WEIGHT, 1.0)


def span_loss(model: PocketForCausalLM, states: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return how badly the prompt's own states mark the answer's first and last token: mean cross-entropy of the two.

    As readers that point out spans are taught (Devlin et al.: BERT, 2019); a missing answer is marked at the role
    token before the reply. Taught by replies alone it took many times as many questions: docs/lab/pocket.md.
    """
    asked = batch.spans[:, 0] >= 0
    if not asked.any():
        return states.sum() * 0.0
    marks = model.head.span(states[asked]).float().masked_fill(batch.mask[asked][..., None] == 0, -1e4)
    return functional.cross_entropy(marks, batch.spans[asked])


def batch_loss(model: PocketForCausalLM, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the loss of a batch: likelihood of the replies, where the copy head should look, where answers stand."""
    count, length = batch.ids.shape
    model.head.sample(model.embeddings.token_base[batch.ids.unique()].long())
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_faster()):
        # Random offsets, so that every row of the position table is used.
        room = model.config.max_position_embeddings - length
        offset = torch.randint(0, room + 1, (count, 1)) * (torch.rand(count, 1) < 0.3)
        scored = score_replies(model, batch, offset)
        span = span_loss(model, scored.states, batch)
    weights = start_weights(batch.sources, scored.where) * scored.real
    likelihood = -(scored.logp * weights).sum() / weights.sum()
    source = batch.sources[:, 1:].gather(1, scored.where)
    pointed = weights * (source >= 0)
    found = scored.attention.gather(-1, source.clamp(min=0)[..., None])[..., 0].clamp(min=-20)
    pointer = -(found * pointed).sum() / pointed.sum().clamp(min=1)
    parts = {"loss": likelihood.item(), "pointer": pointer.item(), "span": span.item()}
    return likelihood + POINTER * pointer + SPAN * span, parts


def export(model: PocketForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a Hugging Face folder in bfloat16; what was there stays whole until the new one is complete."""
    fresh = folder.with_name(folder.name + ".new")
    twin = PocketForCausalLM(model.config)
    twin.load_state_dict(model.state_dict())
    twin.to(torch.bfloat16)
    twin.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=64, pad_token_id=0, eos_token_id=1, suppress_tokens=[0, 2, 3, 4]
    )
    twin.save_pretrained(fresh, safe_serialization=True)
    tokenizer.save_pretrained(fresh)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(fresh.iterdir()):
        os.replace(path, folder / path.name)
    fresh.rmdir()


def make_optimizer(model: PocketForCausalLM) -> torch.optim.AdamW:
    """Return AdamW; the head starts from nothing and moves faster."""
    head = [value for name, value in model.named_parameters() if name.startswith("head.") or "variants" in name]
    rest = [value for name, value in model.named_parameters() if not (name.startswith("head.") or "variants" in name)]
    groups = [{"params": rest, "times": 1.0}, {"params": head, "times": 2.5}]
    return torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01, fused=True)


class Mailbox:
    """Hands gradients from helper processes to the trainer: a shared flat buffer each, full or empty."""

    def __init__(self, size: int, helpers: int) -> None:
        """Create a buffer of `size` numbers for each helper."""
        self.buffers = [torch.zeros(size).share_memory_() for _ in range(helpers)]
        # [0] micro-batches in the buffer (0: empty), [1] to [3] their summed losses, [4] their tokens
        self.notes = torch.zeros(max(1, helpers), 5, dtype=torch.float64).share_memory_()


class Shared(NamedTuple):
    """What the processes of a run share: the next pool to take, the length of the run, and the mailbox."""

    next_pool: Any
    pools: int
    mailbox: Mailbox


def take_pool(shared: Shared) -> int | None:
    """Return the number of the next pool, None after the last."""
    with shared.next_pool.get_lock():
        pool = int(shared.next_pool.value)
        if pool >= shared.pools:
            return None
        shared.next_pool.value = pool + 1
        return pool


def flat_gradient(model: PocketForCausalLM) -> list[torch.Tensor]:
    """Return the gradients in a fixed order."""
    return [value.grad if value.grad is not None else torch.zeros_like(value) for value in model.parameters()]


def help_along(model: PocketForCausalLM, work: Path, shared: Shared, number: int) -> None:
    """Work through pools on the shared parameters and post gradients whenever the mailbox is empty."""
    torch.set_num_threads(1)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    toggle = np.load(work / "tokenizer/rows.npz")["toggle"].tolist()
    buffer, note = shared.mailbox.buffers[number], shared.mailbox.notes[number]
    held = torch.zeros(5, dtype=torch.float64)
    while (pool := take_pool(shared)) is not None:
        torch.manual_seed(SEED * 1000 + pool)
        for batch in pool_batches(pool, pool / shared.pools, tokenizer, toggle):
            loss, parts = batch_loss(model, batch)
            loss.backward()
            held += torch.tensor([1.0, *parts.values(), float(batch.mask.sum())])
            if note[0] == 0:
                torch.cat([value.flatten() for value in flat_gradient(model)], out=buffer)
                note[1:] = held[1:]
                note[0] = held[0]
                held.zero_()
                for value in model.parameters():
                    value.grad = None
        give_back()


class Start(NamedTuple):
    """Where a run begins: finished weights or None for MiniLM, the first pool to train on, the highest rate."""

    weights: Path | None
    pool: int
    peak: float


class Trainer:
    """Holds what a run needs and what survives a kill.

    With helpers, each core works on its own small batches and a step is taken when enough gradients are in, so a core
    that other work slows down holds nothing up; the order of updates then depends on the load of the machine.
    """

    def __init__(self, work: Path, pools: int, helpers: int, start: Start) -> None:
        """Load the last state of a folder, or begin: from MiniLM or from finished weights."""
        self.work, self.start = work, start
        if not (work / "tokenizer/rows.npz").exists():
            vocabulary.write(work / "tokenizer")
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
        self.toggle = np.load(work / "tokenizer/rows.npz")["toggle"].tolist()
        torch.manual_seed(SEED)
        self.model = start_model(work / "tokenizer").train()
        self.optimizer = make_optimizer(self.model)
        self.step, done = 0, start.pool
        if start.weights is not None:
            self.model.load_state_dict(finished_weights(start.weights, self.model))
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = DROPOUT
        self.mean = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(MEMORY))
        if (work / "state.pt").exists():
            state = torch.load(work / "state.pt", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.mean.load_state_dict(state["mean"])
            self.step, done = state["step"], state["pool"]
        self.model.share_memory()
        size = sum(value.numel() for value in self.model.parameters())
        self.shared = Shared(torch.multiprocessing.get_context("fork").Value("i", done), pools, Mailbox(size, helpers))
        context = torch.multiprocessing.get_context("fork")
        self.helpers = [
            context.Process(target=help_along, args=(self.model, work, self.shared, number), daemon=True)
            for number in range(helpers)
        ]
        self.sums, self.waiting = torch.zeros(5, dtype=torch.float64), 0.0

    def save(self) -> None:
        """Replace the state on disk."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mean": self.mean.state_dict(),
            "pool": self.shared.next_pool.value,
            "step": self.step,
        }
        torch.save(state, self.work / "state.new")
        os.replace(self.work / "state.new", self.work / "state.pt")

    def log(self, **row: Any) -> None:
        """Append a line to the log."""
        with (self.work / "log.jsonl").open("a") as stream:
            stream.write(
                json.dumps({"pool": self.shared.next_pool.value, "step": self.step, "at": round(time.time())} | row)
                + "\n"
            )

    def collect(self) -> None:
        """Add the gradients that helpers have posted."""
        for buffer, note in zip(self.shared.mailbox.buffers, self.shared.mailbox.notes, strict=False):
            if note[0] == 0:
                continue
            at = 0
            for value in self.model.parameters():
                piece = buffer[at : at + value.numel()].view_as(value)
                value.grad = piece.clone() if value.grad is None else value.grad.add_(piece)
                at += value.numel()
            self.sums += note
            self.waiting += float(note[0])
            note[0] = 0

    def update(self, progress: float) -> None:
        """Take one step with the mean of the gradients at hand."""
        rate = self.start.peak * min(1.0, (self.step + 1) / WARMUP) * max(0.02, 1 - progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        for value in self.model.parameters():
            if value.grad is not None:
                value.grad /= self.waiting
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.mean.update_parameters(self.model)
        self.step += 1
        self.waiting = 0.0

    def run_pool(self, pool: int) -> None:
        """Train on one pool, taking in what helpers post meanwhile."""
        began = time.time()
        self.sums.zero_()
        torch.manual_seed(SEED * 1000 + pool)
        batches = pool_batches(pool, pool / self.shared.pools, self.tokenizer, self.toggle)
        for number, batch in enumerate(batches):
            loss, parts = batch_loss(self.model, batch)
            loss.backward()
            self.sums += torch.tensor([1.0, *parts.values(), float(batch.mask.sum())])
            self.waiting += 1
            self.collect()
            if self.waiting >= TOGETHER:
                self.update((pool - self.start.pool + number / len(batches)) / (self.shared.pools - self.start.pool))
        give_back()
        count, loss_sum, pointer, span, tokens = self.sums.tolist()
        seconds = time.time() - began
        self.log(
            loss=round(loss_sum / count, 4),
            pointer=round(pointer / count, 4),
            span=round(span / count, 4),
            seconds=round(seconds, 1),
            tokens_per_second=round(tokens / seconds),
        )

    def run(self, every: float) -> None:
        """Train to the last pool; save about each two minutes, evaluate and export each `every` seconds."""
        for number in range(64):  # every family of tasks reads its data here, once for all processes
            draw(SEED, number, 0.0)
        for helper in self.helpers:
            helper.start()
        saved = evaluated = time.time()
        while (pool := take_pool(self.shared)) is not None:
            self.run_pool(pool)
            if time.time() - saved > 120:
                self.save()
                saved = time.time()
            if time.time() - evaluated > every:
                self.evaluate()
                evaluated = time.time()
        for helper in self.helpers:
            helper.join()
        self.collect()
        self.update(1.0)
        self.save()
        self.evaluate()

    def evaluate(self) -> None:
        """Export and log the figures of a small sample."""
        export(self.mean.module, self.tokenizer, self.work / "export")
        self.log(evaluation=quick_evaluation(self.work / "export"))


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pools", type=int, default=400, help=f"length of training, in pools of {POOL} examples")
    parser.add_argument("--start", type=Path, default=None, help="finished weights to go on from; MiniLM by default")
    parser.add_argument("--first", type=int, default=0, help="the first pool to train on")
    parser.add_argument("--peak", type=float, default=PEAK, help="highest learning rate; it falls to nothing")
    parser.add_argument("--helpers", type=int, default=0, help="further processes, one a core")
    parser.add_argument("--evaluate-every", type=float, default=600, help="seconds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    start = Start(arguments.start, arguments.first, arguments.peak)
    keep_memory()
    bfloat16_is_faster()  # before the helpers start, so that all compute alike
    Trainer(arguments.work, arguments.pools, arguments.helpers, start).run(arguments.evaluate_every)


if __name__ == "__main__":
    main()
