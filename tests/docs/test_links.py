"""Links between pages resolve, anchors included, and pages name no place that only one machine has."""

import re
from pathlib import Path

from docs.reading import FENCE, ROOT, pages

from levers.knowledge.chunk import slugs

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return set(slugs(title.replace("`", "") for title in titles))


def test_links_resolve(every_page):
    for link in LINK.findall(prose(every_page)):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (every_page.parent / name).resolve() if name else every_page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_every_page_can_be_reached():
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages()
        for link in LINK.findall(prose(page))
        if not link.startswith("http")
    }
    wanted = [page for page in pages() if "lab" not in page.relative_to(ROOT).parts and page.parent != ROOT]
    assert [page for page in wanted if page.resolve() not in linked] == []


def test_pages_name_no_machine(every_page):
    text = every_page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|root|tmp|home)/", text)


def test_fences_are_closed_and_named(every_page):
    fences = re.findall(r"^```(\w*)$", every_page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert all(fences[::2]), "name the language of a code block"
    assert not any(fences[1::2])
