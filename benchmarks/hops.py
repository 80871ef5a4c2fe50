"""Questions that need two to four passages: how many get all of them among the first eight, in one step and in two.

The set is musique_100 (100 questions, 1,890 passages), under $LEVERS_DATA. The limit is one step of the same search.
"""

import json
from typing import Any

from benchmarks import Row, Skipped, data_folder
from benchmarks.retrieval import state_of
from levers.errors import MissingExtra
from levers.knowledge import Access, Index
from levers.knowledge.beir import Corpus
from levers.knowledge.index import build_from
from levers.knowledge.measure import WHOLE
from levers.model import open_embedder, open_reranker

SET = "musique_100"
SHOWN = 8


def measure() -> list[Row]:
    """Search with one hop and with two, reranked and not."""
    folder = data_folder() / SET
    if not folder.is_dir():
        raise Skipped(f"{folder} is not there: set LEVERS_DATA")
    passages = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    asked = json.loads((folder / "questions.json").read_text(encoding="utf-8"))
    corpus = {f"p{at:04d}": (each["title"], each["text"]) for at, each in enumerate(passages)}
    names = {each: name for name, each in corpus.items()}
    try:
        index = build_from(Corpus(corpus), "", Access(), open_embedder("minilm"), state_of(SET), WHOLE)
        reranker = open_reranker("minilm")
    except MissingExtra as error:
        raise Skipped(str(error)) from error
    gold = [
        {names[each["title"], each["paragraph_text"]] for each in row["paragraphs"] if each["is_supporting"]}
        for row in asked
    ]
    rows = []
    for label, searched in (("hybrid search", index), ("hybrid search, reranked", index.reranked(reranker))):
        one, two = (_whole(searched, asked, gold, hops) for hops in (1, 2))
        note = f"above 1: two steps find more; {len(asked)} questions"
        what = f"{label}, two steps: all gold passages among the first {SHOWN}"
        rows.append(Row("hops", what, two, "the same search in one step", one, "questions", note))
    return rows


def _whole(index: Index, asked: list[dict[str, Any]], gold: list[set[str]], hops: int) -> int:
    found = index.search([row["question"] for row in asked], k=SHOWN, hops=hops)
    return sum(wanted <= {each.document for each in passages} for passages, wanted in zip(found, gold, strict=True))
