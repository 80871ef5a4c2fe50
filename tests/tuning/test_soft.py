"""Logit distillation: the divergence by hand, a student that comes nearer to its teacher, other tokens refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from levers.errors import UserError
from levers.tuning import Recipe, Sample, fit

pytest.importorskip("peft")
Pairs = Callable[..., list[Sample]]


def quick(**changes: Any) -> Recipe:
    return Recipe(epochs=8, batch_size=4, learning_rate=1e-2, r=4, alpha=8, **changes)


def test_the_divergence_is_that_of_the_kept_tokens_and_the_rest() -> None:
    import torch

    from levers.tuning.soft import Soft, divergence

    teacher, student = torch.tensor([[0.5, 0.3, 0.15, 0.05]]), torch.tensor([[0.25, 0.25, 0.3, 0.2]])
    soft = Soft(torch.tensor([0]), torch.tensor([[0, 1]]), teacher[:, :2].log())
    by_hand = 0.5 * torch.tensor(2.0).log() + 0.3 * torch.tensor(1.2).log() + 0.2 * torch.tensor(0.4).log()
    assert float(divergence(student.log(), soft)) == pytest.approx(float(by_hand), abs=1e-5)
    assert float(divergence(teacher.log(), soft)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("make", ["llama", "pocket"])
def test_a_student_comes_nearer_to_the_teachers_probabilities(
    make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs
) -> None:
    import torch
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    from levers.tuning.base import open_base
    from levers.tuning.encode import Encoder
    from levers.tuning.loss import batch_loss
    from levers.tuning.soft import read_soft, soften

    teacher = fit(str(bases[make]), pairs(16), (), quick(), tmp_path)
    samples = pairs(8, skip=3)
    name = soften(str(bases[make]), teacher.adapter, samples, tmp_path)
    assert soften(str(bases[make]), teacher.adapter, samples, tmp_path) == name
    hard = fit(str(bases[make]), samples, (), quick(), tmp_path)
    soft = fit(str(bases[make]), samples, (), quick(soft=1.0, taught=name), tmp_path)
    assert soft.adapter != hard.adapter
    held = read_soft(tmp_path / name, 8)
    apart = []
    for fitted in (hard, soft):
        base = open_base(bases[make], quick())

        set_peft_model_state_dict(base.model, load_file(fitted.adapter / "adapter_model.safetensors"))
        encoder = Encoder(base.tokenizer, base.end_tokens)
        batch = [encoder.encode(sample) for sample in samples]

        with torch.no_grad():
            taught = [replace(item, soft=one) for item, one in zip(batch, held, strict=True)]
            apart.append(float(batch_loss(base, taught, False, 1.0)[0]))
    assert apart[1] < 0.95 * apart[0]
    assert soft.losses[-1] < soft.losses[0]


def test_other_tokens_are_refused(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    from levers.tuning.soft import soften

    name = soften(str(bases["llama"]), None, pairs(4), tmp_path)
    with pytest.raises(UserError, match="another tokenizer"):
        fit(str(bases["llama"]), pairs(4, skip=9), (), quick(soft=0.5, taught=name), tmp_path)
    with pytest.raises(UserError, match="one for each sample"):
        fit(str(bases["llama"]), pairs(5), (), quick(soft=0.5, taught=name), tmp_path)
