import time

import pytest
from knowledge.conftest import HashingEmbedder, write

from levers.knowledge import Access, Document, Rule, build
from levers.knowledge.chunk import outline
from levers.knowledge.outline import markdown_blocks

_HR = {"hr": ("ana",)}


@pytest.mark.parametrize("title", ["वेतन", "เงินเดือน", "மாத ஊதியம்"])
def test_a_rule_names_a_heading_of_a_script_with_marks(tmp_path, embedder: HashingEmbedder, title: str) -> None:
    write(tmp_path / "docs", {"a.md": f"# A\n\nOpen text.\n\n## {title}\n\nSecret figures."})
    rule = Rule(path=f"docs/a.md#{title.replace(' ', '-')}", groups=("hr",))
    assert (rule.document, rule.section) == ("docs/a.md", title.replace(" ", "-"))
    index = build(tmp_path / "docs", "docs/", Access(groups=_HR, rules=(rule,)), embedder, tmp_path / "ix")
    assert index.problems == ()
    seen = index.search(["secret figures"] * 2, users=[None, "ana"])
    assert [any("Secret" in each.text for each in found) for found in seen] == [False, True]


def narrowed(text: str) -> set[str]:
    document = Document(id="docs/a.md", text=text, blocks=markdown_blocks(text))
    access = Access(groups=_HR, rules=(Rule(path="**#a", groups=("hr",)),))
    return set(access.sections_for("docs/a.md", "docs", outline(document)))


def test_repeats_are_counted_as_slugs_count_them() -> None:
    assert narrowed("# A\n\nx\n\n# A\n\ny\n\n# A\n\nz\n\n# A-9\n\nw\n") == {"a", "a-1", "a-2"}
    assert narrowed("# A\n\nx\n\n# A-" + "9" * 5000 + "\n\ny\n") == {"a"}


def test_many_repeats_take_a_moment() -> None:
    begun = time.perf_counter()
    assert len(narrowed("# A\n\nx\n\n" * 5000)) == 5000
    assert time.perf_counter() - begun < 20  # comparing every repeat with all before it took minutes
