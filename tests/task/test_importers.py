"""Importers, each on files as the other project writes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.task.theirs import CHATS, OTEL, beir, lines, source

from levers.errors import UserError
from levers.task import load
from levers.task.importers import READERS, Written, write_project
from levers.task.records import Task


def imported(kind: str, tmp_path: Path) -> tuple[Written, Task]:
    found = READERS[kind](source(kind, tmp_path / "theirs"))
    written = write_project(found, tmp_path / "ours", kind)
    return written, load(tmp_path / "ours")


def by_question(task: Task) -> dict[str, Any]:
    return {case.question: case for case in task.cases}


@pytest.mark.parametrize("kind", READERS)
def test_every_import_is_a_sound_project_and_the_same_one_again(kind: str, tmp_path: Path) -> None:
    written, task = imported(kind, tmp_path)
    assert written.cases["dev"] and written.cases["test"] and sum(written.cases.values()) == len(task.cases)
    assert len(list((tmp_path / "ours" / "docs").rglob("*.md"))) == written.documents if written.documents else True
    again = write_project(READERS[kind](source(kind, tmp_path / "again")), tmp_path / "twice", kind)
    assert again == written.model_copy(update={"path": again.path})
    assert load(tmp_path / "twice").digest == task.digest


def test_promptfoo_assertions_become_graders(tmp_path: Path) -> None:
    written, task = imported("promptfoo", tmp_path)
    cases = by_question(task)
    assert "[question]" in task.instructions and "shop's assistant" in task.instructions
    assert cases["How long may I return a tent?"].expected == "30 days"
    assert cases["Where is the shop?"].expected == ("Bern", "Berne")
    assert cases["What do I need for a return?"].expected == {"part 1": "receipt", "part 2": "box"}
    assert cases["country: France\nWhat is the capital of France?"].expected == "Paris, France"
    assert {"language: French\nSay hello", "language: German\nSay hello"} <= set(cases)
    assert cases["language: German\nSay hello"].expected == "greets in German"
    assert cases["Is there a discount?"].expected == "10 %"
    assert cases["Who owns the shop?"].expected == "The Tarnwick family"
    kinds = {spec.kind for spec in task.config.graders}
    assert kinds == {"contains", "exact", "regex", "schema", "judge", "semantic", "tone"}
    everywhere = [spec for spec in task.config.graders if spec.only is None]
    assert [spec.kind for spec in everywhere] == ["tone"] and everywhere[0].rules is not None
    judge = next(spec for spec in task.config.graders if spec.kind == "judge")
    assert judge.model == "openai/gpt-4.1" and judge.only
    assert next(spec for spec in task.config.graders if spec.kind == "semantic").threshold == 0.85
    assert task.config.targets.p95_ms == 2000
    assert any("javascript" in note for note in written.notes)
    chosen = {spec.name for spec in task.config.graders if set(spec.only or ()) & set(cases["Order number?"].tags)}
    assert chosen == {"regex", "schema"}


def promptfoo(folder: Path, **files: str) -> Path:
    """Write files by their stems, and a configuration under `config`."""
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text)
    return folder / "config.yaml"


def test_promptfoo_reads_the_files_that_stand_for_mappings(tmp_path: Path) -> None:
    config = promptfoo(
        tmp_path,
        config_yaml="defaultTest: file://default.yaml\n"
        "tests:\n- {vars: file://one.yaml, assert: [{type: equals, value: a}]}\n",
        default_yaml="vars: [file://shop.json]\nassert:\n- {type: not-contains, value: as an AI}\n",
        shop_json='{"shop": "Bern"}',
        one_yaml="question: Where?\n",
    )
    found = READERS["promptfoo"](config)
    assert [case["input"] for case in found.cases] == ["shop: Bern\nWhere?"]
    assert [grader["kind"] for grader in found.graders] == ["tone", "exact"] and not found.notes


def test_an_answer_with_a_colon_is_no_assertion(tmp_path: Path) -> None:
    answers = ["https://example.org/form", "note: the side door", "contains: noon", "similar(0.8): Ana", "grade: kind"]
    table = "question,__expected,__expected2\n" + "".join(
        f"q{at},{text},latency(90)\n" for at, text in enumerate(answers)
    )
    config = promptfoo(tmp_path, config_yaml="tests: file://tests.csv\n", tests_csv=table)
    found = READERS["promptfoo"](config)
    assert [case["expected"] for case in found.cases] == [*answers[:2], "noon", "Ana", "kind"]
    assert found.targets == {"p95_ms": 90.0}
    kinds = [(grader["kind"], grader.get("threshold")) for grader in found.graders]
    assert kinds == [("exact", None), ("contains", None), ("semantic", 0.8), ("judge", None)]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"tests": "q,__expected\none,a\ntwo,b,c\n\nthree\n"}, ["tests.csv:3: found 3 cells", "tests.csv:5: found 1"]),
        ({"tests": 'q,__expected\none,a\ntwo,"b\n'}, ["tests.csv:3: found unexpected end", "close the quotes"]),
        ({"config": "tests: file://tests.jsonl\n"}, ["tests.jsonl:2: found", "valid JSON", "tests.jsonl:3: found 3"]),
        ({"config": "tests: [{vars: file://gone.yaml}]\n"}, ["config.yaml: vars: found", "gone.yaml", "not there"]),
        ({"config": "tests: [{vars: file://vars.js}]\n"}, ["config.yaml: vars: found", ".yaml or .json", "no code"]),
        ({"config": "defaultTest: 3\ntests: [{vars: {q: x}}]\n"}, ["config.yaml: defaultTest: found 3"]),
        ({"config": "defaultTest: file://list.yaml\ntests: [{vars: {q: x}}]\n"}, ["list.yaml:1: found no mapping"]),
        ({"schema": '{\n"type": "object",}'}, ["schema.json:2: found", "valid JSON"]),
        ({"schema": "[]"}, ["schema.json:1: found []", "a JSON Schema"]),
    ],
)
def test_a_faulty_file_beside_the_configuration_is_named(
    files: dict[str, str], says: list[str], tmp_path: Path
) -> None:
    schema = (
        "tests:\n- {vars: {q: x}, assert: [{type: equals, value: a}, {type: is-json, value: file://schema.json}]}\n"
    )
    config = promptfoo(
        tmp_path,
        config_yaml=files.get("config", schema if "schema" in files else "tests: file://tests.csv\n"),
        tests_csv=files.get("tests", ""),
        tests_jsonl='{"vars": {"q": "x"}}\n{"vars":\n3\n',
        schema_json=files.get("schema", ""),
        list_yaml="- x\n",
    )
    with pytest.raises(UserError) as raised:
        READERS["promptfoo"](config)
    assert all(each in str(raised.value) for each in says), str(raised.value)


def test_a_schema_in_code_is_told(tmp_path: Path) -> None:
    check = "{type: is-json, value: file://schema.js}"
    config = promptfoo(
        tmp_path, config_yaml=f"tests: [{{vars: {{q: x}}, assert: [{{type: equals, value: a}}, {check}]}}]\n"
    )
    assert any("schema.js" in note for note in READERS["promptfoo"](config).notes)


def test_a_csv_cell_is_neither_swallowed_nor_too_long(tmp_path: Path) -> None:
    path, long = tmp_path / "set.csv", "word " * 40_000
    path.write_text(f"user_input,reference,reference_contexts\nWho?,Ana,{long}\n")
    assert list(READERS["ragas"](path).documents.values()) == [long.strip() + "\n"]
    path.write_text("user_input,reference,reference_contexts\nWho?,Ana, the librarian,['p']\nWhere?,Here,['q'],x\n")
    with pytest.raises(UserError) as raised:
        READERS["ragas"](path)
    assert [(problem.file, problem.line, problem.found) for problem in raised.value.problems] == [
        ("set.csv", 2, "4 cells"),
        ("set.csv", 3, "4 cells"),
    ]


def test_ragas_and_deepeval_bring_their_passages(tmp_path: Path) -> None:
    _, task = imported("ragas", tmp_path / "ragas")
    cases = by_question(task)
    first = cases["Which metrics does ragas have?"]
    assert first.expected == "Faithfulness and context recall." and len(first.evidence) == 2
    assert first.tags == ("single_hop_specific_query_synthesizer",)
    assert [turn.role for turn in cases["Where is it hosted?"].input] == ["user", "assistant", "user"]
    assert cases["Who wrote it?"].expected == "Two founders."
    documents = [path.read_text() for path in (tmp_path / "ragas" / "ours" / "docs").iterdir()]
    assert len(documents) == 4 and "I do not know" not in str(task.cases)
    _, task = imported("deepeval", tmp_path / "deepeval")
    cases = by_question(task)
    assert cases["How do I reset my password?"].source == "kb/account.md"
    assert len(cases["How do I reset my password?"].evidence) == 2
    assert cases["How do I delete my account?"].evidence == ()


def test_deepeval_csv_joins_its_passages_with_bars(tmp_path: Path) -> None:
    path = tmp_path / "goldens.csv"
    path.write_text("input,actual_output,expected_output,context,source_file\nHow?,,So.,one|two,a.md\nWhy?,,Thus.,,\n")
    found = READERS["deepeval"](path)
    assert sorted(found.documents.values()) == ["one\n", "two\n"]
    assert [case["expected"] for case in found.cases] == ["So.", "Thus."]


def test_autorag_and_beir_keep_relevance_and_splits(tmp_path: Path) -> None:
    _, task = imported("autorag", tmp_path / "autorag")
    cases = by_question(task)
    assert cases["How long for tents?"].expected == ("30 days", "a month")
    both = cases["How long for both?"].evidence
    assert len(both) == 2 and all((task.root / place).is_file() for place in both)
    written, task = imported("beir", tmp_path / "beir")
    cases = by_question(task)
    assert written.cases == {"dev": 2, "test": 2, "edge": 0} and written.documents == 4
    assert cases["Is finding 0 true?"].evidence == ("docs/d0.md",) and cases["Is finding 0 true?"].partition == "dev"
    assert len(cases["Is finding 3 true?"].evidence) == 2
    assert [spec.kind for spec in task.config.graders] == ["citation"]
    assert (task.root / "docs" / "d1.md").read_text() == "# Paper 1\n\nFinding 1.\n"


def test_conversations_end_in_what_is_expected(tmp_path: Path) -> None:
    written, task = imported("openai", tmp_path / "openai")
    cases = by_question(task)
    assert task.instructions == "Be brief." and set(cases) == {
        "Capital of France?",
        "Capital of Italy?",
        "Capital of Peru?",
    }
    assert len(cases["Capital of Peru?"].input) == 3 and cases["Capital of France?"].input == "Capital of France?"
    assert any("1 conversations are left out" in note for note in written.notes)
    written, task = imported("tensorzero", tmp_path / "tensorzero")
    cases = by_question(task)
    assert len(cases) == 3 and cases["Capital of country 2?"].expected == {"city": "Rome"}
    assert cases["Capital of country 1?"].tags == ("answer", "author:ana")
    assert any("several functions" in note for note in written.notes)


def test_traces_are_tagged_as_unreviewed(tmp_path: Path) -> None:
    written, task = imported("otel", tmp_path)
    cases = by_question(task)
    assert {question: case.expected for question, case in cases.items()} == {
        "Weather in Paris?": "Rainy.",
        "Weather in Rome?": "Sunny.",
        "Weather in Oslo?": "Snow.",
    }
    assert cases["Weather in Paris?"].tags == ("unreviewed", "model:gpt-4o-2024-08-06")
    assert task.instructions == "Be brief." and any("review them" in note for note in written.notes)
    whole = tmp_path / "one.json"
    whole.write_text(json.dumps(OTEL[0], indent=2))
    assert len(READERS["otel"](whole).cases) == 1


ASKED = {"input": {"messages": [{"role": "user", "content": "hi"}]}, "output": [{"type": "text", "text": "yes"}]}


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (
            "ragas",
            '{"user_input": "x"}\n{"reference": "y"}\n',
            ["ragas.jsonl:1: reference", "ragas.jsonl:2: user_input"],
        ),
        ("deepeval", '{"input": 3, "expected_output": "x"}\n', ["deepeval.jsonl:1: input"]),
        ("deepeval", '{"scenario": "s", "turns": []}\n', ["conversational golden"]),
        ("openai", '{"messages": []}\n{"prompt": "x"}\n', ["openai.jsonl:1: messages", "openai.jsonl:2: messages"]),
        ("openai", "[1]", ["expected an object"]),
        ("openai", "{", ["openai.jsonl:1", "valid JSON"]),
        ("tensorzero", '{"input": "x"}\n', ["tensorzero.jsonl:1: input"]),
        ("otel", '{"resourceSpans": []}\n', ["no GenAI span"]),
        ("promptfoo", "- just\n- a list\n", ["expected keys such as prompts"]),
        ("promptfoo", "prompts: [x]\n", ["tests"]),
        ("promptfoo", "tests: file://gone.yaml\n", ["gone.yaml"]),
        ("promptfoo", "tests: [\n", ["promptfoo.jsonl:"]),
        ("promptfoo", "tests: [{vars: {q: a}, assert: 5}]\n", ["tests[0].assert: found 5", "a list of objects"]),
        (
            "promptfoo",
            "defaultTest: {assert: 3}\ntests: [{vars: {q: a}, assert: [x]}]\n",
            ["defaultTest.assert: found 3", "tests[0]"],
        ),
        ("promptfoo", "tests: [{assert: [{type: assert-set, assert: 5}]}]\n", ["tests[0].assert[0].assert: found 5"]),
        ("tensorzero", json.dumps({**ASKED, "tags": ["a"]}) + "\n", ["tensorzero.jsonl:1: tags"]),
        ("otel", '{"data": [1]}\n', ["otel.jsonl:1: data: found [1]"]),
        ("otel", '{"resourceSpans": {"a": 1}}\n', ["otel.jsonl:1: resourceSpans", "a list of objects"]),
        ("otel", '{"resourceSpans": [{"scopeSpans": [{"spans": [{"events": 1}]}]}]}\n', ["otel.jsonl:1: events"]),
        ("beir", "", ["corpus.jsonl", "queries.jsonl", "qrels"]),
        ("autorag", "", ["qa.parquet", "corpus.parquet"]),
    ],
)
def test_a_file_that_is_no_such_file_is_refused_with_place_and_reason(
    kind: str, text: str, says: list[str], tmp_path: Path
) -> None:
    path = tmp_path / f"{kind}.jsonl"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        READERS[kind](path)
    assert all(each in str(raised.value) for each in says), str(raised.value)


def test_beir_names_every_judgement_that_points_nowhere(tmp_path: Path) -> None:
    folder = beir(tmp_path / "beir")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n9\td2\t1\n2\tx\t1\n2\td2\n")
    with pytest.raises(UserError) as raised:
        READERS["beir"](folder)
    assert [problem.line for problem in raised.value.problems] == [2, 3, 4]


def test_beir_names_ids_that_come_twice_and_texts_that_are_none(tmp_path: Path) -> None:
    folder = beir(tmp_path / "beir")
    corpus = (folder / "corpus.jsonl").read_text()
    (folder / "corpus.jsonl").write_text(
        '{"_id": "x", "text": null}\n{"_id": "y", "text": ""}\n{"_id": "y", "text": ""}\n'
    )
    with pytest.raises(UserError) as raised:
        READERS["beir"](folder)
    assert [(each.line, each.field) for each in raised.value.problems] == [(1, "text"), (3, "_id")]
    (folder / "corpus.jsonl").write_text(corpus)
    table = folder / "qrels" / "test.tsv"
    table.write_text(table.read_text() + '2\t"d2\t1\n' + "2\td2\t1\n" * 20000)
    with pytest.raises(UserError) as raised:
        READERS["beir"](folder)
    assert [(each.field, each.found) for each in raised.value.problems] == [("corpus-id", '"\\"d2"')]


def test_odd_values_of_promptfoo_and_traces_are_read(tmp_path: Path) -> None:
    config = promptfoo(
        tmp_path,
        config_yaml="prompts: [hi]\nproviders: [{text: hello}]\ntests:\n- vars: {q: a, 2024-01-01: x}\n"
        "  assert: [{type: equals, value: b}, {type: not-contains-all, value: [one, two]}]\n",
    )
    found = READERS["promptfoo"](config)
    assert [case["input"] for case in found.cases] == ["q: a\n2024-01-01: x"]
    (forbidden,) = next(each["rules"]["forbid"] for each in found.graders if each["kind"] == "tone")
    assert [bool(re.search(forbidden, text)) for text in ("two\nand one", "only one", "only two")] == [
        True,
        False,
        False,
    ]
    path = tmp_path / "spans.json"
    attributes = [{"key": "gen_ai.x", "value": {"arrayValue": None}}, {"key": "y", "value": {"kvlistValue": 3}}]
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": attributes}]}]}]}))
    with pytest.raises(UserError, match="none with a question and an answer"):
        READERS["otel"](path)


def test_nothing_is_written_where_something_lies_or_too_little_comes(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(lines(CHATS[:1]))
    with pytest.raises(UserError, match="at least 2 questions"):
        write_project(READERS["openai"](path), tmp_path / "ours", "x")
    path.write_text(lines([*CHATS, *CHATS]))
    written = write_project(READERS["openai"](path), tmp_path / "ours", "x")
    assert sum(written.cases.values()) == 3 and any("asked twice" in note for note in written.notes)
    with pytest.raises(UserError, match="not empty"):
        write_project(READERS["openai"](path), tmp_path / "ours", "x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one.jsonl", "ours"]


def test_an_empty_folder_is_filled_and_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "three.jsonl"
    path.write_text(lines(CHATS))
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path / "ours")
    write_project(READERS["openai"](path), Path(), "x")
    assert Path.cwd() == tmp_path / "ours" and load(Path.cwd()).cases


def test_labels_become_a_choice_grader(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"ticket {n}"},
                {"role": "assistant", "content": ("billing", "returns")[n % 2]},
            ]
        }
        for n in range(12)
    ]
    path.write_text(lines(rows))
    found = READERS["openai"](path)
    assert found.graders == [{"kind": "choice", "choices": ["billing", "returns"]}]
