"""Logit distillation: a student learns a local teacher's probabilities of each token, not its answer alone.

Hinton et al. (2015), at the level of tokens as in Kim and Rush (2016). Of each position the teacher's likeliest tokens
are kept, and the mass of the rest in one. Loads nothing heavy until called.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from levers.errors import ModelError, Problem, UserError
from levers.ledger import digest
from levers.model.weights import folder_digest
from levers.tuning.encode import Encoded, Encoder
from levers.tuning.fit import base_folder
from levers.tuning.records import Sample

if TYPE_CHECKING:
    from torch import Tensor

KEPT = 64  # tokens of a position; the rest of the vocabulary shares one number


class Soft(NamedTuple):
    """What a teacher holds of an answer: the answer's tokens [n], its likeliest tokens and log-probabilities [n, k]."""

    answer: "Tensor"
    ids: "Tensor"
    logs: "Tensor"


def soften(base: str, adapter: Path | None, samples: Sequence[Sample], folder: Path, root: Path | None = None) -> str:
    """Let a local model score answers; return the name of the file in `folder` that keeps its probabilities.

    The same teacher and samples again return the same name at once.

    Args:
        base: the teacher, as `fit` takes it.
        adapter: its adapter, None for none.
        samples: the teacher's own prompts and its answers, in the order of the student's samples.
        folder: where adapters are kept.
        root: the folder that a relative base starts from.

    Raises:
        ModelError: the teacher cannot be loaded.
    """
    import torch
    from safetensors.torch import save_file

    source = base_folder(base, root)
    parts = [
        folder_digest(source),
        folder_digest(adapter) if adapter else "",
        [[s.messages, s.answer] for s in samples],
    ]
    name = f"soft-{digest(parts).removeprefix('sha256-')}.safetensors"
    if (folder / name).is_file():
        return name
    model, encoder = _open(source, adapter)
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for place, sample in enumerate(samples):
            one = _score(model, encoder.encode(sample))
            found |= {f"{place}.{part}": tensor.contiguous() for part, tensor in one._asdict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    writing = folder / f".{name}"
    save_file(found, writing)
    writing.replace(folder / name)
    return name


def _open(source: Path, adapter: Path | None) -> tuple[Any, Encoder]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from levers.model.quiet import quietly
    from levers.tuning.base import end_tokens, open_tokenizer

    tokenizer = open_tokenizer(source)
    with quietly():
        try:
            options: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True, "local_files_only": True}
            model: Any = AutoModelForCausalLM.from_pretrained(source, **options)
            if adapter is not None:
                model = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{source.name} cannot be loaded: {error}", "name a teacher with local weights") from error
    return model.eval(), Encoder(tokenizer, end_tokens(model, tokenizer))


def _score(model: Any, item: Encoded) -> Soft:
    import torch

    ids = torch.tensor([[*item.prompt, *item.answer]])
    count = len(item.answer)
    logs = model(input_ids=ids, use_cache=False).logits[0, -count - 1 : -1].float().log_softmax(-1)
    best, places = logs.topk(min(KEPT, logs.shape[-1]), dim=-1)
    return Soft(torch.tensor(item.answer), places, best)


def read_soft(path: Path, count: int) -> list[Soft]:
    """Read what a teacher held of each of `count` answers.

    Raises:
        UserError: the file is of another number of samples.
    """
    from safetensors.torch import load_file

    tensors = load_file(path)
    if len(tensors) != count * len(Soft._fields):
        found = f"{len(tensors) // len(Soft._fields)} answers of the teacher"
        raise UserError(Problem(file=path.name, found=found, expected=f"{count}, one for each sample"))
    return [Soft(*(tensors[f"{place}.{part}"] for part in Soft._fields)) for place in range(count)]


def check_tokens(soft: Soft, answer: Sequence[int], line: int) -> None:
    """Raise UserError unless teacher and student write an answer in the same tokens."""
    if soft.answer.tolist() != list(answer):
        found, hint = "another tokenizer than the student's", "leave soft at 0: the student learns the answers alone"
        raise UserError(
            Problem(file="the teacher", line=line or None, found=found, expected="the same tokens", hint=hint)
        )


def divergence(scores: "Tensor", soft: Soft) -> "Tensor":
    """Return the sum over positions of KL(teacher || student) in nats, what is not kept counted as one token.

    Args:
        scores: the student's scores, [n, vocabulary].
        soft: what the teacher holds of the same n positions.
    """
    logs = scores.log_softmax(-1).gather(-1, soft.ids.to(scores.device))
    theirs = soft.logs.to(scores.device)
    kept = (theirs.exp() * (theirs - logs)).sum()
    rest, own = ((1 - each.exp().sum(-1)).clamp(min=1e-6) for each in (theirs, logs))
    total: Tensor = kept + (rest * (rest / own).log()).sum()
    return total
