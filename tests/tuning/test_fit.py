"""Fitting adapters on tiny models of three makes: it learns, repeats itself, and survives kills."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from levers.errors import ModelError, UserError
from levers.tuning import Progress, Recipe, Sample, fit, measure_lengths

Pairs = Callable[..., list[Sample]]
QUICK = Recipe(epochs=2, batch_size=4, learning_rate=5e-3)
MAKES = ["llama", "gpt2", "pocket"]


def weights(adapter: Path) -> bytes:
    return (adapter / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("make", MAKES)
def test_learns_and_leaves_a_peft_folder(make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    seen: list[Progress] = []
    fitted = fit(str(bases[make]), pairs(24), pairs(6, skip=24), QUICK, tmp_path, seen.append)
    assert fitted.losses[-1] < fitted.losses[0]
    assert fitted.dev_losses[-1] < fitted.dev_losses[0]
    assert (fitted.examples, fitted.steps, len(seen)) == (24, 12, 12)
    assert 0 < fitted.trainable_parameters < fitted.total_parameters
    assert seen[-1].dev_loss == fitted.dev_losses[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [fitted.adapter.name]
    files = {path.name for path in fitted.adapter.iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors", "levers.json", "recipe.yaml", "timing.log"}
    recipe = (fitted.adapter / "recipe.yaml").read_text()
    assert YAML(typ="safe").load(recipe) == {name: getattr(QUICK, name) for name in Recipe.model_fields}
    assert "learning_rate: 0.005  # set for this model, method or run, from 0.0002: peak" in recipe
    assert "seed: 0  # decides" in recipe
    for name in ("adapter_config.json", "levers.json"):
        assert str(bases[make].parent) not in (fitted.adapter / name).read_text()


@pytest.mark.parametrize("make", MAKES)
def test_served_adapter_prefers_the_answers(make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    fitted = fit(str(bases[make]), pairs(24), (), QUICK, tmp_path)
    losses = []
    for adapter in (None, fitted.adapter):
        model: Any = AutoModelForCausalLM.from_pretrained(bases[make])
        if adapter:
            with warnings.catch_warnings(action="ignore", category=FutureWarning):
                model = PeftModel.from_pretrained(model, str(adapter))
        losses.append(_plain_loss(model.eval(), bases[make], pairs(6)))
    assert losses[1] < losses[0] - 0.1
    assert torch.isfinite(torch.tensor(losses)).all()


def _plain_loss(model: Any, folder: Path, samples: list[Sample]) -> float:
    """Score answers one by one in full precision, over the whole sequence: the definition, without any saving."""
    import torch
    from transformers import AutoTokenizer

    from levers.tuning.encode import Encoder

    encoder = Encoder(AutoTokenizer.from_pretrained(folder), (1,))
    total, tokens = 0.0, 0
    for item in samples:
        encoded = encoder.encode(item)
        ids = torch.tensor([[*encoded.prompt, *encoded.answer]])
        with torch.no_grad():
            scores = model(input_ids=ids).logits.float().log_softmax(-1)
        for place in range(len(encoded.prompt), ids.shape[1]):
            total -= float(scores[0, place - 1, ids[0, place]])
            tokens += 1
    return total / tokens


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("make", MAKES)
def test_batch_loss_equals_the_definition(make: str, share: bool, bases: dict[str, Path], pairs: Pairs) -> None:
    from levers.tuning.base import open_base
    from levers.tuning.encode import Encoder, shared_length
    from levers.tuning.loss import batch_loss, held_out, sharing_is_exact

    base = open_base(bases[make], QUICK)
    base.precision = "float32"
    for weight in base.adapter().values():
        weight.data.normal_(std=0.05)
    samples = [*pairs(3), Sample(messages=pairs(1)[0].messages, answer="a much longer answer than all the others")]
    batch = [Encoder(base.tokenizer, base.end_tokens).encode(item) for item in samples]
    loss, count = batch_loss(base, batch, share)
    assert count == sum(len(item.answer) for item in batch)
    assert float(loss.detach()) == pytest.approx(_plain_loss(base.model, bases[make], samples), rel=1e-4)
    held = held_out(base, batch, share)
    assert (held.loss / count, held.tokens) == (pytest.approx(float(loss.detach()), rel=1e-3), count)
    assert sharing_is_exact(base, batch) == (make != "gpt2")
    assert (shared_length(batch) > 0) == (make != "gpt2")


@pytest.mark.parametrize("make", ["llama", "pocket"])
def test_sharing_changes_no_gradient(make: str, bases: dict[str, Path], pairs: Pairs) -> None:
    import torch

    from levers.tuning.base import open_base
    from levers.tuning.encode import Encoder
    from levers.tuning.loss import batch_loss

    base = open_base(bases[make], QUICK)
    base.precision = "float32"
    for weight in base.adapter().values():
        weight.data.normal_(std=0.05)
    batch = [Encoder(base.tokenizer, base.end_tokens).encode(item) for item in pairs(4)]
    found = []
    for share in (False, True):
        base.model.zero_grad()
        batch_loss(base, batch, share)[0].backward()
        found.append({name: weight.grad.clone() for name, weight in base.adapter().items() if weight.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert any(float(gradient.abs().max()) > 1e-4 for gradient in found[0].values())
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-5)


def test_same_job_same_folder_and_nothing_is_trained_twice(
    bases: dict[str, Path], tmp_path: Path, pairs: Pairs
) -> None:
    first = fit(str(bases["llama"]), pairs(8), (), QUICK, tmp_path)
    steps: list[Progress] = []
    assert fit(str(bases["llama"]), pairs(8), (), QUICK, tmp_path, steps.append) == first
    assert steps == []
    relined = [item.model_copy(update={"line": item.line + 100}) for item in pairs(8)]
    assert fit(str(bases["llama"]), relined, (), QUICK, tmp_path).adapter == first.adapter
    assert fit(str(bases["llama"]), pairs(8), (), Recipe(seed=1), tmp_path).adapter != first.adapter


def test_two_runs_give_the_same_files(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    recipe = QUICK.model_copy(update={"dropout": 0.1})
    one, two = (fit(str(bases["pocket"]), pairs(12), pairs(4), recipe, tmp_path / name) for name in "ab")
    for name in ("adapter_config.json", "adapter_model.safetensors", "levers.json"):
        assert (one.adapter / name).read_bytes() == (two.adapter / name).read_bytes()


class _Stop(Exception):
    pass


@pytest.mark.parametrize("stop_at", [1, 3, 4, 7])
def test_interrupted_run_ends_with_the_same_weights(
    stop_at: int, bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: Pairs
) -> None:
    monkeypatch.setattr("levers.tuning.train.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("levers.tuning.train._CHECKPOINT_SHARE", 1e9)
    recipe = QUICK.model_copy(update={"dropout": 0.1})
    whole = fit(str(bases["llama"]), pairs(16), pairs(4), recipe, tmp_path / "whole")
    steps: list[int] = []

    def stop(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == stop_at:
            raise _Stop

    with pytest.raises(_Stop):
        fit(str(bases["llama"]), pairs(16), pairs(4), recipe, tmp_path / "cut", stop)
    assert not [path for path in (tmp_path / "cut").iterdir() if not path.name.startswith(".")]
    resumed = fit(str(bases["llama"]), pairs(16), pairs(4), recipe, tmp_path / "cut", lambda p: steps.append(p.step))
    assert steps == list(range(1, whole.steps + 1))
    assert weights(resumed.adapter) == weights(whole.adapter)
    assert (resumed.losses, resumed.dev_losses) == (whole.losses, whole.dev_losses)


def test_kill_at_any_instant(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        from pathlib import Path
        import levers.tuning.train as train
        from levers.tuning import Recipe, fit
        from levers.tuning import Sample
        train.CHECKPOINT_SECONDS, train._CHECKPOINT_SHARE = 0.0, 1e9
        recipe = Recipe(epochs=2, batch_size=4, learning_rate=5e-3)
        samples, dev = (map(Sample.model_validate_json, Path(path).read_text().splitlines()) for path in sys.argv[2:])
        def report(progress):
            print(progress.step, flush=True)
        fit({str(bases["llama"])!r}, list(samples), list(dev), recipe, Path(sys.argv[1]), report)
        """
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", script, str(tmp_path / "killed")]
    for name, side in (("train", pairs(24)), ("dev", pairs(4))):
        (tmp_path / name).write_text("\n".join(item.model_dump_json() for item in side))
        command.append(str(tmp_path / name))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    last = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert int(last.stdout.split()[0]) > 4
    (killed,) = (tmp_path / "killed").iterdir()
    whole = fit(str(bases["llama"]), pairs(24), pairs(4), QUICK, tmp_path / "whole")
    assert weights(killed) == weights(whole.adapter)


def test_broken_checkpoint_starts_over(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    whole = fit(str(bases["llama"]), pairs(8), (), QUICK, tmp_path / "a")
    work = tmp_path / "b" / f".{whole.adapter.name}.work"
    work.mkdir(parents=True)
    (work / "checkpoint.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{broken}")
    assert weights(fit(str(bases["llama"]), pairs(8), (), QUICK, tmp_path / "b").adapter) == weights(whole.adapter)


def test_best_epoch_is_kept_and_patience_stops(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    contrary = [item.model_copy(update={"answer": "Zq#7 9x!"}) for item in pairs(4)]
    recipe = Recipe(epochs=6, batch_size=4, learning_rate=3e-2, patience=1, warmup=0.0)
    fitted = fit(str(bases["llama"]), pairs(24), contrary, recipe, tmp_path)
    seen = list(zip(fitted.dev_right, (-loss for loss in fitted.dev_losses), strict=True))[1:]
    assert fitted.best_epoch == 1 + seen.index(max(seen))
    assert len(fitted.losses) == min(6, fitted.best_epoch + 1)
    alone = fit(str(bases["llama"]), pairs(24), (), recipe, tmp_path)
    assert (alone.best_epoch, len(alone.losses), alone.dev_losses) == (6, 6, ())


def test_the_epoch_with_most_tokens_right_is_kept_then_that_of_the_lowest_loss(
    bases: dict[str, Path], tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from levers.tuning.loss import Held

    told = iter([Held(9.0, 0, 4), Held(1.0, 2, 4), Held(2.0, 3, 4), Held(1.5, 3, 4), Held(1.5, 3, 4), Held(0.5, 2, 4)])
    monkeypatch.setattr("levers.tuning.train.held_out", lambda *given: next(told))
    recipe = Recipe(epochs=5, batch_size=4, patience=3)
    fitted = fit(str(bases["llama"]), pairs(8), pairs(4), recipe, tmp_path)
    assert fitted.dev_right == (0.0, 0.5, 0.75, 0.75, 0.75, 0.5)
    assert fitted.best_epoch == 3


def test_long_samples_are_left_out_and_named_never_cut(
    bases: dict[str, Path], tmp_path: Path, pairs: Pairs, sample: Any
) -> None:
    long = sample("tent", "red", line=77, brief="word " * 400)
    findings = measure_lengths(str(bases["llama"]), [*pairs(4), long], QUICK)
    assert [(finding.kind, finding.line) for finding in findings] == [("too long", 77)]
    assert "256 fit" in findings[0].detail
    fitted = fit(str(bases["llama"]), [*pairs(4), long], (), QUICK, tmp_path)
    assert (fitted.examples, fitted.left_out) == (4, (77,))
    with pytest.raises(UserError, match="longer than 256 tokens"):
        fit(str(bases["llama"]), [long], (), QUICK, tmp_path)


def test_no_examples_is_the_users_to_mend(bases: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no examples"):
        fit(str(bases["llama"]), [], (), QUICK, tmp_path)


def test_unknown_base_and_targets(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        fit("hf/./nowhere", pairs(2), (), QUICK, tmp_path)
    with pytest.raises(ModelError, match="no adapter fits"):
        fit(str(bases["llama"]), pairs(2), (), Recipe(target_modules=("no_such_layer",)), tmp_path)


def test_record_holds_what_produced_the_adapter(bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    fitted = fit(str(bases["llama"]), pairs(8), (), QUICK, tmp_path)
    record = json.loads((fitted.adapter / "levers.json").read_text())
    assert record["recipe"] == QUICK.model_dump()
    assert record["losses"] == list(fitted.losses)
    assert record["base_digest"].startswith("sha256-")
    assert "seconds" not in record


def test_explain_names_every_default() -> None:
    told = Recipe().explain()
    assert told.keys() == Recipe.model_fields.keys()
    assert told["r"].startswith("16: ")
    assert all(": " in text and not text.endswith(": None") for text in told.values())


def test_rate_rises_then_falls_to_almost_nothing() -> None:
    from levers.tuning.train import rate_share

    shares = [rate_share(step, 100, 0.1) for step in range(100)]
    assert shares.index(max(shares)) == 9
    assert max(shares) == pytest.approx(1.0)
    assert shares[:10] == sorted(shares[:10])
    assert shares[9:] == sorted(shares[9:], reverse=True)
    assert 0 < shares[-1] < 0.02


def test_room_is_light_to_import() -> None:
    code = "import sys, levers.tuning; sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'peft')))"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("make", ["gpt2", "pocket"])
def test_local_model_serves_the_adapter(make: str, bases: dict[str, Path], tmp_path: Path, pairs: Pairs) -> None:
    from levers.model.contract import Ask
    from levers.model.local import LocalModel

    recipe = Recipe(epochs=60, batch_size=6, learning_rate=2e-2)
    fitted = fit(str(bases[make]), pairs(6), (), recipe, tmp_path)
    asks = [Ask(messages=item.messages, max_tokens=8) for item in pairs(6)]
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        tuned = LocalModel("hf/tiny", bases[make], fitted.adapter).answer(asks)
    untuned = LocalModel("hf/tiny", bases[make]).answer(asks)
    assert all(reply.text.startswith('{"answer": "') for reply in tuned)
    assert not any(reply.text.startswith('{"answer": "') for reply in untuned)


def test_a_loss_that_is_no_number_is_never_the_best(
    bases: dict[str, Path], tmp_path: Path, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from levers.tuning.loss import Held

    told = iter([3.0, 2.0, math.nan])
    monkeypatch.setattr("levers.tuning.train.held_out", lambda *given: Held(next(told), 1, 1))
    assert fit(str(bases["llama"]), pairs(8), pairs(4), QUICK, tmp_path).best_epoch == 1
    told = iter([3.0, math.inf, math.nan])
    with pytest.raises(UserError, match="lower the learning_rate"):
        fit(str(bases["llama"]), pairs(8), pairs(4), QUICK.model_copy(update={"seed": 1}), tmp_path)
    with pytest.raises(UserError, match="lower the learning_rate"):
        fit(str(bases["llama"]), pairs(8), (), QUICK.model_copy(update={"learning_rate": 1e30}), tmp_path)
