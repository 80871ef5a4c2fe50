"""Sharpening a tiny encoder: it learns, repeats itself, keeps nothing that does not help, leaves nothing half done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tuning.conftest import COLOURS, THINGS

from levers.errors import ModelError
from levers.tuning import Material, Pair, SharpenRecipe, sharpen, split

PASSAGES = [f"the {thing} is {colour}" for thing in THINGS for colour in COLOURS]
QUICK = SharpenRecipe(epochs=3, batch_size=16, learning_rate=3e-3)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, and a tokenizer of whole words."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted({word for text in PASSAGES for word in text.split()} | {"what", "about", "a", "of", "colour"})
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *words])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(3)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    BertModel(BertConfig(vocab_size=len(vocabulary), **shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vectors(encoder: Path) -> NDArray[np.float32]:
    from levers.model.embed import MiniLM

    return MiniLM(encoder, "tiny").embed(PASSAGES, "passage")


def pairs(wording: str = "what about a {colour} {thing}") -> list[Pair]:
    return [
        Pair(question=wording.format(thing=thing, colour=colour), passages=(place,), line=place + 1)
        for place, (thing, colour) in enumerate((thing, colour) for thing in THINGS for colour in COLOURS)
    ]


def material(shift: int = 0) -> Material:
    """Every pair in one wording to learn, half of them in another to decide; `shift` makes those wrong."""
    decide = [
        pair.model_copy(update={"passages": ((pair.passages[0] + shift) % len(PASSAGES),)})
        for pair in pairs("a {thing} of colour {colour}")[::2]
    ]
    return Material(learn=tuple(pairs()), decide=tuple(decide))


def test_it_learns_and_leaves_a_folder_that_opens(encoder: Path, vectors: Any, tmp_path: Path) -> None:
    from levers.model import open_sharpened, sharpened_name

    seen: list[tuple[int, int]] = []
    done = sharpen(str(encoder), material(), vectors, QUICK, tmp_path, lambda *now: seen.append(now))
    assert seen == [(step, 9) for step in range(1, 10)]
    assert len(done.held_out) == 4 and done.best_epoch > 0
    assert done.held_out[done.best_epoch].rank == max(each.rank for each in done.held_out) > done.held_out[0].rank + 0.1
    assert [path.name for path in tmp_path.iterdir()] == [done.embedder.name]
    assert {path.suffix for path in done.embedder.iterdir()} == {".json", ".safetensors"}
    opened = open_sharpened(done.embedder)
    assert sharpened_name(opened.id) == done.embedder.name and sharpened_name("minilm@sha256-0") == ""
    questions = opened.embed([pair.question for pair in pairs()], "query")
    right = (questions @ vectors.T).argmax(1) == np.arange(len(PASSAGES))
    assert right.mean() > done.held_out[0].recall


def test_the_same_job_is_free_and_gives_the_same_bytes(encoder: Path, vectors: Any, tmp_path: Path) -> None:
    first, again = (sharpen(str(encoder), material(), vectors, QUICK, tmp_path / name) for name in "ab")
    assert _weights(first.embedder) == _weights(again.embedder)

    def fail(*now: int) -> None:
        raise AssertionError("trained twice")

    assert sharpen(str(encoder), material(), vectors, QUICK, tmp_path / "a", fail) == first
    other = sharpen(str(encoder), material(), vectors, QUICK.model_copy(update={"seed": 1}), tmp_path / "a")
    assert other.embedder != first.embedder


def test_nothing_is_kept_when_held_out_questions_do_not_gain(encoder: Path, vectors: Any, tmp_path: Path) -> None:
    still = QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    done = sharpen(str(encoder), material(shift=9), vectors, still, tmp_path)
    assert done.best_epoch == 0
    assert [path.name for path in done.embedder.iterdir()] == ["levers.json"]
    from levers.model import open_sharpened

    with pytest.raises(ModelError, match="no weights"):
        open_sharpened(done.embedder)


def test_an_interrupted_run_leaves_nothing_and_starts_again(encoder: Path, vectors: Any, tmp_path: Path) -> None:
    def stop(step: int, steps: int) -> None:
        if step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sharpen(str(encoder), material(), vectors, QUICK, tmp_path / "cut", stop)
    assert not (tmp_path / "cut").exists()
    cut, whole = (sharpen(str(encoder), material(), vectors, QUICK, tmp_path / name) for name in ("cut", "whole"))
    assert _weights(cut.embedder) == _weights(whole.embedder)


def test_loss_and_rank_are_the_definitions(encoder: Path, vectors: NDArray[np.float32]) -> None:
    from levers.model.embed import MiniLM
    from levers.tuning.contrast import _Run

    asked = [Pair(question="what about a red tent", passages=(6, 7), alike=(8, 9)), *pairs()[20:24]]
    found = _Run(encoder, vectors, QUICK).look(asked)
    losses, ranks = zip(*(_by_hand(MiniLM(encoder, "tiny"), pair, vectors) for pair in asked), strict=True)
    assert found.loss == pytest.approx(np.mean(losses), abs=1e-4)
    assert found.rank == pytest.approx(np.mean([1 / rank for rank in ranks]), abs=1e-6)
    assert found.recall == pytest.approx(np.mean([rank == 1 for rank in ranks]), abs=1e-6)


def _by_hand(tiny: Any, pair: Pair, vectors: NDArray[np.float32]) -> tuple[float, int]:
    """InfoNCE and rank for one question, over the passages that are not set aside."""
    scores = vectors @ tiny.embed([pair.question], "query")[0]
    counted = [place for place in range(len(vectors)) if place not in pair.alike]
    weights = np.exp(scores[counted] / QUICK.temperature)
    right = sum(weight for place, weight in zip(counted, weights, strict=True) if place in pair.passages)
    best = max(scores[place] for place in pair.passages)
    return -float(np.log(right / weights.sum())), 1 + sum(scores[place] > best for place in counted)


def test_every_tenth_pair_is_held_out() -> None:
    made = split(pairs())
    assert [pair.line for pair in made.decide] == [1, 11, 21, 31, 41]
    assert len(made.learn) + len(made.decide) == len(PASSAGES)


def _weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()
