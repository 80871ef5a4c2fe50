"""Tests of tuning pocket by PEFT's ordinary path: learned prefixes and learned prompts, on tiny random weights."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

from .test_pocket import END, PROMPT, PROMPTS, ROLES, tiny  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # peft reads an attribute that transformers renamed
    pytest.mark.filterwarnings("ignore:Position ids are not supported"),  # peft counts them anew, as it should
]

REPLY = [20, 45, 21, END]
VIRTUAL = 3
METHODS = {
    "prefix": lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL),
    "prompt": lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL),
}


def tuned(method: str, seed: int = 0) -> Any:
    model = tiny(seed)
    torch.manual_seed(1)
    return peft.get_peft_model(model, METHODS[method]())


def batch(reply: list[int]) -> dict[str, Any]:
    ids = torch.tensor([[*PROMPT, *reply]])
    labels = torch.tensor([[-100] * len(PROMPT) + reply])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


@pytest.mark.parametrize("method", METHODS)
def test_steps_lower_the_loss_and_touch_nothing_else(method: str) -> None:
    model = tuned(method)
    before = {name: value.clone() for name, value in model.get_base_model().named_parameters()}
    optimizer = torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=5e-2)
    losses = []
    for _ in range(12):
        loss = model(**batch(REPLY)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1
    for name, value in model.get_base_model().named_parameters():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_is_that_of_the_scores(method: str) -> None:
    """Bonuses for copied spans look the same with learned positions before the prompt."""
    model = tuned(method, 5).eval()
    with torch.no_grad():
        model.get_base_model().head.copy_match.bias.fill_(2.0)
        given = batch(REPLY)
        loss = model(**given).loss
        logp = model(**{key: value for key, value in given.items() if key != "labels"}).logits[0]
    scored = logp[-len(REPLY) - 1 : -1]
    assert torch.allclose(loss, -scored[torch.arange(len(REPLY)), torch.tensor(REPLY)].mean(), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_generation_equals_scoring_the_whole_at_every_step(method: str) -> None:
    model = tuned(method, 2).eval()
    for prompt in PROMPTS:
        ids = list(prompt)
        while len(ids) < len(prompt) + 8:
            whole = torch.tensor([ids])
            with torch.no_grad():
                scores = model(input_ids=whole, attention_mask=torch.ones_like(whole)).logits[0, -1]
            scores[ROLES] = -torch.inf
            ids.append(int(scores.argmax()))
            if ids[-1] == END:
                break
        given = torch.tensor([prompt])
        out = model.generate(
            input_ids=given,
            attention_mask=torch.ones_like(given),
            max_new_tokens=8,
            do_sample=False,
            suppress_tokens=ROLES,
        )
        assert out[0].tolist()[-len(ids) + len(prompt) :] == ids[len(prompt) :]


def test_a_learned_prompt_leaves_blocks_and_copying_as_they_are() -> None:
    model = tiny(3)
    ids = torch.tensor([PROMPT, [*PROMPT[:1], 30, 31, *PROMPT[3:]]])
    with torch.no_grad():
        assert torch.equal(model(inputs_embeds=model.embeddings(ids)).logits, model(input_ids=ids).logits)
        vectors = model.embeddings(ids)
        assert model.embeddings.recall(vectors).tolist() == ids.tolist()
        learned = torch.cat([torch.randn(2, VIRTUAL, vectors.shape[-1]), vectors], 1)
        assert model.embeddings.recall(learned).tolist() == [[-1] * VIRTUAL + row for row in ids.tolist()]
        vectors[0, 2] += 1
        assert (model.embeddings.recall(vectors) == -1).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_adapter_scores_alike_when_loaded(method: str, tmp_path: Path) -> None:
    model = tuned(method, 4).eval()
    model.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(tiny(4), tmp_path).eval()
    given = {key: value for key, value in batch(REPLY).items() if key != "labels"}
    with torch.no_grad():
        assert torch.allclose(model(**given).logits, again(**given).logits, atol=1e-5)
