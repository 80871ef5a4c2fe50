"""Everything a run needs to go on after a kill, in one safetensors file that is whole or absent. Imports torch.

Tensors are named `now.`, `first.`, `second.` and `best.` (the adapter, AdamW's two moments, the best adapter so far)
followed by the weight's name; the file's header carries the rest as JSON. No pickle is written or read. Random numbers
need no state: every step seeds its own.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from levers.ledger import write_atomic

Weights = dict[str, torch.Tensor]


@dataclass
class State:
    """How far a run has come. Sums cover the running epoch; `best_epoch` counts from 1, 0 while there is none.

    `precision` is what the run began to compute in: it goes on in that, whatever this machine would choose now.
    """

    step: int = 0
    loss_sum: float = 0.0
    loss_tokens: int = 0
    losses: list[float] = field(default_factory=list)
    dev_losses: list[float] = field(default_factory=list)
    dev_right: list[float] = field(default_factory=list)
    best_epoch: int = 0
    tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0
    stopped: bool = False
    precision: str = ""


def save_checkpoint(
    path: Path, state: State, adapter: dict[str, torch.nn.Parameter], optimizer: torch.optim.AdamW, best: Weights
) -> None:
    """Write the checkpoint in one step."""
    tensors: Weights = {f"best.{name}": tensor for name, tensor in best.items()}
    for name, weight in adapter.items():
        tensors[f"now.{name}"] = weight.detach()
        moments = optimizer.state.get(weight)
        if moments:
            tensors[f"first.{name}"], tensors[f"second.{name}"] = moments["exp_avg"], moments["exp_avg_sq"]
    whole = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, save(whole, metadata={"state": json.dumps(asdict(state))}))


def load_checkpoint(
    path: Path, adapter: dict[str, torch.nn.Parameter], optimizer: torch.optim.AdamW
) -> tuple[State, Weights] | None:
    """Put a checkpoint back into the adapter and the optimizer; None when there is none that fits."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        state = State(**header)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    if any(f"now.{name}" not in tensors for name in adapter):
        return None
    for name, weight in adapter.items():
        weight.data.copy_(tensors[f"now.{name}"])
        if f"first.{name}" in tensors:
            optimizer.state[weight] = {
                "step": torch.tensor(float(state.step)),
                "exp_avg": tensors[f"first.{name}"].to(weight.device),
                "exp_avg_sq": tensors[f"second.{name}"].to(weight.device),
            }
    best = {name.removeprefix("best."): tensor for name, tensor in tensors.items() if name.startswith("best.")}
    return state, best
