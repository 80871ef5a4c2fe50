"""Malformed projects: every problem is named with its file, line and a hint, and nothing is written."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from tests.task.conftest import CONFIG, Make, as_lines, case, cases, tree_hash

from levers.errors import UserError
from levers.task import check, load


def config(old: str, new: str) -> str:
    assert old in CONFIG
    return CONFIG.replace(old, new)


def golden(*extra: dict[str, Any]) -> str:
    return as_lines([*cases(), *extra])


def example(question: str, answer: str = "Yes.") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@dataclass
class Broken:
    name: str
    files: dict[str, str | bytes | None]
    file: str
    line: int | None
    found: str
    hint: str
    field: str | None = None


SCHEMA_CONFIG = config("- kind: exact", "- {kind: schema, schema: answer.schema.json}")
BROKEN = [
    Broken(
        "bad JSON", {"golden.jsonl": golden().replace('"c3", ', '"c3" ', 1)}, "golden.jsonl", 3, "column 13", "quotes"
    ),
    Broken("a list", {"golden.jsonl": json.dumps(cases())}, "golden.jsonl", 1, "one JSON list", "line of its own"),
    Broken("not an object", {"golden.jsonl": golden() + "42\n"}, "golden.jsonl", 6, "42", '{"id"'),
    Broken("NaN", {"golden.jsonl": golden() + '{"id": NaN}\n'}, "golden.jsonl", 6, "NaN", "quotes"),
    Broken("key twice", {"golden.jsonl": golden() + '{"id": "a", "id": "b"}'}, "golden.jsonl", 6, '"id" twice', ""),
    Broken(
        "misspelt field",
        {"golden.jsonl": golden({**case(6, "dev"), "evidense": []})},
        "golden.jsonl",
        6,
        'unknown key "evidense"',
        'did you mean "evidence"?',
        "evidense",
    ),
    Broken(
        "misspelt needed field",
        {"golden.jsonl": golden({"id": "c6", "inptu": "And?", "expected": "x", "partition": "dev"})},
        "golden.jsonl",
        6,
        'unknown key "inptu"',
        'did you mean "input"?',
        "inptu",
    ),
    Broken(
        "missing field",
        {"golden.jsonl": golden({"id": "c6", "input": "And now?", "partition": "dev"})},
        "golden.jsonl",
        6,
        "nothing",
        'add "expected"',
        "expected",
    ),
    Broken(
        "number expected",
        {"golden.jsonl": golden(case(6, "dev", expected=42))},
        "golden.jsonl",
        6,
        "42",
        '"42"',
        "expected",
    ),
    Broken(
        "number among accepted",
        {"golden.jsonl": golden(case(6, "dev", expected=["a", 42]))},
        "golden.jsonl",
        6,
        "42",
        '"42"',
        "expected[1]",
    ),
    Broken(
        "empty expected",
        {"golden.jsonl": golden(case(6, "dev", expected=[]))},
        "golden.jsonl",
        6,
        "[]",
        "refuse",
        "expected",
    ),
    Broken("number as id", {"golden.jsonl": golden({**case(6, "dev"), "id": 6})}, "golden.jsonl", 6, "6", '"6"', "id"),
    Broken(
        "role",
        {"golden.jsonl": golden(case(6, "dev", input=[{"role": "bot", "content": "hi"}]))},
        "golden.jsonl",
        6,
        '"bot"',
        "choose from",
        "input[0].role",
    ),
    Broken(
        "last turn",
        {"golden.jsonl": golden(case(6, "dev", input=[{"role": "assistant", "content": "hi"}]))},
        "golden.jsonl",
        6,
        "assistant",
        "to be answered",
        "input",
    ),
    Broken(
        "partition",
        {"golden.jsonl": golden(case(6, "tset"))},
        "golden.jsonl",
        6,
        '"tset"',
        'did you mean "test"?',
        "partition",
    ),
    Broken(
        "no test case",
        {"golden.jsonl": as_lines([case(1, "dev"), case(2, "edge")])},
        "golden.jsonl",
        1,
        "no test case",
        "a third",
        "partition",
    ),
    Broken(
        "duplicate id",
        {"golden.jsonl": golden({**case(6, "dev"), "id": "c2"})},
        "golden.jsonl",
        6,
        "line 2",
        "own id",
        "id",
    ),
    Broken(
        "leak across partitions",
        {"golden.jsonl": golden(case(3, "dev", id="c6", input="how long is the guarantee on ropes of type 3"))},
        "golden.jsonl",
        6,
        "c3 (line 3, test)",
        "one partition only",
        "input",
    ),
    Broken("empty set", {"golden.jsonl": "\n\n"}, "golden.jsonl", 1, "an empty file", "add lines"),
    Broken(
        "wrong encoding", {"golden.jsonl": golden().encode() + b'{"id": "caf\xe9"}'}, "golden.jsonl", 6, "0xE9", "UTF-8"
    ),
    Broken("UTF-16", {"golden.jsonl": golden().encode("utf-16")}, "golden.jsonl", 1, "UTF-16", "UTF-8"),
    Broken("NUL", {"golden.jsonl": golden() + "\x00"}, "golden.jsonl", 6, "NUL", "binary"),
    Broken(
        "no golden set",
        {"golden.jsonl": None, "goldn.jsonl": ""},
        "levers.yaml",
        3,
        "does not exist",
        'did you mean "goldn.jsonl"?',
        "golden",
    ),
    Broken(
        "folder as golden set",
        {"golden.jsonl": None, "golden.jsonl/x": ""},
        "levers.yaml",
        3,
        "not a file",
        "",
        "golden",
    ),
    Broken(
        "lost evidence",
        {"golden.jsonl": golden(case(6, "dev", evidence=["docs/return.md#refunds"]))},
        "golden.jsonl",
        6,
        "docs/return.md",
        'did you mean "docs/returns.md"?',
        "evidence",
    ),
    Broken(
        "leaked example",
        {
            "examples.jsonl": as_lines([example("Hi?"), example("HOW long is the guarantee on tents, of type 10")]),
            "golden.jsonl": golden(case(10, "test")),
        },
        "examples.jsonl",
        2,
        "case c10 (golden.jsonl:6, test)",
        "remove this example",
        "messages",
    ),
    Broken(
        "nearly leaked example",
        {
            "examples.jsonl": as_lines([example("Hi?"), example("How long is the guarantee on tents of the type 10?")]),
            "golden.jsonl": golden(case(10, "dev")),
        },
        "examples.jsonl",
        2,
        "nearly the question of golden case c10",
        "remove this example",
        "messages",
    ),
    Broken(
        "example without answer",
        {"examples.jsonl": '{"prompt": "Hi"}\n'},
        "examples.jsonl",
        1,
        "nothing",
        'add "completion"',
        "completion",
    ),
    Broken(
        "example ends wrongly",
        {"examples.jsonl": as_lines([{"messages": [{"role": "user", "content": "Hi"}]}])},
        "examples.jsonl",
        1,
        "user",
        "answer to learn",
        "messages",
    ),
    Broken(
        "example key",
        {"examples.jsonl": as_lines([{"mesages": []}])},
        "examples.jsonl",
        1,
        "mesages",
        'did you mean "messages"?',
        "mesages",
    ),
    Broken("no levers.yaml", {"levers.yaml": None}, "project", None, "no levers.yaml", "levers init"),
    Broken("bad YAML", {"levers.yaml": config("graders:", "graders: [")}, "levers.yaml", 8, "", "indentation"),
    Broken(
        "YAML key twice",
        {"levers.yaml": CONFIG + "name: again\n"},
        "levers.yaml",
        10,
        'duplicate key "name"',
        "one of the two",
    ),
    Broken("empty levers.yaml", {"levers.yaml": ""}, "levers.yaml", 1, "an empty file", "levers init"),
    Broken("text levers.yaml", {"levers.yaml": "hello"}, "levers.yaml", 1, '"hello"', "levers init"),
    Broken(
        "unknown key",
        {"levers.yaml": config("targets:", "target:")},
        "levers.yaml",
        9,
        'unknown key "target"',
        'did you mean "targets"?',
        "target",
    ),
    Broken(
        "unknown inner key",
        {"levers.yaml": config("quality:", "qualty:")},
        "levers.yaml",
        9,
        "qualty",
        'did you mean "quality"?',
        "targets.qualty",
    ),
    Broken("percent", {"levers.yaml": config("0.9", "90")}, "levers.yaml", 9, "90", "0.9", "targets.quality"),
    Broken(
        "truth for a number",
        {"levers.yaml": config("0.9", "true")},
        "levers.yaml",
        9,
        "true",
        "no field",
        "targets.quality",
    ),
    Broken(
        "endless number",
        {"levers.yaml": config("0.9", "0.9, p95_ms: .inf")},
        "levers.yaml",
        9,
        "Infinity",
        "",
        "targets.p95_ms",
    ),
    Broken(
        "freshness",
        {"levers.yaml": config("0.9", "0.9, freshness: hourly")},
        "levers.yaml",
        9,
        "hourly",
        "1h",
        "targets.freshness",
    ),
    Broken("no name", {"levers.yaml": config("name: shop\n", "")}, "levers.yaml", 1, "nothing", 'add "name"', "name"),
    Broken(
        "grader kind",
        {"levers.yaml": config("kind: exact", "kind: contain")},
        "levers.yaml",
        8,
        '"contain"',
        'did you mean "contains"?',
        "graders[0].kind",
    ),
    Broken(
        "no grader",
        {"levers.yaml": config("graders:\n  - kind: exact", "graders: []")},
        "levers.yaml",
        7,
        "[]",
        "",
        "graders",
    ),
    Broken(
        "grader twice",
        {"levers.yaml": config("- kind: exact", "- kind: exact\n  - kind: exact")},
        "levers.yaml",
        9,
        "second grader",
        "keep one",
        "graders[1].kind",
    ),
    Broken(
        "choices",
        {"levers.yaml": config("kind: exact", "kind: choice")},
        "levers.yaml",
        8,
        "nothing",
        "add choices",
        "graders[0].choices",
    ),
    Broken(
        "outside choices",
        {"levers.yaml": config("- kind: exact", "- {kind: choice, choices: [one year]}")},
        "levers.yaml",
        8,
        "5 of 5 cases (first: c1 at golden.jsonl:1)",
        "add it",
        "graders[0].choices",
    ),
    Broken(
        "pattern",
        {"levers.yaml": config("kind: exact", "{kind: regex, pattern: '(a'}")},
        "levers.yaml",
        8,
        "(a",
        "literal",
        "graders[0].pattern",
    ),
    Broken(
        "stray option",
        {"levers.yaml": config("kind: exact", "{kind: exact, tolerance: 1}")},
        "levers.yaml",
        8,
        "tolerance",
        "numeric",
        "graders[0].tolerance",
    ),
    Broken(
        "numeric",
        {"levers.yaml": config("kind: exact", "kind: numeric")},
        "levers.yaml",
        8,
        "5 of 5 cases",
        "another kind",
        "graders[0].kind",
    ),
    Broken(
        "field",
        {"levers.yaml": config("kind: exact", "{kind: exact, field: answer}")},
        "levers.yaml",
        8,
        "5 of 5 cases",
        '{"answer": …}',
        "graders[0].field",
    ),
    Broken(
        "no schema",
        {"levers.yaml": SCHEMA_CONFIG},
        "levers.yaml",
        8,
        "does not exist",
        "paths start",
        "graders[0].schema",
    ),
    Broken(
        "schema not named",
        {"levers.yaml": config("kind: exact", "kind: schema")},
        "levers.yaml",
        8,
        "nothing",
        "add schema",
        "graders[0].schema",
    ),
    Broken(
        "bad schema",
        {"levers.yaml": SCHEMA_CONFIG, "answer.schema.json": '{"properties": {\n "a": {\n  "type": "txt"}}}'},
        "answer.schema.json",
        3,
        '"txt"',
        "properties",
        "properties.a.type",
    ),
    Broken(
        "schema no JSON",
        {"levers.yaml": SCHEMA_CONFIG, "answer.schema.json": '{\n"type": object}'},
        "answer.schema.json",
        2,
        "column 9",
        "quotes",
    ),
    Broken(
        "schema a list",
        {"levers.yaml": SCHEMA_CONFIG, "answer.schema.json": "[]"},
        "answer.schema.json",
        1,
        "[]",
        '"type"',
    ),
    Broken(
        "unknown model",
        {"levers.yaml": config("pocket", "poket")},
        "levers.yaml",
        6,
        '"poket"',
        'did you mean "pocket"?',
        "models.answer",
    ),
    Broken(
        "unknown provider",
        {"levers.yaml": config("pocket", "opnai/gpt-4o")},
        "levers.yaml",
        6,
        "opnai",
        'did you mean "openai/gpt-4o"?',
        "models.answer",
    ),
    Broken(
        "embedder answers",
        {"levers.yaml": config("pocket", "minilm")},
        "levers.yaml",
        6,
        "an embedding model",
        "another kind",
        "models.answer",
    ),
    Broken(
        "address",
        {"levers.yaml": config("minilm", "minilm, base_url: localhost:11434")},
        "levers.yaml",
        6,
        "localhost",
        "http://",
        "models.base_url",
    ),
    Broken(
        "no documents",
        {"levers.yaml": config("docs/", "doc/")},
        "levers.yaml",
        4,
        "does not exist",
        'did you mean "docs"?',
        "knowledge.documents",
    ),
    Broken(
        "no access file",
        {"levers.yaml": config("docs/", "docs/, access: access.yaml")},
        "levers.yaml",
        4,
        "does not exist",
        "",
        "knowledge.access",
    ),
    Broken("empty brief", {"brief.md": "\n"}, "brief.md", 1, "an empty file", "write a brief"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: each.name)
def test_named_with_file_line_and_hint_and_nothing_written(broken: Broken, make: Make) -> None:
    root = make(broken.files)
    before = tree_hash(root)
    report = check(root)
    with pytest.raises(UserError) as caught:
        load(root)
    assert tree_hash(root) == before
    assert list(caught.value.problems) == list(report.problems)
    assert len(report.problems) == 1, [str(each) for each in report.problems]
    problem = report.problems[0]
    assert problem.file == broken.file or problem.file.endswith("/" + broken.file)
    assert (problem.line, problem.field) == (broken.line, broken.field)
    assert broken.found in problem.found, problem
    assert broken.hint in problem.hint, problem
    assert problem.hint and problem.expected, "every problem says what was expected and what to do"


def test_all_problems_of_all_files_at_once(make: Make) -> None:
    root = make(
        {
            "levers.yaml": config("targets:", "target:").replace("pocket", "poket"),
            "golden.jsonl": golden(case(6, "tset")) + "{\n",
            "examples.jsonl": "[]\n",
            "brief.md": "",
        }
    )
    places = [(each.file, each.line) for each in check(root).problems]
    assert sorted(places, key=str) == [
        ("brief.md", 1),
        ("examples.jsonl", 1),
        ("golden.jsonl", 6),
        ("golden.jsonl", 7),
        ("levers.yaml", 6),
        ("levers.yaml", 9),
    ]


def test_a_wholly_wrong_file_is_reported_briefly(make: Make) -> None:
    report = check(make({"golden.jsonl": "no JSON here\n" * 1000}))
    assert len(report.problems) == 201
    assert report.problems[-1].found == "800 more problems in this file"
