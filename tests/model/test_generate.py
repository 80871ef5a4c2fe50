"""Tests of the generation loop: what it saves must change no reply."""

import json
from pathlib import Path
from typing import Any

import pytest

from levers.ledger import Message
from levers.model import Ask

from .conftest import SCHEMA, TEMPLATE, save_tiny

torch = pytest.importorskip("torch")

from levers.model import generate  # noqa: E402
from levers.model.decode import Steering, new_row  # noqa: E402
from levers.model.generate import GrowingLayer  # noqa: E402
from levers.model.local import LocalModel  # noqa: E402

SYSTEM = "answer from the documents, name the file, and say so when they do not tell " * 2
QUESTIONS = ["where is my parcel", "refund", "how many days does a refund take when it was late", "x y z", "three days"]


def save_pocket(folder: Path) -> Path:
    """Save a random pocket with the tokenizer of the tiny Llama; its replies depend on the prompt."""
    from levers.model.pocket.configuration import PocketConfig
    from levers.model.pocket.modeling import PocketForCausalLM

    save_tiny(folder)
    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = PocketForCausalLM(PocketConfig(vocab_size=320, num_bases=160, max_position_embeddings=512, **sizes))
    with torch.no_grad():
        model.embeddings.token_variant.copy_((torch.arange(320) // 160).to(torch.int32))
        model.embeddings.token_toggle.copy_(((torch.arange(320) + 160) % 320).to(torch.int32))
        for value in model.parameters():
            value.add_(torch.randn_like(value) * 0.2)
        model.head.copy_match.bias.fill_(2.0)  # spans are copied on, across the edge between head and rest too
    model.generation_config.suppress_tokens = [0, 2, 3, 4]
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["llama", "pocket"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    folder = tmp_path_factory.mktemp(request.param)
    return LocalModel("hf/x", save_tiny(folder, window=512) if request.param == "llama" else save_pocket(folder))


def asks(system: str = SYSTEM, **more: Any) -> list[Ask]:
    return [
        Ask(
            messages=(Message(role="system", content=system), Message(role="user", content=text)),
            **{"max_tokens": 14 + place, **more},
        )
        for place, text in enumerate(QUESTIONS)
    ]


def asked(text: str, system: str = "", max_tokens: int = 14) -> Ask:
    before = [Message(role="system", content=system)] if system else []
    return Ask(messages=(*before, Message(role="user", content=text)), max_tokens=max_tokens)


def texts(model: LocalModel, wanted: list[Ask]) -> list[str]:
    return [reply.text for reply in model.answer(wanted)]


def test_a_shared_head_changes_no_reply(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = model._load().generator
    together = texts(model, asks())
    assert generator._head is not None
    assert len(generator._head[0]) > 100
    monkeypatch.setattr(generator, "_shared", lambda prompts: 0)
    assert texts(model, asks()) == together
    assert [texts(model, [each])[0] for each in asks()] == together
    assert len(set(together)) > 2


def test_a_prompt_that_begins_another_is_not_cut_where_that_one_goes_on(model: LocalModel) -> None:
    """A block is read in both directions by pocket: its end must not be taken from the shorter prompt."""
    longer = [asked(text, system=SYSTEM) for text in ("a b", "a b c d", "a b c d and so on")]
    apart = []
    for each in longer:
        model._load().generator._head = None
        apart += texts(model, [each])
    assert texts(model, longer) == apart
    assert [texts(model, [each])[0] for each in longer] == apart


def test_a_kept_head_is_used_only_where_a_block_ends(model: LocalModel) -> None:
    generator = model._load().generator
    grown = asks(SYSTEM + "and be brief")
    generator._head = None
    apart = texts(model, grown[:1])
    texts(model, asks())
    assert texts(model, grown[:1]) == apart


def test_a_row_that_is_done_counts_no_further_positions(model: LocalModel) -> None:
    """It stays in the batch until a quarter of the rows are done; its positions must not leave the window."""
    room = model._load().window
    assert room is not None
    words = next(count for count in range(600, 0, -1) if model.count_tokens(asked("x " * count)) <= room - 2)
    full = asked("x " * words, max_tokens=room - model.count_tokens(asked("x " * words)))
    replies = model.answer([full, *[asked("x", max_tokens=20 + full.max_tokens)] * 7])
    assert {reply.finish for reply in replies} <= {"stop", "length"}


def test_replies_equal_those_computed_without_any_cache(model: LocalModel) -> None:
    loaded = model._load()
    for ask, reply in zip(asks(), model.answer(asks()), strict=True):
        ids = loaded.tokens_of(ask)
        start = len(ids)
        while len(ids) < start + ask.max_tokens:
            with torch.no_grad():
                scores = loaded.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            scores[loaded.model.generation_config.suppress_tokens or []] = -torch.inf
            following = int(scores.argmax())
            if following in loaded.eos:
                break
            ids.append(following)
        assert reply.text == loaded.tokenizer.decode(ids[start:], skip_special_tokens=True).strip()


def test_the_head_is_read_once_for_all_batches(model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levers.model.loaded.MAX_ROWS", 2)
    generator = model._load().generator
    monkeypatch.setattr(generator, "_head", None)
    read, heads = generator._read, []
    monkeypatch.setattr(generator, "_read", lambda head: heads.append(head) or read(head))
    model.answer(asks())
    assert len(heads) == 1
    other = asks(system="quite another text that is long enough to be worth sharing")
    assert texts(model, other) == [texts(model, [each])[0] for each in other]
    assert len(heads) == 2


def test_a_head_ends_where_a_turn_begins(model: LocalModel) -> None:
    loaded = model._load()
    model.answer(asks())
    assert loaded.generator._head is not None
    assert loaded.tokenizer.decode(loaded.generator._head[0]) == f"<|system|>{SYSTEM}"


@pytest.mark.parametrize("system", ["", SYSTEM])
def test_forced_tokens_are_written_without_asking(model: LocalModel, system: str, monkeypatch: Any) -> None:
    wanted = asks(system=system, json_schema=SCHEMA, max_tokens=70)
    generator, steps = model._load().generator, []
    scores = generator._scores
    monkeypatch.setattr(generator, "_scores", lambda *given: steps.append(1) or scores(*given))
    replies = model.answer(wanted)
    assert len(steps) < max(reply.usage.output for reply in replies) / 2
    for ask, reply in zip(wanted, replies, strict=True):
        value = json.loads(reply.text)
        assert reply.text == json.dumps(value)
        assert reply.finish == "stop"
        assert reply == model.answer([ask])[0].model_copy(
            update={"usage": reply.usage, "seconds": reply.seconds, "confidence": reply.confidence}
        )


def test_forced_tokens_respect_the_limit(model: LocalModel) -> None:
    for limit in (1, 3, 5):
        for reply in model.answer(asks(json_schema=SCHEMA, max_tokens=limit)):
            assert (reply.usage.output, reply.finish) == (limit, "length")


def test_rows_that_end_early_leave_the_others_alone(model: LocalModel) -> None:
    wanted = [ask.model_copy(update={"max_tokens": limit}) for ask, limit in zip(asks(), (2, 30, 2, 3, 9), strict=True)]
    assert texts(model, wanted) == [texts(model, [each])[0] for each in wanted]


def test_a_grown_layer_equals_one_that_is_joined() -> None:
    from transformers.cache_utils import DynamicLayer

    torch.manual_seed(0)
    head = torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 3)
    grown, joined = GrowingLayer(), DynamicLayer()
    grown.start(*head, rows=3, more=2)
    joined.update(*(each.repeat(3, 1, 1, 1) for each in head))
    for length in (1, 1, 4, generate._ROOM + 7, 1):
        new = torch.randn(3, 2, length, 4), torch.randn(3, 2, length, 3)
        for got, expected in zip(grown.update(*new), joined.update(*new), strict=True):
            assert torch.equal(got, expected)
    for layer in (grown, joined):
        layer.batch_select_indices(torch.tensor([2, 0]))
    new = torch.randn(2, 2, 1, 4), torch.randn(2, 2, 1, 3)
    for got, expected in zip(grown.update(*new), joined.update(*new), strict=True):
        assert torch.equal(got, expected)
    assert grown.get_seq_length() == joined.get_seq_length()


def test_models_with_sliding_windows_answer_without_sharing(tmp_path: Path) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    folder = save_tiny(tmp_path / "sliding", template=TEMPLATE)
    torch.manual_seed(2)
    MistralForCausalLM(
        MistralConfig(
            vocab_size=320,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            sliding_window=24,
            pad_token_id=0,
            eos_token_id=1,
        )
    ).save_pretrained(folder)
    model = LocalModel("hf/x", folder)
    assert not model._load().generator.flexible
    assert texts(model, asks()) == [texts(model, [each])[0] for each in asks()]
    replies = model.answer(asks(json_schema=SCHEMA, max_tokens=70))
    assert all(reply.text == json.dumps(json.loads(reply.text)) for reply in replies)


def test_a_reply_is_as_sure_as_its_least_probable_token() -> None:
    row = new_row(asks()[0], None)
    assert row.confidence is None
    row.probabilities += [0.9, 0.3, 0.8]
    assert row.confidence == 0.3


def test_confidence_leaves_out_forced_tokens(model: LocalModel) -> None:
    loaded = model._load()
    loaded.prompt(0, asks(json_schema=SCHEMA)[0])  # makes the constrainer
    row = new_row(asks(json_schema={"enum": ["only"]})[0], loaded._constrainer)
    assert Steering([row], loaded._constrainer, loaded.eos, True).start() == [[]]  # done, nothing left to read
    assert loaded.tokenizer.decode(row.tokens) == '"only"'
    assert row.finish == "stop"
    assert row.confidence is None


def test_an_empty_text_stops_nothing(model: LocalModel) -> None:
    plain, told = model.answer(asks()), model.answer(asks(stop=("",)))
    assert [reply.text for reply in told] == [reply.text for reply in plain]
    assert any(reply.text for reply in plain)
