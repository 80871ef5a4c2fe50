"""The training loop: AdamW, warm-up and linear decay, clipping, early stopping, checkpoints. Imports torch."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from levers.errors import Problem, UserError
from levers.tuning.base import Base
from levers.tuning.checkpoint import State, Weights, load_checkpoint, save_checkpoint
from levers.tuning.encode import Encoded, schedule
from levers.tuning.loss import batch_loss, held_out, sharing_is_exact
from levers.tuning.records import OnProgress, Progress, Recipe

CHECKPOINT_SECONDS = 10.0  # least time between two checkpoints within an epoch
_CHECKPOINT_SHARE = 0.05  # largest share of the time spent on writing them
_SEED_STRIDE = 1_000_003


@dataclass
class Job:
    """One training run: what to train, on what, and where its checkpoint lies."""

    base: Base
    train: Sequence[Encoded]
    dev: Sequence[Encoded]
    recipe: Recipe
    checkpoint: Path


def train(job: Job, on_progress: OnProgress | None) -> tuple[State, Weights]:
    """Train to the end, from the checkpoint when there is one, and return the final state and the adapter to keep.

    The same job gives the same weights on the same machine, however often it was killed between.

    Raises:
        UserError: the losses grew beyond all numbers at this learning rate.
    """
    run = _Run(job, on_progress)
    while run.state.step < run.steps and not run.state.stopped:
        run.advance()
    if not run.best and run.state.losses:
        raise _diverged(run.state.step, job.recipe)
    best = run.best or {name: weight.detach().clone() for name, weight in job.base.adapter().items()}
    return run.state, best


class _Run:
    """A run in progress."""

    def __init__(self, job: Job, on_progress: OnProgress | None) -> None:
        self.job, self.recipe, self.on_progress = job, job.recipe, on_progress
        self.adapter = job.base.adapter()
        self.optimizer = torch.optim.AdamW(_groups(self.adapter, self.recipe), weight_decay=self.recipe.weight_decay)
        lengths = [item.length for item in job.train]
        self.plan = schedule(lengths, self.recipe.batch_size, self.recipe.epochs, self.recipe.seed)
        self.per_epoch = len(self.plan[0])
        self.steps = self.per_epoch * self.recipe.epochs
        self.share = sharing_is_exact(job.base, [job.train[index] for index in self.plan[0][0]])
        kept = load_checkpoint(job.checkpoint, self.adapter, self.optimizer)
        self.state, self.best = kept or (State(precision=job.base.precision), {})
        job.base.precision = self.state.precision or job.base.precision
        self.before = time.perf_counter() - self.state.seconds
        self.saved_at, self.save_seconds = time.perf_counter(), 0.0
        if kept is None and job.dev:
            self._look()

    def advance(self) -> None:
        """Take one step; at the end of an epoch, look at the held-out samples."""
        epoch, place = divmod(self.state.step, self.per_epoch)
        batch = [self.job.train[index] for index in self.plan[epoch][place]]
        loss, count = self._step(batch)
        state = self.state
        state.step += 1
        state.loss_sum += loss * count
        state.loss_tokens += count
        state.tokens += sum(item.length for item in batch)
        state.answer_tokens += count
        ended = place + 1 == self.per_epoch
        if ended:
            self._end_epoch(epoch + 1)
        state.seconds = time.perf_counter() - self.before
        self._save(ended)
        if self.on_progress:
            dev = state.dev_losses[-1] if ended and state.dev_losses else None
            self.on_progress(
                Progress(
                    step=state.step,
                    steps=self.steps,
                    epoch=epoch + 1,
                    loss=loss,
                    dev_loss=dev,
                    tokens=state.tokens,
                    seconds=state.seconds,
                )
            )

    def _step(self, batch: Sequence[Encoded]) -> tuple[float, int]:
        step = self.state.step
        torch.manual_seed(self.recipe.seed * _SEED_STRIDE + step)
        rate = self.recipe.learning_rate * rate_share(step, self.steps, self.recipe.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        mean, total = 0.0, sum(len(item.answer) for item in batch)
        size = self.recipe.micro_batch or len(batch)
        for start in range(0, len(batch), size):
            loss, count = batch_loss(self.job.base, batch[start : start + size], self.share, self.recipe.soft)
            (loss * (count / total)).backward() if count < total else loss.backward()  # type: ignore[no-untyped-call]
            mean += float(loss.detach()) * count / total
        norm = torch.nn.utils.clip_grad_norm_(self.adapter.values(), self.recipe.max_grad_norm)
        if not (math.isfinite(mean) and math.isfinite(float(norm))):
            raise _diverged(step + 1, self.recipe)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return mean, total

    def _end_epoch(self, epoch: int) -> None:
        state = self.state
        state.losses.append(state.loss_sum / max(1, state.loss_tokens))
        state.loss_sum, state.loss_tokens = 0.0, 0
        if self.job.dev:
            self._look()
            if not self._is_best():
                waited = epoch - state.best_epoch
                state.stopped = self.recipe.patience is not None and waited >= self.recipe.patience
                return
        state.best_epoch = epoch
        self.best = {name: weight.detach().clone() for name, weight in self.adapter.items()}

    def _is_best(self) -> bool:
        """Tell whether the last epoch gets most held-out tokens right, or as many as the best one at a lower loss.

        The loss alone picks too early an epoch: it grows with how sure a model is where an answer stays open (which
        words to quote) while the tokens that can be known (a format, a label) are still being learnt.
        """
        state = self.state
        looked = list(zip(state.dev_right, (-loss for loss in state.dev_losses), strict=True))[1:]
        known = [each for each in looked if math.isfinite(each[1])]  # a loss that is no number is never the best
        return bool(known) and looked[-1] == max(known) and looked[-1] not in looked[:-1]

    def _look(self) -> None:
        """Note the loss of the held-out samples, and what share of their tokens is the likeliest."""
        ordered = sorted(self.job.dev, key=lambda item: item.length)
        size, base = self.recipe.batch_size, self.job.base
        parts = [held_out(base, ordered[start : start + size], self.share) for start in range(0, len(ordered), size)]
        tokens = max(1, sum(part.tokens for part in parts))
        self.state.dev_losses.append(sum(part.loss for part in parts) / tokens)
        self.state.dev_right.append(sum(part.right for part in parts) / tokens)

    def _save(self, ended: bool) -> None:
        waited = time.perf_counter() - self.saved_at
        if not ended and waited < max(CHECKPOINT_SECONDS, self.save_seconds / _CHECKPOINT_SHARE):
            return
        begun = time.perf_counter()
        save_checkpoint(self.job.checkpoint, self.state, self.adapter, self.optimizer, self.best)
        self.saved_at = time.perf_counter()
        self.save_seconds = self.saved_at - begun


def _diverged(step: int, recipe: Recipe) -> UserError:
    found = f"{recipe.learning_rate:g}, at which the loss is no number at step {step}: the tuning diverged"
    hint = f"lower the learning_rate, to {recipe.learning_rate / 4:.1g} for a start"
    place, expected = f"tuning by {recipe.method}", "a rate at which the loss falls"
    return UserError(Problem(file=place, field="learning_rate", found=found, expected=expected, hint=hint))


def _groups(adapter: dict[str, torch.nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """Return what learns, with the times of the rate that it learns at."""
    ahead = [weight for name, weight in adapter.items() if "lora_B" in name]
    rest = [weight for name, weight in adapter.items() if "lora_B" not in name]
    return [
        {"params": weights, "lr": recipe.learning_rate, "times": times}
        for weights, times in ((rest, 1.0), (ahead, recipe.lora_plus))
        if weights
    ]


def rate_share(step: int, steps: int, warmup: float) -> float:
    """Return the share of the peak rate at a step (from 0): a linear rise over `warmup`, then a linear fall to 0."""
    rise = max(1, round(steps * warmup))
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise + 1))
