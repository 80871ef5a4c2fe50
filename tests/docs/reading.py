"""Read the pages: their files and their code blocks."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    page: Path
    kind: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.name}-{self.kind}-{self.text.split(chr(10))[0][:40]}"


def pages() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if page.is_file()]


def blocks(*kinds: str) -> list[Block]:
    found = [Block(page, kind, text) for page in pages() for kind, text in FENCE.findall(page.read_text("utf-8"))]
    return [block for block in found if block.kind in kinds]


def written_pages() -> list[Path]:
    """The pages people wrote for newcomers: README and guides."""
    return [page for page in pages() if page.name == "README.md" or page.parent.name == "guides"]
