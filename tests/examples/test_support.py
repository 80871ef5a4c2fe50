"""The `support` example keeps its promises: every answer stands in its evidence, no example gives a case away."""

import csv
import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from rapidfuzz import fuzz, process

from levers.knowledge import Access, Chunk, Library, chunk, load_access, read_library
from levers.stack.records import Answer
from levers.task import Task, check, init, load
from levers.trial.graders import Kit, grade
from levers.trial.text import contains

ROOT = Path(str(resources.files("levers") / "examples" / "support"))
RECIPE = Path(__file__).parents[2] / "recipes" / "support"
REFUSAL = "not in our documents"
HANDOVER = ("no", "yes")


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]


def accepted(case: dict) -> list[str]:
    answer = case["expected"]["answer"]
    return answer if isinstance(answer, list) else [answer]


def asked(example: dict) -> str:
    return example["messages"][0]["content"]


def reply(example: dict) -> dict:
    return json.loads(example["messages"][1]["content"])


GOLDEN = rows("golden.jsonl")
EXAMPLES = rows("examples.jsonl")


@pytest.fixture(scope="module")
def access() -> Access:
    return load_access(ROOT / "access.yaml")


@pytest.fixture(scope="module")
def library(access: Access) -> Library:
    return read_library(ROOT / "docs", "docs/", access)


@pytest.fixture(scope="module")
def sections(library: Library) -> dict[str, str]:
    """Texts by "document#section"; a document without headings has no section."""
    texts: dict[str, str] = {}
    for piece in (piece for document in library.documents for piece in chunk(document)):
        name = name_of(piece)
        texts[name] = f"{texts[name]} {piece.text}" if name in texts else piece.text
    return texts


def name_of(piece: Chunk) -> str:
    return f"{piece.document}#{piece.section}" if piece.section else piece.document


def test_there_is_enough_of_everything(library):
    parts = Counter(case["partition"] for case in GOLDEN)
    assert parts["dev"] >= 104
    assert parts["test"] >= 62
    assert parts["edge"] >= 24
    assert len(EXAMPLES) >= 340
    assert len(library.documents) >= 44
    assert library.problems == ()
    kinds = Counter(Path(document.id).suffix for document in library.documents)
    assert kinds[".txt"] == kinds[".html"] == 2
    assert sum(document.id.startswith("docs/products/") for document in library.documents) >= 14


def test_the_project_checks_clean(library, sections):
    known: dict[str, list[str]] = {}
    for name in sections:
        document, _, section = name.partition("#")
        known.setdefault(document, []).append(section)
    report = check(ROOT, sections=lambda document: known.get(document, []))
    assert report.problems == ()


def test_init_copies_a_project_that_loads(tmp_path):
    task = load(init(tmp_path / "shop", "support"))
    assert len(task.cases) == len(GOLDEN)
    assert len(task.examples) == len(EXAMPLES)


def test_ids_are_unique_and_the_schema_accepts_every_expectation():
    assert max(Counter(case["id"] for case in GOLDEN).values()) == 1
    schema = json.loads((ROOT / "answer.schema.json").read_text(encoding="utf-8"))
    assert tuple(schema["properties"]["handover"]["enum"]) == HANDOVER
    for case in GOLDEN:
        jsonschema.validate({"answer": accepted(case)[0], "handover": case["expected"]["handover"]}, schema)
    for example in EXAMPLES:
        jsonschema.validate(reply(example), schema)


def test_examples_are_written_in_the_house_format():
    for example in EXAMPLES:
        written = example["messages"][1]["content"]
        value = json.loads(written)
        assert written == json.dumps({"answer": value["answer"], "handover": value["handover"]}, ensure_ascii=False)


@pytest.mark.parametrize("case", [case for case in GOLDEN if case["evidence"]], ids=lambda case: case["id"])
def test_accepted_answers_stand_in_the_evidence(case, sections):
    assert all(name in sections for name in case["evidence"])
    for text in accepted(case):
        assert all(contains(sections[name], text) for name in case["evidence"]), text


def test_example_answers_stand_in_the_evidence(sections):
    for example in (example for example in EXAMPLES if example["evidence"]):
        for name in example["evidence"]:
            assert contains(sections[name], reply(example)["answer"]), asked(example)


def test_refusals_are_refusals_in_both_fields():
    pairs = [(accepted(case)[0], case["expected"]["handover"], case["evidence"]) for case in GOLDEN]
    pairs += [(reply(each)["answer"], reply(each)["handover"], each["evidence"]) for each in EXAMPLES]
    for answer, handover, evidence in pairs:
        assert (answer == REFUSAL) == (handover == "yes")
        assert not (answer == REFUSAL and evidence)
    for part, low, high in (("dev", 0.07, 0.14), ("test", 0.07, 0.14)):
        cases = [case for case in GOLDEN if case["partition"] == part]
        assert low <= sum(case["expected"]["handover"] == "yes" for case in cases) / len(cases) <= high
    assert 0.09 <= sum(reply(each)["handover"] == "yes" for each in EXAMPLES) / len(EXAMPLES) <= 0.15


@pytest.mark.parametrize("part", ["dev", "test"])
def test_every_current_document_is_asked_about(part, library):
    old = {each.document for each in library.superseded}
    asked_about = {name.split("#")[0] for case in GOLDEN if case["partition"] == part for name in case["evidence"]}
    assert {document.id for document in library.documents} - old == asked_about


def test_no_example_gives_a_golden_case_away():
    golden = [case["input"].lower() for case in GOLDEN]
    scores = process.cdist([asked(each).lower() for each in EXAMPLES], golden, scorer=fuzz.token_set_ratio)
    assert scores.max() < 85


def test_few_examples_share_a_fact_with_the_golden_set():
    facts = {(name, text.lower()) for case in GOLDEN for name in case["evidence"] for text in accepted(case)}
    shared = [
        each for each in EXAMPLES if any((name, reply(each)["answer"].lower()) in facts for name in each["evidence"])
    ]
    assert len(shared) <= 0.25 * len(EXAMPLES)


def test_only_staff_may_read_the_staff_pages(library, sections, access):
    closed = {document.id for document in library.documents if document.groups}
    assert closed == {"docs/staff/discounts.md", "docs/staff/escalation.md"}
    for case in GOLDEN:
        staff_matter = "staff" in case["tags"]
        assert staff_matter == any(name.split("#")[0] in closed for name in case["evidence"])
        if staff_matter:
            assert access.groups_of(case["user"]) == {"staff"}
            public = [text for name, text in sections.items() if name.split("#")[0] not in closed]
            assert not any(contains(text, accepted(case)[0]) for text in public), case["id"]
        else:
            assert access.groups_of(case["user"]) == {"customers"}


def test_the_standard_shipping_price_stands_in_one_current_section(library, sections):
    """So that whoever changes it there changes what the shop says."""
    [replaced] = library.superseded
    assert (replaced.document, replaced.by) == ("docs/shipping/rates-2024.md", "docs/shipping/rates.md")
    [home] = {
        case["evidence"][0]
        for case in GOLDEN
        if case["evidence"] == ["docs/shipping/rates.md#standard-delivery"] and "€" in accepted(case)[0]
    }
    price = re.search(r"costs (€\d+\.\d\d)", sections[home])[1]
    assert [name for name, text in sections.items() if contains(text, price[1:])] == [home]
    stale = re.search(r"costs (€\d+\.\d\d)", sections["docs/shipping/rates-2024.md#standard-shipping"])[1]
    assert stale != price
    assert not any(contains(asked(each) + reply(each)["answer"], price[1:]) for each in EXAMPLES)


def test_the_contradiction_is_asked_about():
    parts = Counter(case["partition"] for case in GOLDEN if "superseded" in case["tags"])
    assert parts["dev"] >= 2
    assert parts["test"] >= 1


def products() -> list[tuple]:
    with closing(sqlite3.connect(ROOT / "tables.db")) as connection:
        return connection.execute("SELECT sku, name, category, price_eur, stock, weight_g FROM products").fetchall()


def test_the_table_agrees_with_the_product_pages(sections):
    found = products()
    assert len(found) >= 25
    for sku, name, _, price, _, weight in found:
        [text] = [text for section, text in sections.items() if section.startswith("docs/products/") and sku in text]
        prices = re.findall(r"€\d+\.\d\d", text)
        assert f"€{price:.2f}" in prices, (name, prices)
        weights = re.findall(r"(\d+) g\b", text)
        assert not weights or sku.startswith(("TW-6030", "TW-9")) or str(weight) in weights, (name, weights)
    mentioned = {sku for text in sections.values() for sku in re.findall(r"TW-\d{4}", text)}
    assert mentioned == {row[0] for row in found}


def test_the_table_is_what_the_recipe_builds(tmp_path):
    if not RECIPE.is_dir():
        pytest.skip("the recipes are not beside the tests")
    target = tmp_path / "tables.db"
    script = "import sys, pathlib, build_tables as b; b.build(*map(pathlib.Path, sys.argv[1:]))"
    command = [sys.executable, "-c", script, str(RECIPE / "products.csv"), str(target)]
    subprocess.run(command, check=True, cwd=RECIPE)
    with closing(sqlite3.connect(target)) as connection:
        built = connection.execute("SELECT * FROM products").fetchall()
    assert built == products()
    with (RECIPE / "products.csv").open(encoding="utf-8", newline="") as file:
        assert [row["sku"] for row in csv.DictReader(file)] == [row[0] for row in built]


def test_questions_about_stock_are_answered_by_the_table():
    stock = {row[1].lower(): row[4] for row in products()}
    cases = [case for case in GOLDEN if "table" in case["tags"]]
    assert Counter(case["partition"] for case in cases) == {"dev": 3, "test": 2}
    for case in cases:
        words = set(re.findall(r"\w+", case["input"].lower()))
        named = max(
            stock, key=lambda name: sum(word.rstrip("s") in {w.rstrip("s") for w in words} for word in name.split())
        )
        assert accepted(case) == [str(stock[named])], (case["input"], named)


@pytest.fixture(scope="module")
def task() -> Task:
    return load(ROOT)


def test_the_graders_pass_the_expected_answer_and_fail_another(task):
    kit = Kit(schemas=task.schemas, root=task.root)
    for case in task.cases:
        wanted = case.expected["answer"]
        for text in wanted if isinstance(wanted, list | tuple) else [wanted]:
            said = Answer(id=case.id, text=json.dumps({"answer": text, "handover": case.expected["handover"]}))
            assert all(grade(spec, case, said, kit).passed for spec in task.config.graders), case.id
        wrong = Answer(id=case.id, text=json.dumps({"answer": "a blue moon", "handover": "yes"}))
        assert not all(grade(spec, case, wrong, kit).passed for spec in task.config.graders)
