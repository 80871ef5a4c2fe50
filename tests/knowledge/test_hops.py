"""Two steps: the first passages ask again, with what they leave open and the names they bring."""

from pathlib import Path

from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, Found, Index, Rule, build
from levers.knowledge.hops import joined, second_query
from levers.knowledge.measure import Asked, evidence_ranks

JOURNAL = "Journal of Tents is published by the Nordic Guild."
PAGES = {
    "journal.md": f"# Journal of Tents\n\n{JOURNAL}\n",
    "guild.md": "# Nordic Guild\n\nThe Nordic Guild had Ada Berg as its first president, chosen in Oslo.\n",
    "noise.md": "# Presidents\n\nThe president of the club writes the journal of the club.\n",
    "staff/guild.md": "# Nordic Guild accounts\n\nThe Nordic Guild president earns a secret sum.\n",
}
QUESTION = "Who was the first president of the body that publishes Journal of Tents?"


def passage(document: str, text: str = "", score: float = 1.0) -> Found:
    return Found(document=document, section="", heading="", text=text, start=0, end=len(text), score=score)


def indexed(folder: Path) -> Index:
    write(folder / "docs", dict(PAGES))
    access = Access(groups={"staff": ("mira",)}, rules=(Rule(path="staff/**", groups=("staff",)),))
    return build(folder / "docs", "docs", access, HashingEmbedder(), folder / "indexes")


def test_a_passage_asks_for_what_it_leaves_open():
    asked = second_query(QUESTION, passage("a", JOURNAL))
    assert asked.endswith("Nordic Guild") and "president" in asked and "Tents" not in asked
    assert second_query(QUESTION, passage("a", "it brings no name")) == ""


def test_the_asking_passage_gains_nothing_and_ties_go_by_name():
    first = [passage("a", score=1.0), passage("b", score=0.4)]
    second = [passage("a", score=0.9), passage("c", score=0.8), passage("b", score=0.1)]
    found = joined(first, [(first[0], second)])
    assert [(each.document, each.score) for each in found] == [("a", 0.5), ("c", 0.4375), ("b", 0.2)]
    assert joined(first, []) == [each.model_copy(update={"score": each.score / 2}) for each in first]


def test_the_second_passage_is_found_through_the_first(tmp_path: Path):
    index = indexed(tmp_path)

    def rank(hops: int) -> int:
        return [each.document for each in index.ranking([QUESTION], mode="bm25", hops=hops)[0]].index("docs/guild.md")

    assert rank(2) < rank(1)


def test_ranks_are_those_of_the_search_that_is_made(tmp_path: Path):
    index = indexed(tmp_path)
    asked = [Asked(query=QUESTION, sections=(("docs/guild.md", None),))]
    (one,), (two,) = (evidence_ranks(index, asked, "bm25", hops) for hops in (1, 2))
    shown = [each.document for each in index.search([QUESTION], k=9, mode="bm25", hops=2)[0]]
    assert one and two and two < one and shown[two - 1] == "docs/guild.md"
    worded = index.rank_of((QUESTION, "Nordic Guild Ada Berg"), "docs/guild.md", mode="bm25")
    assert worded is not None and worded < one


def test_no_step_finds_what_the_user_may_not_read(tmp_path: Path):
    index = indexed(tmp_path)
    for mode in ("hybrid", "bm25", "dense"):
        found = index.search([QUESTION, "secret sum"], users=["ana", None], k=9, mode=mode, hops=2)  # type: ignore[arg-type]
        assert not any(each.document.startswith("docs/staff/") for passages in found for each in passages)
    assert any(
        each.document == "docs/staff/guild.md" for each in index.search([QUESTION], users=["mira"], k=9, hops=2)[0]
    )
