"""Tests of the training mixture: every kind of example can be drawn, and what it points at is there."""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from levers.model.pocket import weights_path

torch = pytest.importorskip("torch")

RECIPE = Path(__file__).parents[3] / "recipes" / "pocket"


@pytest.fixture(scope="module")
def tasks() -> Iterator[Any]:
    """Import the recipe; pages beside a written one are drawn here, where the recipe searches for them."""
    known = set(sys.modules)
    sys.path.insert(0, str(RECIPE))
    try:
        sources = pytest.importorskip("sources")
        if not (sources.data_folder() / "squadshifts").is_dir():
            pytest.skip(f"{sources.data_folder() / 'squadshifts'} is not there: set LEVERS_DATA")
        import tasks
        import written

        class Near(dict[str, tuple[Any, ...]]):
            def __missing__(self, question: str) -> tuple[Any, ...]:
                return tuple(random.Random(question).sample(written.pages(), 10))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(written, "_found", Near)
            yield tasks
    finally:
        sys.path.remove(str(RECIPE))
        for name in set(sys.modules) - known:
            if str(RECIPE) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def test_every_example_ends_in_a_reply_whose_sources_stand_where_it_says(tasks: Any) -> None:
    kinds = set()
    for number in range(250):
        drawn = tasks.draw(11, number, 0.7)
        kinds.add(drawn.kind)
        messages = drawn.example.messages
        assert messages[-1][0] == "assistant"
        assert messages[-1][1].strip(), drawn
        for copy in drawn.example.copies:
            source = messages[copy.message][1][copy.source_at : copy.source_at + copy.length]
            reply = messages[-1][1][copy.reply_at : copy.reply_at + copy.length]
            assert source.casefold() == reply.casefold() or "\\" in reply, drawn
    assert kinds >= set(tasks.OTHERS) | {"reading"}


def test_a_question_after_examples_is_answered_from_its_own_passage_in_their_form(tasks: Any) -> None:
    import readings

    from_passage = several_keys = 0
    for number in range(60):
        example = readings.shown_reading(random.Random(number))
        turns = [(role, text) for role, text in example.messages if role != "system"]
        assert [role for role, _ in turns] == ["user", "assistant"] * (len(turns) // 2)
        for copy in example.copies:
            assert example.messages[copy.message] in (turns[-2], example.messages[0])
            from_passage += example.messages[copy.message] == turns[-2]
        keys = {tuple(json.loads(text)) if text.startswith("{") else () for role, text in turns if role == "assistant"}
        assert len(keys) == 1, "the question is answered in another form than the examples"
        several_keys += len(keys.pop()) > 1
    assert from_passage > 40
    assert several_keys > 10


def test_every_quoted_value_of_json_ends_in_a_token_that_weighs_more(tasks: Any) -> None:
    import train
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(weights_path())
    ends = train.value_ends(tokenizer).tolist()
    for reply in ('{"a": "x y", "b": "12.5"}', '{"a":"Über","b":"no"}', '{"a": "x", "b": "y", "c": true}'):
        ids = tokenizer(reply, add_special_tokens=False)["input_ids"]
        assert [token in ends for token in ids].count(True) == 2
    assert not set(ends) & set(tokenizer('He said "no".', add_special_tokens=False)["input_ids"])


def test_tokens_that_weigh_more_count_so_in_the_loss(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import encoding
    import forms
    import train
    from transformers import PreTrainedTokenizerFast

    from levers.model.pocket.modeling import PocketForCausalLM

    tokenizer = PreTrainedTokenizerFast.from_pretrained(weights_path())
    model = PocketForCausalLM.from_pretrained(weights_path(), dtype=torch.float32).eval()
    monkeypatch.setattr(model.head, "sample", lambda words: None, raising=False)  # all words, not a drawn part of them
    example = forms.Example((("user", "Which colour?"), ("assistant", '{"a": "red", "b": "no"}')))
    batch = encoding.collate([encoding.encode(tokenizer, example, list(range(len(tokenizer))))])

    def loss(ends: Any) -> float:
        torch.manual_seed(5)
        return train.batch_loss(model, batch, ends)[1]["loss"]

    none = loss(torch.tensor([], dtype=torch.long))
    assert none < loss(train.value_ends(tokenizer)) < loss(batch.labels.unique())
    assert loss(batch.labels.unique()) == pytest.approx(train.VALUE_END_WEIGHT * none, rel=1e-4)


def test_a_wrapped_reply_has_what_its_rules_show(tasks: Any) -> None:
    import wrapping

    for number in range(200):
        form = wrapping.wrapped_form(random.Random(number))
        around = [text.strip() for text in (form.before, form.after) if text]
        assert around
        assert len(form.rules) == len(around)
        for rule, text in zip(form.rules, around, strict=True):
            assert text in rule
        reply = f"{form.before}x{form.after}"
        copies = wrapping.wrapping_copies(form, " ".join(form.rules), reply)
        assert [reply[each.reply_at : each.reply_at + each.length] for each in copies] == around


def test_a_question_to_be_labelled_gets_one_of_the_labels_it_names(tasks: Any) -> None:
    import labels

    for number in range(60):
        example = labels.about_task(random.Random(number))
        assert example.messages[-1][1] in example.messages[0][1]
