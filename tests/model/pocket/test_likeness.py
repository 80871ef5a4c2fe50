"""Examples in a chat: which earlier turns are alike, and that their replies are copied as far as a layer says so."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from levers.model.pocket.likeness import likeness  # noqa: E402

from .test_pocket import ASSISTANT, END, SYSTEM, USER, fast_replies, slow_reply, tiny  # noqa: E402

FIRST, SECOND, ASKED = [12, 13, 14], [15, 16, 17], [14, 12, 13]
SHOWN = [SYSTEM, 10, 11, USER, *FIRST, ASSISTANT, 20, 21, END, USER, *SECOND, ASSISTANT, 22, 23, END]
PROMPT = [*SHOWN, USER, *ASKED, ASSISTANT]
REPLIES = {8, 9, 10, 16, 17, 18}


def test_only_the_replies_to_earlier_turns_are_alike_and_order_does_not_count() -> None:
    model, ids = tiny(), torch.tensor([PROMPT])
    last = torch.tensor([[len(PROMPT) - 1, 17, 9]])
    with torch.no_grad():
        found = likeness(ids, last, model.embeddings.vectors, model.config)
    assert found is not None
    assert {place for place, earlier in enumerate(found.earlier[0, 0].tolist()) if earlier} == REPLIES
    assert {place for place, earlier in enumerate(found.earlier[0, 1].tolist()) if earlier} == {8, 9, 10}
    assert not found.earlier[0, 2].any()  # nothing stands before the first reply but its own turn
    assert torch.allclose(found.cosine[0, 0, 8:11], torch.ones(3), atol=1e-5)  # the same words
    assert torch.all(found.cosine[0, 0, 16:19] < 0.99) and torch.all(found.cosine[~found.earlier] == 0)


@pytest.mark.parametrize("prompt", [PROMPT[-5:], [SYSTEM, 10, 11, USER, 12, ASSISTANT, 20]])
def test_a_chat_without_earlier_replies_has_none(prompt: list[int]) -> None:
    model, ids = tiny(), torch.tensor([prompt])
    assert likeness(ids, torch.tensor([[len(prompt) - 1]]), model.embeddings.vectors, model.config) is None


def test_padding_and_neighbours_in_the_batch_change_nothing() -> None:
    model = tiny()
    with torch.no_grad():
        alone = likeness(torch.tensor([PROMPT]), torch.tensor([[23]]), model.embeddings.vectors, model.config)
        padded = torch.tensor([[-1] * 4 + PROMPT, [-1] * 23 + [USER, 12, 13, 14, ASSISTANT]])
        both = likeness(padded, torch.tensor([[27], [27]]), model.embeddings.vectors, model.config)
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
    for asked, reply in ((ASKED, [20, 21, END]), ([17, 15, 16], [22, 23, END])):
        prompt = [*SHOWN, USER, *asked, ASSISTANT]
        # Which token of the reply comes first is for the rest of the head to say.
        assert slow_reply(model, prompt, 1)[0] in reply
        assert slow_reply(model, [*prompt, reply[0]], 2) == reply[1:]


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
