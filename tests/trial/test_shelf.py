"""Where evidence ranks: in the search that the stack makes, with its hops and its wordings."""

from pathlib import Path

from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, build
from levers.stack import ModelRef, Retrieve, Stack
from levers.task.records import Case
from levers.trial.shelf import Shelf

PAGES = {
    "journal.md": "# Journal of Tents\n\nJournal of Tents is published by the Nordic Guild.\n",
    "guild.md": "# Nordic Guild\n\nThe Nordic Guild had Ada Berg as its first president, chosen in Oslo.\n",
    "noise.md": "# Presidents\n\nThe president of the club writes the journal of the club.\n",
}
CASE = Case(
    id="1",
    input="Who was the first president of the body that publishes Journal of Tents?",
    expected="Ada Berg",
    partition="dev",
    evidence=("docs/guild.md",),
)


def test_evidence_ranks_as_the_stack_searches(tmp_path: Path) -> None:
    write(tmp_path / "docs", dict(PAGES))
    index = build(tmp_path / "docs", "docs", Access(), HashingEmbedder(), tmp_path / "indexes")
    plain = Shelf(index, lambda name: index)
    worded = Shelf(index, lambda name: index, lambda case, stack: (case.question, "Nordic Guild Ada Berg"))

    def rank(shelf: Shelf, hops: int) -> int:
        part = Retrieve(index=index.digest, mode="bm25", hops=hops)
        return shelf.rank(CASE, Stack(model=ModelRef(id="m"), parts=(part,))) or 99

    assert rank(plain, 2) < rank(plain, 1) > rank(worded, 1)
