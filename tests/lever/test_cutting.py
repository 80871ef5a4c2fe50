"""Pulling retrieve compares ways of cutting documents on dev, and keeps the usual one unless another is decisive."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, Chunking, Index, Rule, build
from levers.lever import cutting

FILLER = "Nothing of use is told in this row of quite common words. " * 9


class Workshop:
    """Builds with a hashing embedder and keeps count."""

    def __init__(self, folder: Path, access: Access) -> None:
        self.folder = folder
        self.access = access
        self.built: list[str] = []

    def build(self, documents: Path, prefix: str, progress: Any = None, chunking: Chunking | None = None) -> Index:
        self.built.append((chunking or Chunking()).label)
        return build(documents, prefix, self.access, HashingEmbedder(), self.folder / "indexes", chunking)


def situation(
    folder: Path,
    pages: dict[str, str],
    cases: list[tuple[str, str]],
    retrieves: bool = False,
    access: Access = Access(),  # noqa: B008
) -> Any:
    write(folder / "docs", dict(pages))
    asked = [SimpleNamespace(question=text, evidence=(reference,), user=None) for text, reference in cases]
    config = SimpleNamespace(knowledge=SimpleNamespace(documents="docs"))
    bench = SimpleNamespace(
        task=SimpleNamespace(partition=lambda name: asked if name == "dev" else [], config=config),
        progress=lambda *now: None,
    )
    stack = SimpleNamespace(part=lambda kind: "there" if retrieves else None)
    return SimpleNamespace(bench=bench, workshop=Workshop(folder, access), documents=folder / "docs", stack=stack)


def needles(folder: Path, count: int, retrieves: bool = False, *rules: Rule) -> Any:
    """Pages of long sections, with the one sentence that is asked for deep in each."""
    pages, cases = {}, []
    for at in range(count):
        body = f"{FILLER}\n\nThe key of room{at} hangs at hook{at}.\n\n{FILLER}"
        pages[f"p{at}.md"] = f"# Rooms\n\n## Room\n\n{body}\n"
        cases.append((f"hook{at} room{at}", f"docs/p{at}.md#room"))
    return situation(folder, pages, cases, retrieves, Access(groups={"staff": ("ana",)}, rules=rules))


def cut(there: Any, wanted: cutting.Wanted | None = None) -> cutting.Cut:
    return cutting.cut(there, there.workshop.build(there.documents, "docs"), wanted, "hybrid", False)


def test_every_chunking_can_be_named() -> None:
    assert get_args(cutting.Wanted) == ("keep", *(each.label for each in cutting.ALL))


def test_every_chunking_is_measured_and_told(tmp_path: Path) -> None:
    found = cut(needles(tmp_path, 24))
    assert len(found.notes) == len(cutting.ALL) and sum(note.endswith("(chosen)") for note in found.notes) == 1
    assert sum(", p = " in note for note in found.notes) == len(cutting.ALL) - 1
    assert all("of the evidence in about" in note for note in found.notes)


def test_whole_documents_are_not_compared_where_a_rule_narrows_a_section(tmp_path: Path) -> None:
    there = needles(tmp_path, 24, False, Rule(path="p1.md#room", groups=("staff",)))
    found = cut(there)
    assert "document" not in there.workshop.built and found.searched.size > 0
    assert found.notes[-1] == "chunking document was not compared: access.yaml narrows sections, and it cuts none"
    assert len(found.notes) == len(cutting.ALL)


def test_the_usual_one_stays_unless_another_is_decisive(tmp_path: Path) -> None:
    pages = {f"p{at}.md": f"# Page {at}\n\nThe key of room{at} hangs at hook{at}.\n" for at in range(24)}
    cases = [(f"hook{at} room{at}", f"docs/p{at}.md#page-{at}") for at in range(24)]
    there = situation(tmp_path, pages, cases)
    found = cut(there)
    assert found.searched.digest == there.workshop.build(there.documents, "docs").digest
    assert next(note for note in found.notes if note.endswith("(chosen)")).startswith("chunking structure 160: 1.000")


def test_a_decisive_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(how: Chunking, right: int) -> Any:
        shares = (1.0,) * right + (0.0,) * (40 - right)
        figures = {"chunks": 9, "recall": right / 40, "low": 0.0, "high": 1.0, "words": 9.0}
        return cutting.Reached(chunking=how, shares=shares, **figures)

    rows = [reached(cutting.ALL[3], 30), reached(cutting.ALL[1], 12), reached(Chunking(), 10)]
    monkeypatch.setattr(
        cutting, "compare_chunkings", lambda asked, build, *rest, **more: [build(h.chunking) and h for h in rows]
    )
    found = cut(needles(tmp_path, 24))
    assert found.notes[0].startswith("chunking sentence 60: 0.750") and found.notes[0].endswith("(chosen)")
    assert "+0.500, p = " in found.notes[0] and found.searched.size > 24


def test_nothing_is_compared_where_that_could_tell_nothing(tmp_path: Path) -> None:
    few = needles(tmp_path / "few", 5)
    assert cut(few).notes == ("chunkings were not compared: 5 dev questions name evidence, 20 are the least",)
    assert few.workshop.built == ["structure 160"]
    assert cut(needles(tmp_path / "pulled", 24, retrieves=True)).notes == ()


def test_one_can_be_named(tmp_path: Path) -> None:
    there = needles(tmp_path, 24)
    found = cut(there, "document")
    assert found.searched.size == 24 and there.workshop.built == ["structure 160", "document"]
    assert cut(there, "keep").notes == ()
