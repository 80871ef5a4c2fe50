"""Tests of what ships: the tokenizer's exact round trip and that the weights load and generate."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from levers.model.pocket import register, weights_path  # noqa: E402

FOLDER = weights_path()
pytestmark = pytest.mark.skipif(not (FOLDER / "tokenizer.json").exists(), reason="no weights beside the package")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Load the shipped tokenizer the way users do."""
    register()
    return transformers.AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def ids_of(tokenizer: Any) -> Any:
    """Return the function from text to ids."""
    return lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
@example('{"answer": "Zoë\'s  café", "n": 1998}\r\n\t x')
@example("日本語 🎉 naïve\u200bx\x00")
@example("a" * 5000 + " " * 300)
def test_every_text_survives_a_round_trip(text: str) -> None:
    register()
    tokenizer = _cached()
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def _cached(store: dict[str, Any] = {}) -> Any:  # noqa: B006  (one load for all of hypothesis' examples)
    if "tokenizer" not in store:
        store["tokenizer"] = transformers.AutoTokenizer.from_pretrained(FOLDER)
    return store["tokenizer"]


@given(st.from_regex(r"[A-Za-z]{1,12}", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_a_word_is_cut_alike_with_and_without_its_space(word: str) -> None:
    register()
    tokenizer = _cached()
    bare = tokenizer.convert_ids_to_tokens(tokenizer(word, add_special_tokens=False)["input_ids"])
    spaced = tokenizer.convert_ids_to_tokens(tokenizer(" " + word, add_special_tokens=False)["input_ids"])
    assert spaced == ["Ġ" + bare[0], *bare[1:]]


def test_digits_are_single_tokens(ids_of: Any) -> None:
    assert len(ids_of("20481")) == 5


def test_the_chat_template_lays_out_turns(tokenizer: Any) -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "V"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<|system|>S<|user|>U<|assistant|>A<|end|><|user|>V<|assistant|>"


def test_structured_decoding_knows_every_token(tokenizer: Any) -> None:
    llguidance = pytest.importorskip("llguidance.hf")
    assert llguidance.from_tokenizer(tokenizer).vocab_size == len(tokenizer)


@pytest.mark.skipif(not (FOLDER / "model.safetensors").exists(), reason="no weights beside the package")
def test_the_shipped_weights_read_a_passage(tokenizer: Any) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER).eval()
    assert (FOLDER / "model.safetensors").stat().st_size <= 50_000_000
    assert not [path for path in FOLDER.iterdir() if path.suffix in {".bin", ".pt", ".pkl", ".py"}]
    user = (
        "Passages:\n[1] hours.md > Porto\nThe Porto shop closes at 18:45.\n\nQuestion: When does the Porto shop close?"
    )
    messages = [{"role": "system", "content": "Answer from the passages. Be brief."}, {"role": "user", "content": user}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    batch = tokenizer(text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False)
    out = model.generate(**batch)
    reply = tokenizer.decode(out[0, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    assert "18:45" in reply


@pytest.mark.skipif(not (FOLDER / "model.safetensors").exists(), reason="no weights beside the package")
def test_the_shipped_weights_label_as_the_examples_do() -> None:
    from levers.ledger import Message
    from levers.model import Ask
    from levers.model.local import LocalModel

    shown = [
        ("play some jazz in the kitchen", "cobalt"),
        ("wake me at six tomorrow", "amber"),
        ("will it rain on sunday", "olive"),
    ]
    asked = ["play the new jazz album", "wake me at eight on friday", "will it snow tomorrow"]
    before = [Message(role="system", content="Label the message like the examples. Reply with the label only.")]
    for text, label in shown:
        before += [Message(role="user", content=text), Message(role="assistant", content=label)]
    asks = [Ask(messages=(*before, Message(role="user", content=text)), max_tokens=10) for text in asked]
    assert [reply.text for reply in LocalModel("pocket", FOLDER).answer(asks)] == [label for _, label in shown]


@pytest.mark.skipif(not (FOLDER / "model.safetensors").exists(), reason="no weights beside the package")
def test_replies_need_no_cache_and_no_order() -> None:
    """A batch in any order says what one prompt alone says when all of it is read again for every token."""
    import torch

    from levers.ledger import Message
    from levers.model import Ask
    from levers.model.local import LocalModel

    facts = {"Porto": "18:45", "Lisbon": "half past nine", "Faro": "20:15, on Sundays at noon"}
    asks = [
        Ask(
            messages=(
                Message(role="system", content=f"Answer from the passages. Begin with '{city[0]}:'."),
                Message(role="user", content=f"Passages:\n[1] hours.md\nThe {city} shop closes at {hour}.\n\nWhen?"),
            ),
            max_tokens=10,
        )
        for city, hour in facts.items()
    ]
    model = LocalModel("pocket", FOLDER)
    loaded, together = model._load(), [reply.text for reply in model.answer(asks)]
    assert [reply.text for reply in model.answer(asks[::-1])] == together[::-1]
    for ask, reply in zip(asks, together, strict=True):
        ids = loaded.tokens_of(ask)
        start = len(ids)
        while len(ids) < start + ask.max_tokens:
            with torch.no_grad():
                scores = loaded.model(input_ids=torch.tensor([ids]), use_cache=False, logits_to_keep=1).logits[0, -1]
            scores[loaded.model.generation_config.suppress_tokens or []] = -torch.inf
            ids.append(int(scores.argmax()))
            if ids[-1] in loaded.eos:
                break
        assert loaded.tokenizer.decode(ids[start:], skip_special_tokens=True).strip() == reply
