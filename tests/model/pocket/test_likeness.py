"""Examples in a chat: which earlier turns are alike, and that their replies are copied as far as a layer says so."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from levers.model.pocket.head import agreement, trailing  # noqa: E402
from levers.model.pocket.likeness import Likeness, likeness  # noqa: E402

from .test_pocket import ASSISTANT, END, SYSTEM, USER, fast_replies, slow_reply, tiny  # noqa: E402

FIRST, SECOND, ASKED = [12, 13, 14], [15, 16, 17], [14, 12, 13]
SHOWN = [SYSTEM, 10, 11, USER, *FIRST, ASSISTANT, 20, 21, END, USER, *SECOND, ASSISTANT, 22, 23, END]
PROMPT = [*SHOWN, USER, *ASKED, ASSISTANT]


def compare(prompts: list[list[int]], *queries: int) -> Likeness | None:
    model, ids = tiny(), torch.tensor(prompts)
    asked = torch.tensor([queries] * len(prompts))
    before = trailing(model._bases(ids), torch.full((len(ids), 4), -1))
    own = torch.cat([model._bases(ids)[:, :, None], before[:, :, :-1]], -1)[:, list(queries)]
    agreed = agreement(own, before)
    with torch.no_grad():
        return likeness(ids, asked, agreed, model.embeddings.vectors, model.config)


def test_what_may_come_next_of_an_earlier_reply_is_alike_and_order_does_not_count() -> None:
    prompt = [*PROMPT, 20, 21]
    found = compare([prompt], 23, 24, 25, 15, 8)
    assert found is not None
    sources = [{place for place, earlier in enumerate(row) if earlier} for row in found.earlier[0].tolist()]
    # Every first token, and what follows the word written last; of the reply that stands first nothing is before it.
    assert sources == [{8, 16}, {8, 9, 16}, {8, 10, 16}, {8}, set()]
    assert torch.allclose(found.cosine[0, 0, 8], torch.tensor(1.0), atol=1e-5)  # the same words
    assert found.cosine[0, 0, 16] < 0.99 and torch.all(found.cosine[~found.earlier] == 0)


@pytest.mark.parametrize("prompt", [PROMPT[-5:], [SYSTEM, 10, 11, USER, 12, ASSISTANT, 20]])
def test_a_chat_without_earlier_replies_has_none(prompt: list[int]) -> None:
    assert compare([prompt], len(prompt) - 1) is None


def test_padding_and_neighbours_in_the_batch_change_nothing() -> None:
    alone = compare([PROMPT], 23)
    both = compare([[-1] * 4 + PROMPT, [-1] * 23 + [USER, 12, 13, 14, ASSISTANT]], 27)
    assert alone is not None and both is not None
    assert torch.equal(both.earlier[0, 0, 4:], alone.earlier[0, 0]) and not both.earlier[1].any()
    assert torch.allclose(both.cosine[0, 0, 4:], alone.cosine[0, 0], atol=1e-6) and not both.cosine[1].any()


def test_the_reply_to_the_turn_that_is_alike_is_copied() -> None:
    model = tiny(3)
    with torch.no_grad():
        model.head.copy_alike.weight.zero_()
        model.head.copy_alike.bias.copy_(torch.tensor([60.0, 20.0, 20.0]))
        model.head.copy_toggle.weight.zero_()
        model.head.copy_toggle.bias.fill_(-20.0)
        model.head.copy_match.weight.zero_()
        model.head.copy_match.bias.fill_(30.0)
    assert slow_reply(model, PROMPT, 5) == [20, 21, END]
    assert slow_reply(model, [*SHOWN, USER, 17, 15, 16, ASSISTANT], 5) == [22, 23, END]


def test_replies_after_examples_need_no_cache_and_no_order() -> None:
    model = tiny(4)
    with torch.no_grad():
        model.head.copy_alike.bias.copy_(torch.tensor([5.0, 1.0, 1.0]))
    prompts = [PROMPT, [*SHOWN, USER, 16, 15, ASSISTANT], [SYSTEM, 10, USER, 12, 13, ASSISTANT]]
    slow = [slow_reply(model, prompt, 6) for prompt in prompts]
    assert fast_replies(model, prompts, 6) == slow
    assert fast_replies(model, prompts[::-1], 6) == slow[::-1]


def test_the_layer_is_silent_until_it_is_trained_and_without_examples() -> None:
    torch.manual_seed(0)
    fresh = type(tiny())(tiny().config)
    assert not fresh.head.copy_alike.weight.any() and not fresh.head.copy_alike.bias.any()
    model, single = tiny(5), torch.tensor([[SYSTEM, 10, USER, 12, 13, ASSISTANT]])
    with torch.no_grad():
        before, shown = model(input_ids=single).logits, model(input_ids=torch.tensor([PROMPT])).logits
        model.head.copy_alike.weight.add_(1.0)
        assert torch.equal(model(input_ids=single).logits, before)
        assert not torch.allclose(model(input_ids=torch.tensor([PROMPT])).logits, shown, atol=1e-3)
