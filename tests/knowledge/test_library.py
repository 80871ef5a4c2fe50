import os
from pathlib import Path

import pytest
from knowledge.conftest import HashingEmbedder, write

from levers.errors import UserError
from levers.knowledge import Access, Index, build


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of folders that cannot be listed, to be filled by a test."""
    names: set[str] = set()
    scan = os.scandir

    def scandir(path: str | os.PathLike[str]) -> object:
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    write(tmp_path / "docs", {"a.md": "# A\n\nTents.", "hr/b.md": "# B\n\nSalary rules.", "hr/c/d.md": "# D\n\nMore."})
    return names


def built(tmp_path: Path, embedder: HashingEmbedder) -> Index:
    return build(tmp_path / "docs", "docs/", Access(), embedder, tmp_path / "ix")


def test_a_folder_that_cannot_be_listed_is_a_problem_and_keeps_its_documents(tmp_path, embedder, closed):
    whole = built(tmp_path, embedder)
    closed.add("hr")
    (tmp_path / "docs" / "a.md").write_text("# A\n\nTents and boots.")
    now = built(tmp_path, embedder)
    assert now.documents == whole.documents == ("docs/a.md", "docs/hr/b.md", "docs/hr/c/d.md")
    assert [(each.file, each.found) for each in now.problems] == [("docs/hr", "a folder that cannot be listed")]
    assert now.search(["salary rules"], k=1)[0][0].document == "docs/hr/b.md"
    again = built(tmp_path, embedder)
    assert (again.digest, again.problems, again.updated.anything) == (now.digest, now.problems, False)
    closed.clear()
    (tmp_path / "docs" / "hr" / "b.md").unlink()
    healed = built(tmp_path, embedder)
    assert (healed.documents, healed.problems) == (("docs/a.md", "docs/hr/c/d.md"), ())


def test_a_folder_that_could_never_be_listed_is_a_problem(tmp_path, embedder, closed):
    closed.add("c")
    first = built(tmp_path, embedder)
    assert (first.documents, [each.file for each in first.problems]) == (("docs/a.md", "docs/hr/b.md"), ["docs/hr/c"])
    closed.add("docs")
    with pytest.raises(UserError, match="Permission denied"):
        built(tmp_path, embedder)
