import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from levers.knowledge import Access, Index, build

# a busy machine may stall any example for a while: time is not what these tests are about
settings.register_profile("knowledge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("knowledge")


class HashingEmbedder:
    """Words hashed into 64 signed buckets: deterministic, and alike texts are near each other."""

    dimension = 64

    def __init__(self, name: str = "hash") -> None:
        self.id = name
        self.batches: list[tuple[str, int]] = []

    def embed(self, texts: Sequence[str], kind: str) -> NDArray[np.float32]:
        self.batches.append((kind, len(texts)))
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.casefold()):
                number = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
                vectors[row, number % self.dimension] += 1 if number >> 16 & 1 else -1
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, 1e-9)


class Counting(HashingEmbedder):
    """Counts the passages it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.passages = 0

    def embed(self, texts: Sequence[str], kind: str) -> NDArray[np.float32]:
        self.passages += len(texts) if kind == "passage" else 0
        return super().embed(texts, kind)


@pytest.fixture
def embedder() -> HashingEmbedder:
    return HashingEmbedder()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small folder of documents of all kinds."""
    write(
        tmp_path / "docs",
        {
            "returns.md": "---\ntitle: Returns\nupdated: 2026-05-01\nsupersedes: old/returns.md\n---\n# Returns\n\n"
            "Send goods back within 30 days.\n\n## Refunds\n\nRefunds are paid within five working days.\n\n"
            "## Exceptions\n\n### Climbing ropes\n\nRopes cannot be returned once unpacked.\n",
            "old/returns.md": "# Returns\n\nSend goods back within 14 days.\n",
            "shipping.html": "<html><head><title>Shipping</title></head><body><h1>Shipping</h1>"
            "<p>Parcels to Norway cost 12 euros.</p><table><tr><th>Zone</th><th>Price</th></tr>"
            "<tr><td>Home</td><td>4</td></tr></table></body></html>",
            "notice.txt": "The shop is closed on Monday.\n\nThe tent fair opens in June.\n",
            "staff/margins.md": "---\ngroups: [staff]\n---\n# Margins\n\nThe margin on tents is 40 percent.\n",
            "staff/suppliers.md": "# Suppliers\n\nThe supplier of tents sits in Porto.\n",
        },
    )
    (tmp_path / "access.yaml").write_text(
        "groups:\n  staff: [ana]\n  buyers: [ben, ana]\nrules:\n  - {path: staff/**, groups: [buyers]}\n"
    )
    return tmp_path


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture(scope="module")
def odd_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("odd")
    write(folder / "docs", {"a.md": "# A\n\nSome words here.", "b.md": "# B\n\nOther words there."})
    return build(folder / "docs", "docs", Access(), HashingEmbedder(), folder / "indexes")
