"""Marks of where an answer stands: they draw the copying that begins, and end the copying that goes on."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from levers.model.pocket.configuration import PocketConfig  # noqa: E402
from levers.model.pocket.head import PocketHead  # noqa: E402
from levers.model.pocket.modeling import PocketForCausalLM  # noqa: E402

from .test_pocket import ASSISTANT, END, SYSTEM, USER, tiny  # noqa: E402


def test_the_marks_draw_the_copying_that_begins_and_end_the_copying_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, prompt = tiny(6), [SYSTEM, 10, USER, 12, 13, 14, 15, ASSISTANT]
    head, size = model.head, model.config.hidden_size
    marks = torch.full((len(prompt) + 3, 2), -50.0)
    marks[4, 0], marks[5, 1] = 0, 0  # the answer is "13 14"
    marks[7, 0] = 40  # the mark of a missing answer draws no copying to the role token
    with torch.no_grad():
        for layer, bias in ((head.copy_toggle, -20), (head.copy_match, 0), (head.copy_gate, 20), (head.copy_span, 0)):
            layer.weight.zero_()
            layer.bias.fill_(bias)
        head.copy_span.bias.copy_(torch.tensor([1.0, -4.0]))
    monkeypatch.setattr(
        head,
        "keys",
        lambda states: torch.cat([torch.zeros(*states.shape[:2], size), marks[: states.shape[1]][None]], -1),
    )

    def likely(*reply: int) -> torch.Tensor:
        with torch.no_grad():
            return model(input_ids=torch.tensor([[*prompt, *reply]])).logits[0, -1].exp()

    assert likely()[13] > 0.99
    with torch.no_grad():
        head.copy_gate.bias.fill_(0)
        head.copy_match.bias.fill_(30)
    assert likely(13)[14] > 0.99
    assert likely(13, 14)[15] < 0.01 + 1 / model.config.vocab_size


def test_what_comes_later_in_a_reply_changes_no_earlier_score() -> None:
    model = tiny(7)
    with torch.no_grad():
        model.head.copy_span.bias.copy_(torch.tensor([1.0, -2.0]))
        model.head.span.weight.mul_(20)
    # The reply copies from itself: the marks of what follows there are not known yet while it is written.
    chat = [SYSTEM, 10, USER, 12, 13, ASSISTANT, 20, 21, 22, 20, 21, 23, 20, 21]
    with torch.no_grad():
        whole = model(input_ids=torch.tensor([chat])).logits[0]
        for end in range(6, len(chat) + 1):
            assert torch.allclose(model(input_ids=torch.tensor([chat[:end]])).logits[0, -1], whole[end - 1], atol=1e-4)


def test_a_folder_from_before_the_marks_opens_and_they_do_nothing_in_it(tmp_path: Path) -> None:
    model, ids = tiny(6), torch.tensor([[SYSTEM, 10, USER, 12, 13, 14, ASSISTANT, 12]])
    with torch.no_grad():
        for name in ("copy_alike", "copy_bare", "copy_span"):
            getattr(model.head, name).weight.zero_()
            getattr(model.head, name).bias.zero_()
        before = model(input_ids=ids).logits
    kept = {name: value for name, value in model.state_dict().items() if not name.startswith(model.LATER)}
    model.save_pretrained(tmp_path, state_dict=kept)
    opened, told = PocketForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    with torch.no_grad():
        assert torch.allclose(opened.eval()(input_ids=ids).logits, before, atol=1e-5)
    assert not told["missing_keys"]


def test_a_new_head_follows_no_marks() -> None:
    head = PocketHead(PocketConfig(vocab_size=60, num_bases=30, hidden_size=32, num_attention_heads=4))
    silent = [getattr(head, name) for name in ("copy_alike", "copy_bare", "copy_span")]
    assert not any(bool(value.any()) for layer in silent for value in layer.parameters())


def test_padding_inside_a_cached_prompt_changes_no_loss() -> None:
    """Tuning reads a batch so: the marks of padding would count as those of the block before it."""
    model, reply = tiny(13), [10, 11, 12, END]
    head, tail = [SYSTEM, 15, 10, 11, 12], [USER, 11, 13, 14, ASSISTANT]
    with torch.no_grad():
        model.head.copy_match.bias.fill_(2.0)
        model.head.copy_span.bias.fill_(3.0)
        ids = torch.tensor([head + tail + reply])
        labels = torch.tensor([[-100] * len(head + tail) + reply])
        whole = model(input_ids=ids, labels=labels).loss
        told = model(input_ids=ids).logits[0, len(head + tail) - 1 : -1]
        cache = model(input_ids=torch.tensor([head]), use_cache=True).past_key_values
        filled = torch.tensor([[0] * 6 + tail + reply])
        mask = torch.tensor([[1] * len(head) + [0] * 6 + [1] * len(tail + reply)])
        labels = torch.tensor([[-100] * (6 + len(tail)) + reply])
        again = model(input_ids=filled, attention_mask=mask, past_key_values=cache, use_cache=True, labels=labels).loss
    assert torch.allclose(-told[range(4), reply].mean(), whole, atol=1e-4)
    assert torch.allclose(whole, again, atol=1e-4)
