"""TRL's SFTTrainer over ids, batches and an adapter that levers made. Run by TRL's own environment; see `training`.

Reads jobs from stdin, a line of JSON each; answers each with a line: the seconds of the second half of its steps, and
the losses it logged.
"""

import contextlib
import json
import sys
import time
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer


class Clock(TrainerCallback):  # type: ignore[misc]
    """Notes when each step ended."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Train as the job says."""
    torch.set_num_threads(job["threads"])
    model = AutoModelForCausalLM.from_pretrained(job["base"], dtype=torch.float32)
    model = PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)
    rows = [{"input_ids": prompt + answer, "completion_mask": [0] * len(prompt) + [1] * len(answer)}
            for prompt, answer in job["rows"]]  # fmt: skip
    settings = {"use_cpu": True, "report_to": "none", "save_strategy": "no", "disable_tqdm": True, **job["settings"]}
    config = SFTConfig(output_dir=job["folder"], completion_only_loss=True, **settings)
    optimizers: tuple[Any, Any] = (None, None)
    if job["rates"]:
        optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1.0, weight_decay=0.0)
        rates = [*job["rates"], 0.0]
        optimizers = (optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rates[step]))
    clock = Clock()
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(job["base"]),
        callbacks=[clock],
        optimizers=optimizers,
    )
    trainer.train()
    half = len(clock.ends) // 2
    losses = [each["loss"] for each in trainer.state.log_history if "loss" in each]
    return {"seconds": clock.ends[-1] - clock.ends[half - 1], "steps": len(clock.ends), "losses": losses}


if __name__ == "__main__":
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            print(json.dumps(main(json.loads(line))), file=answers, flush=True)
