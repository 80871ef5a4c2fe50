import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levers.errors import MissingExtra
from levers.task.examples import read_example, read_examples


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


QUESTION, ANSWER = turn("user", "May I swap it?"), turn("assistant", "Yes.")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [QUESTION, ANSWER]},
        {"prompt": "May I swap it?", "completion": "Yes."},
        {"prompt": [QUESTION], "completion": [ANSWER]},
    ],
    ids=["chat", "pair", "pair of messages"],
)
def test_every_shape_gives_the_same_example(row: dict[str, Any]) -> None:
    example, problems = read_example({**row, "evidence": ["docs/a.md#b"]}, "examples.jsonl", 7)
    assert not problems
    assert example is not None
    assert (example.question, example.answer, example.evidence, example.line) == (
        "May I swap it?",
        "Yes.",
        ("docs/a.md#b",),
        7,
    )


def test_earlier_turns_stay_before_the_answer() -> None:
    earlier = [turn("system", "Be brief."), turn("user", "Hello"), turn("assistant", "Hi")]
    example, _ = read_example({"messages": [*earlier, QUESTION, ANSWER]}, "examples.jsonl", 1)
    assert example is not None
    assert [each.role for each in example.messages] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("row", "field", "found"),
    [
        ({"messages": []}, "messages", "nobody"),
        ({"messages": [ANSWER]}, "messages", "no question"),
        ({"messages": [QUESTION, turn("system", "x"), QUESTION, ANSWER]}, "messages", "system message after"),
        ({"messages": [turn("user", " "), ANSWER]}, "messages", "an empty user message"),
        ({"messages": [turn("tool", "x"), QUESTION, ANSWER]}, "messages[0].role", '"tool"'),
        ({"messages": [{"role": "user"}, ANSWER]}, "messages[0].content", "nothing"),
        ({"messages": "hello"}, "messages", '"hello"'),
        ({"prompt": "a", "completion": {"answer": 1}}, "messages[1].content", "answer"),
        ({"messages": [QUESTION, ANSWER], "prompt": "a"}, None, "both shapes"),
        ({"messages": [QUESTION, ANSWER], "evidence": "docs/a.md"}, "evidence", "docs/a.md"),
    ],
)
def test_a_faulty_example_is_named(row: dict[str, Any], field: str | None, found: str) -> None:
    example, (problem,) = read_example(row, "examples.jsonl", 7)
    assert example is None
    assert (problem.file, problem.line, problem.field) == ("examples.jsonl", 7, field)
    assert found in problem.found
    assert problem.expected
    assert problem.hint


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_rows_keep_the_line_they_start_on(tmp_path: Path) -> None:
    text = 'prompt,completion,evidence\n"two\nlines",Yes.,docs/a.md#b docs/c.md#d\n\nNext?,"No, never."\nLast?,Yes.,\n'
    examples, problems = read_examples(write(tmp_path, "e.csv", text), "e.csv")
    assert [(each.question, each.answer, each.line) for each in examples] == [
        ("two\nlines", "Yes.", 2),
        ("Last?", "Yes.", 6),
    ]
    assert examples[0].evidence == ("docs/a.md#b", "docs/c.md#d")
    assert [(each.line, each.found) for each in problems] == [(5, "2 cells")]


def test_a_cell_may_hold_a_whole_document(tmp_path: Path) -> None:
    long = "word " * 40_000
    (example,), problems = read_examples(write(tmp_path, "e.csv", f"prompt,completion\nSum up: {long},Yes.\n"), "e.csv")
    assert not problems and example.question == f"Sum up: {long}"


@pytest.mark.parametrize(
    ("name", "text", "line", "found", "hint"),
    [
        ("e.csv", "promt,completion\na,b\n", 1, 'unknown column "promt"', 'did you mean "prompt"?'),
        ("e.csv", "prompt;completion\na;b\n", 1, "one column", "commas"),
        ("e.tsv", "prompt,completion\na,b\n", 1, "one column", "tabs"),
        ("e.csv", "", 1, "no rows", "prompt,completion"),
        ("e.csv", 'prompt,completion\n"a"b,c\n', 2, "expected", "double a quote"),
        ("e.csv", "prompt,completion,prompt\na,b,c\n", 1, "a column twice", "rename"),
        ("e.xlsx", "", None, 'the ending ".xlsx"', "convert"),
        ("e.parquet", "no parquet", None, "", "again"),
        ("e.jsonl", "\n", 1, "an empty file", "add"),
    ],
)
def test_a_faulty_file_is_named(tmp_path: Path, name: str, text: str, line: int | None, found: str, hint: str) -> None:
    _, problems = read_examples(write(tmp_path, name, text), name)
    assert problems
    assert (problems[0].file, problems[0].line) == (name, line)
    assert found in problems[0].found
    assert hint in problems[0].hint


def test_parquet_holds_either_shape(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    chats, pairs = tmp_path / "chats.parquet", tmp_path / "pairs.parquet"
    parquet.write_table(pa.Table.from_pylist([{"messages": [QUESTION, ANSWER], "evidence": None}]), chats)
    parquet.write_table(pa.Table.from_pylist([{"prompt": "May I swap it?", "completion": "Yes."}]), pairs)
    (one,), none = read_examples(chats, "chats.parquet")
    (other,), none_either = read_examples(pairs, "pairs.parquet")
    assert not none and not none_either
    assert one == other


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"levers\[local\]"):
        read_examples(write(tmp_path, "e.parquet", ""), "e.parquet")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n",;'), min_size=1).filter(str.strip)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
def test_json_lines_and_csv_tell_the_same(pairs: list[tuple[str, str]], tmp_path: Path) -> None:
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\n").writerows([("prompt", "completion"), *pairs])
    rows = "\n".join(json.dumps({"prompt": prompt, "completion": completion}) for prompt, completion in pairs)
    from_csv, faults = read_examples(write(tmp_path, "e.csv", sheet.getvalue()), "e.csv")
    from_lines, more = read_examples(write(tmp_path, "e.jsonl", rows), "e.jsonl")
    assert not faults and not more
    assert [(each.question, each.answer) for each in from_csv] == pairs
    assert [(each.question, each.answer) for each in from_lines] == pairs
