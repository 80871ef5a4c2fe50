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
    for number in range(500):
        drawn = tasks.draw(11, number, 0.7)
        kinds.add(drawn.kind)
        messages = drawn.example.messages
        assert messages[-1][0] == "assistant"
        assert messages[-1][1].strip(), drawn
        for copy in drawn.example.copies:
            source = messages[copy.message][1][copy.source_at : copy.source_at + copy.length]
            reply = messages[-1][1][copy.reply_at : copy.reply_at + copy.length]
            assert source.casefold() == reply.casefold() or "\\" in reply, drawn
        if (span := drawn.example.span) is not None and span.length:
            answer = messages[span.message][1][span.at : span.at + span.length]
            assert (
                all(word.casefold() in messages[-1][1].casefold() for word in answer.split(", "))
                or "\n- " in messages[-1][1]
                or "\\" in messages[-1][1]
            )
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


def test_an_answer_s_span_is_found_among_the_tokens_of_the_prompt(tasks: Any) -> None:
    import encoding
    import readings
    import written
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(weights_path())
    held = missing = 0
    for number in range(60):
        maker = (readings.unanswerable_task, written.written_task, readings.shown_reading)[number % 3]
        example = maker(random.Random(number))
        toggle = list(range(len(tokenizer)))
        coded = encoding.encode(tokenizer, example, toggle)
        if coded is None:
            continue
        message, at, length = example.span
        first, last = coded.span
        if length:
            answer = example.messages[message][1][at : at + length]
            assert answer in tokenizer.decode(coded.ids[first : last + 1])
            assert last < coded.reply_at - 1
            held += 1
        else:
            assert first == last == coded.reply_at - 1
            assert tokenizer.decode(coded.ids[first]) == "<|assistant|>"
            missing += 1
    assert min(held, missing) > 15


def test_where_copying_begins_a_token_weighs_more(tasks: Any) -> None:
    from train import START_WEIGHT, start_weights

    sources = torch.tensor([[-1, -1, -1, 7, 8, 9, -1, -1, 3, 5]])  # three tokens in a row, two plain ones, then a jump
    where = torch.arange(2, 9)[None]  # each predicts the next position
    assert start_weights(sources, where).tolist() == [[START_WEIGHT, 1.0, 1.0, 1.0, 1.0, START_WEIGHT, START_WEIGHT]]


def test_the_prompt_is_taught_where_the_answer_stands(tasks: Any) -> None:
    import encoding
    import forms
    import train
    from transformers import PreTrainedTokenizerFast

    from levers.model.pocket.modeling import PocketForCausalLM

    tokenizer = PreTrainedTokenizerFast.from_pretrained(weights_path())
    model = PocketForCausalLM.from_pretrained(weights_path(), dtype=torch.float32).eval()
    asked = (("user", "The fence is red. Which colour?"), ("assistant", "red"))
    spans = (forms.Span(0, 13, 3), forms.Span(0, 4, 5), forms.Span(0, 0, 0), None)
    items = [encoding.encode(tokenizer, forms.Example(asked, (), span), []) for span in spans]
    states = train.score_replies(model, encoding.collate(items)).states
    losses = [train.span_loss(model, states[row : row + 1], encoding.collate([item])) for row, item in enumerate(items)]
    right, wrong, missing, unasked = (loss.item() for loss in losses)
    assert right < min(wrong, missing)
    assert unasked == 0


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
