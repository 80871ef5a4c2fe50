import gzip
import json
import math

import pytest
from knowledge.conftest import write

from levers.errors import UserError
from levers.knowledge import Access, build
from levers.knowledge.beir import read_beir
from levers.knowledge.measure import Asked, evidence_ranks, mean_reciprocal, measure, score

TEXTS = {"d1": "tents are light", "d2": "boots are heavy", "d3": "ropes are long and light", "d4": "lamps shine"}


def jsonl(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path):
    corpus = jsonl({"_id": name, "title": "", "text": text} for name, text in TEXTS.items())
    write(
        tmp_path,
        {
            "corpus.jsonl.gz": gzip.compress(corpus.encode()),
            "queries.jsonl": jsonl([{"_id": "q1", "text": "light ropes"}, {"_id": "q2", "text": "shining lamps"}]),
            "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td3\t2\nq1\td1\t1\nq2\td2\t1\nq2\td4\t0\n",
        },
    )
    return tmp_path


def test_a_data_set_is_measured_as_the_definitions_say(folder, embedder):
    judged = read_beir(folder)
    assert judged.grades == {"q1": {"d3": 2, "d1": 1}, "q2": {"d2": 1}} and len(judged.corpus) == 4
    bm25, dense = measure(judged, embedder, folder / "indexes", ways=[("bm25", None), ("dense", None)])
    # q1: d3 then d1, the ideal order; q2: only d4 holds its words, and d4 does not count
    assert (bm25.ndcg, bm25.mrr, bm25.recall[5]) == pytest.approx((0.5, 0.5, 0.5))
    assert dense.recall[100] == 1 and dense.chunks == 4 and dense.words is None and bm25.ms > 0
    assert bm25.low <= bm25.ndcg <= bm25.high
    embedder.batches.clear()
    assert measure(judged, embedder, folder / "indexes", ways=[("bm25", None)])[0].ndcg == bm25.ndcg
    assert embedder.batches == [("query", 2)]


def test_figures_are_those_of_the_field():
    found = score({"q": {"a": 1, "b": 1}}, {"q": {"x": 3.0, "a": 2.0, "y": 1.0}})
    ideal = 1 + 1 / math.log2(3)
    assert found["ndcg"] == pytest.approx((1 / math.log2(3)) / ideal)
    assert (found["mrr"], found["recall"]) == (0.5, {5: 0.5, 10: 0.5, 100: 0.5})
    assert score({"q": {"a": 1}, "silent": {"b": 1}}, {"q": {"a": 1.0}, "silent": {}})["mrr"] == 0.5


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n{"id": 1}\n', ["queries.jsonl:2"]),
        ("queries.jsonl", '{"_id": "q1", "text": "a"}\n', ["qrels/test.tsv: found query 'q2'"]),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1 d1 1\n", ["qrels/test.tsv:2"]),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td9\t1\n", ["document 'd9'"]),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t0\n", ["qrels/test.tsv", "a grade above 0"]),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t--1\n", ["qrels/test.tsv:2"]),
        ("queries.jsonl", '{"_id": "q1", "text": null}\n', ["queries.jsonl:1"]),
        ("queries.jsonl", '{"_id": "q1", "text": "a", "x": ' + "[" * 99999 + "]" * 99999 + "}\n", ["queries.jsonl:1"]),
        (
            "queries.jsonl",
            '{"_id": "q1", "text": "a"}\n{"_id": "q2", "text": "b"}\n{"_id": "q1", "text": "c"}\n',
            ["queries.jsonl:3", "the _id 'q1' of line 1 again"],
        ),
        ("corpus.jsonl.gz", b"\x1f\x8b broken", ["corpus.jsonl.gz"]),
    ],
)
def test_what_is_wrong_with_a_data_set_is_said(folder, name, content, told):
    write(folder, {name: content})
    with pytest.raises(UserError) as caught:
        read_beir(folder)
    assert all(each in str(caught.value) for each in told)


@pytest.mark.parametrize("harm", ["cut", "noise"])
def test_damaged_qrels_are_named(folder, harm):
    (folder / "qrels/test.tsv").unlink()
    packed = gzip.compress("".join(f"q1\td{at}\t{at}\n" for at in range(2000)).encode())
    write(folder, {"qrels/test.tsv.gz": packed[:-12] if harm == "cut" else packed[:900] + b"\xff" * 90 + packed[990:]})
    with pytest.raises(UserError, match="fetch it again"):
        read_beir(folder)


def test_halves_of_characters_in_a_data_set_do_not_stop_it(folder, embedder):
    write(folder, {"corpus.jsonl": jsonl([{"_id": name, "text": f"{text} \ud83d"} for name, text in TEXTS.items()])})
    (folder / "corpus.jsonl.gz").unlink()
    write(
        folder, {"queries.jsonl": jsonl([{"_id": "q1", "text": "light ropes \ud800"}, {"_id": "q2", "text": "lamps"}])}
    )
    assert measure(read_beir(folder), embedder, folder / "indexes", ways=[("hybrid", None)])[0].chunks == 4


def test_missing_files_and_splits_are_named_together(folder):
    (folder / "queries.jsonl").unlink()
    with pytest.raises(UserError) as caught:
        read_beir(folder, "dev")
    assert len(caught.value.problems) == 2 and "splits test" in str(caught.value)


def test_a_question_without_evidence_has_no_rank(tmp_path, embedder):
    write(tmp_path, {"docs/a.md": "# A\n\nThe key hangs at hook1."})
    index = build(tmp_path / "docs", "docs", Access(), embedder, tmp_path / "indexes")
    asked = [
        Asked(query="hook1", sections=(("docs/none.md", None),)),
        Asked(query="hook1", sections=(("docs/a.md", "a"),)),
    ]
    assert evidence_ranks(index, asked) == (None, 1)
    assert mean_reciprocal((None, 1, 2)) == 0.5 and mean_reciprocal(()) == 0.0


def test_another_embedder_may_ask_while_passages_stay(folder, embedder):
    class Blind:
        id, dimension = "blind", embedder.dimension

        def embed(self, texts, kind):
            assert kind == "query"
            return embedder.embed(["lamps shine"] * len(texts), kind)

    judged = read_beir(folder)
    found = measure(judged, embedder, folder / "indexes", ways=[("dense", None)], asked_by=Blind())[0]
    assert found.sharpened and found.mrr == pytest.approx((1 / 4 + 1 / 4) / 2, abs=0.3)
    assert not measure(judged, embedder, folder / "indexes", ways=[("dense", None)])[0].sharpened


def test_answering_characters_are_read_and_checked(folder):
    write(folder, {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td3#0-9\t1\nq1\td3\t1\nq2\td4#0-4\t1\n"})
    judged = read_beir(folder)
    assert judged.grades == {"q1": {"d3": 1}, "q2": {"d4": 1}}
    assert judged.spans == {"q1": (("d3", 0, 9),), "q2": (("d4", 0, 4),)}
    write(folder, {"qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td3#5-900\t1\n"})
    with pytest.raises(UserError, match="characters 5 to 900"):
        read_beir(folder)
