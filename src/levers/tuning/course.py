"""The tuning of a small encoder with its heads: batches, rates, and the epoch that is best on held-out pairs."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from levers.tuning.encode import schedule

if TYPE_CHECKING:
    from torch import Tensor

    from levers.tuning.students import Lesson, Pair

_WARMUP = 0.06  # share of steps with rising rate, as in a recipe
_CLIP = 1.0

Weights = dict[str, Any]
OnStep = Callable[[int, int], None]


def run_course(
    parts: Sequence[tuple[Any, float]],
    kept: Sequence["Pair"],
    lesson: "Lesson",
    loss: Callable[[Sequence["Pair"]], "Tensor"],
    check: Callable[[], float] | None,
    on_step: OnStep | None,
) -> tuple[float, int]:
    """Train every epoch, leave the parts with the weights of the best one; return its share right and its number.

    Args:
        parts: modules that learn, the encoder first, each with its peak rate.
        kept: the pairs to learn from.
        lesson: how.
        loss: of a batch of pairs, to be differentiated.
        check: the share of held-out pairs that are right now; None where none are held out: then the last epoch stays.
        on_step: hears how many steps of how many are done.
    """
    import torch

    from levers.tuning.train import rate_share

    plan = schedule([len(pair.text) for pair in kept], lesson.batch_size, lesson.epochs, lesson.seed)
    steps, step = sum(len(epoch) for epoch in plan), 0
    learning = [[each for each in part.parameters() if each.requires_grad] for part, _ in parts]
    optimizer = torch.optim.AdamW(
        [{"params": own, "lr": rate} for own, (_, rate) in zip(learning, parts, strict=True)], fused=True
    )
    best: tuple[float, int, list[Weights]] = (-1.0, 0, [])
    for epoch, batches in enumerate(plan, 1):
        for batch in batches:
            for group, (_, peak) in zip(optimizer.param_groups, parts, strict=True):
                group["lr"] = peak * rate_share(step, steps, _WARMUP)
            loss([kept[at] for at in batch]).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(learning[0], _CLIP)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            if on_step:
                on_step(step, steps)
        right = check() if check else 1.0
        if right > best[0] or check is None:
            best = (right, epoch, [_copy(part) for part, _ in parts])
    for (part, _), weights in zip(parts, best[2], strict=True):
        part.load_state_dict(weights)
    return best[0], best[1]


def _copy(module: Any) -> Weights:
    return {name: weight.detach().clone() for name, weight in module.state_dict().items()}
