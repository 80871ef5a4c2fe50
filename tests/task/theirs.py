"""Files as the other projects write them: what the importers are tested on."""

import json
from pathlib import Path
from typing import Any

import pytest

PROMPTFOO = """\
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Support bot
prompts:
  - |
    You are the shop's assistant. Answer briefly.
    Question: {{question}}
providers:
  - id: openai:gpt-4.1-mini
    config: {temperature: 0}
defaultTest:
  options: {provider: openai:gpt-4.1}
  assert:
    - {type: not-icontains, value: as an AI}
    - {type: latency, threshold: 2000}
tests:
  - description: plain
    vars: {question: How long may I return a tent?}
    assert:
      - {type: icontains, value: 30 days}
  - vars: {question: Where is the shop?}
    assert:
      - {type: contains-any, value: [Bern, Berne]}
  - vars: {question: What do I need for a return?}
    assert:
      - {type: contains-all, value: [receipt, box]}
      - {type: javascript, value: output.length < 200}
  - vars:
      question: What is the capital of {{country}}?
      country: France
    assert:
      - {type: equals, value: "Paris, {{country}}"}
  - vars: {question: Order number?}
    assert:
      - {type: regex, value: "TW-\\\\d{4}"}
      - {type: is-json, value: {type: object, required: [answer]}}
  - vars: {question: Say hello, language: [French, German]}
    assert:
      - {type: llm-rubric, value: "greets in {{language}}"}
  - vars: {question: Do you repair stoves?}
    assert:
      - {type: similar, value: We repair stoves of every make., threshold: 0.85}
  - file://more.csv
"""
MORE = """\
question,__expected
Is there a discount?,icontains: 10 %
Who owns the shop?,The Tarnwick family
"""

RAGAS = [
    {
        "user_input": "Which metrics does ragas have?",
        "reference_contexts": ["Ragas offers faithfulness.", "It offers context recall too."],
        "reference": "Faithfulness and context recall.",
        "synthesizer_name": "single_hop_specific_query_synthesizer",
        "response": "I do not know.",
        "retrieved_contexts": ["something else"],
    },
    {
        "user_input": [
            {"type": "human", "content": "Hi"},
            {"type": "ai", "content": "Hello!"},
            {"type": "human", "content": "Where is it hosted?"},
        ],
        "reference": "On GitHub.",
        "reference_contexts": ["The code is on GitHub."],
    },
    {"question": "Who wrote it?", "ground_truth": "Two founders.", "contexts": ["Founded by two."], "answer": "x"},
]

DEEPEVAL = [
    {
        "input": "How do I reset my password?",
        "actual_output": None,
        "expected_output": "Open settings and choose reset.",
        "context": ["To reset a password open settings.", "Choose reset there."],
        "source_file": "kb/account.md",
    },
    {
        "input": "How do I delete my account?",
        "actual_output": "no",
        "expected_output": "Write to support.",
        "context": None,
        "source_file": None,
    },
    {
        "input": "What does it cost?",
        "expected_output": "10 dollars.",
        "retrieval_context": ["x"],
        "context": ["10 dollars"],
    },
]

CHATS = [
    {"messages": [{"role": "system", "content": "Be brief."}, *turns]}
    for turns in (
        [{"role": "user", "content": "Capital of France?"}, {"role": "assistant", "content": "Paris"}],
        [
            {"role": "user", "content": [{"type": "text", "text": "Capital of Italy?"}]},
            {"role": "assistant", "content": "Rome", "weight": 1},
        ],
        [
            {"role": "user", "content": "Capital of Spain?"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]},
        ],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Capital of Peru?"},
            {"role": "assistant", "content": "Lima"},
        ],
    )
]


def datapoint(number: int, **more: Any) -> dict[str, Any]:
    """A datapoint as TensorZero's gateway lists it."""
    return {
        "dataset_name": "capitals",
        "function_name": "answer",
        "id": f"01960832-7028-743c-8c44-a598aa5130f{number}",
        "episode_id": None,
        "input": {
            "system": {"assistant_name": "Dummy"},
            "messages": [{"role": "user", "content": [{"type": "text", "value": f"Capital of country {number}?"}]}],
        },
        "output": [{"type": "text", "text": f"City {number}"}],
        "tool_params": None,
        "tags": {"author": "ana"},
        "auxiliary": "{}",
        "is_deleted": False,
        **more,
    }


TENSORZERO = [
    datapoint(1),
    datapoint(2, output={"raw": '{"city": "Rome"}', "parsed": {"city": "Rome"}}, function_name="extract"),
    datapoint(3, output=None),
    datapoint(4, output=[{"type": "tool_call", "name": "f", "arguments": {}}]),
    datapoint(5, input={"messages": [{"role": "user", "content": "Capital of Peru?"}]}),
]


def attribute(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value if isinstance(value, str) else json.dumps(value)}}


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    scope = {"scope": {"name": "opentelemetry.instrumentation.openai_v2"}, "spans": list(spans)}
    return {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "bot")]}, "scopeSpans": [scope]}]}


def parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "content": text}]


OTEL = [
    export(
        {
            "spanId": "eee19b7ec3c1b174",
            "name": "chat gpt-4o",
            "attributes": [
                attribute("gen_ai.operation.name", "chat"),
                attribute("gen_ai.response.model", "gpt-4o-2024-08-06"),
                attribute("gen_ai.system_instructions", parts("Be brief.")),
                attribute("gen_ai.input.messages", [{"role": "user", "parts": parts("Weather in Paris?")}]),
                attribute(
                    "gen_ai.output.messages", [{"role": "assistant", "parts": parts("Rainy."), "finish_reason": "stop"}]
                ),
            ],
        },
        {"spanId": "a1", "name": "GET /", "attributes": [attribute("http.method", "GET")]},
        {"spanId": "a2", "name": "chat gpt-4o", "attributes": [attribute("gen_ai.operation.name", "chat")]},
    ),
    export(
        {
            "spanId": "b7ad6b7169203331",
            "name": "chat gpt-4o-mini",
            "attributes": [attribute("gen_ai.request.model", "gpt-4o-mini")],
            "events": [
                {"name": "gen_ai.system.message", "attributes": [attribute("content", "Be brief.")]},
                {"name": "gen_ai.user.message", "attributes": [attribute("content", "Weather in Rome?")]},
                {
                    "name": "gen_ai.choice",
                    "attributes": [attribute("message", {"content": "Sunny.", "role": "assistant"})],
                },
            ],
        },
        {
            "spanId": "c1",
            "name": "openai.chat",
            "attributes": [
                attribute("gen_ai.request.model", "gpt-4o-mini"),
                attribute("gen_ai.prompt.0.role", "system"),
                attribute("gen_ai.prompt.0.content", "Be brief."),
                attribute("gen_ai.prompt.1.role", "user"),
                attribute("gen_ai.prompt.1.content", "Weather in Oslo?"),
                attribute("gen_ai.completion.0.content", "Snow."),
            ],
        },
    ),
]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def beir(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        lines([{"_id": f"d{n}", "title": f"Paper {n}", "text": f"Finding {n}.", "metadata": {}} for n in range(4)])
    )
    (folder / "queries.jsonl").write_text(
        lines([{"_id": str(n), "text": f"Is finding {n} true?", "metadata": {}} for n in range(4)])
    )
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n0\td0\t1\n0\td3\t0\n1\td1\t2\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n2\td2\t1\n3\td3\t1\n3\td0\t1\n")
    return folder


def autorag(folder: Path) -> Path:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    folder.mkdir(parents=True)
    corpus = {
        "doc_id": ["0eec7e3a-e1c0", "doc/2"],
        "contents": ["Tents: 30 days.", "Boots: 14 days."],
        "metadata": [{"last_modified_datetime": "2024-01-01"}] * 2,
    }
    questions = {
        "qid": ["q-1", "q-2", "q-3"],
        "query": ["How long for tents?", "How long for boots?", "How long for both?"],
        "retrieval_gt": [[["0eec7e3a-e1c0"]], [["doc/2"]], [["0eec7e3a-e1c0"], ["doc/2"]]],
        "generation_gt": [["30 days", "a month"], ["14 days"], ["30 and 14 days"]],
    }
    parquet.write_table(pyarrow.table(corpus), folder / "corpus.parquet")
    parquet.write_table(pyarrow.table(questions), folder / "qa.parquet")
    return folder


def source(kind: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if kind in ("beir", "autorag"):
        return {"beir": beir, "autorag": autorag}[kind](folder / kind)
    if kind == "promptfoo":
        (folder / "more.csv").write_text(MORE)
        (folder / "promptfooconfig.yaml").write_text(PROMPTFOO)
        return folder
    path = folder / f"{kind}.{'json' if kind == 'deepeval' else 'jsonl'}"
    rows = {"ragas": RAGAS, "deepeval": DEEPEVAL, "openai": CHATS, "tensorzero": TENSORZERO, "otel": OTEL}[kind]
    path.write_text(json.dumps(rows, indent=4) if kind == "deepeval" else lines(rows))
    return path
