"""An index follows its documents: only what changed is done, versions stay readable, what is purged is gone."""

import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from knowledge.conftest import Counting, write

from levers.errors import LeversError
from levers.knowledge import Access, Index, Rule, build, open_index, purge, update, words
from levers.knowledge.watch import Stamps, changes, settled, stamps


@pytest.fixture
def place(tmp_path: Path) -> Path:
    pages = {f"p{at}.md": f"# Page {at}\n\nAbout topic{at}.\n\n## More\n\nDetail{at} follows.\n" for at in range(8)}
    write(tmp_path / "docs", pages)
    for path in (tmp_path / "docs").iterdir():
        os.utime(path, (time.time() - 60,) * 2)
    return tmp_path


def built(place: Path, embedder, access: Access | None = None) -> Index:
    return build(place / "docs", "docs", access or Access(), embedder, place / "indexes")


def top(index: Index, query: str, user: str | None = None) -> str | None:
    found = index.search([query], users=[user], mode="bm25")[0]
    return found[0].document if found else None


def test_work_is_that_of_the_change(place):
    embedder = Counting()
    first = built(place, embedder)
    assert (first.updated.added, first.updated.embedded, embedder.passages) == (8, 16, 16)
    again = built(place, embedder)
    assert not again.updated.anything and again.digest == first.digest and embedder.passages == 16
    page = place / "docs/p3.md"
    page.write_text(page.read_text().replace("Detail3", "Novelty"))
    edited = built(place, embedder)
    assert (edited.updated.changed, edited.updated.embedded, edited.updated.reused) == (1, 1, 1)
    assert top(edited, "novelty") == "docs/p3.md" and top(edited, "detail3") is None
    page.rename(place / "docs/moved.md")
    moved = built(place, embedder)
    assert (moved.updated.added, moved.updated.removed, moved.updated.embedded) == (1, 1, 0)
    assert top(moved, "novelty") == "docs/moved.md"
    (place / "docs/moved.md").unlink()
    assert top(built(place, embedder), "novelty") is None
    assert embedder.passages == 17


def test_a_touched_or_quickly_rewritten_file_is_looked_at(place):
    embedder = Counting()
    first = built(place, embedder)
    os.utime(place / "docs/p1.md")
    assert built(place, embedder).digest == first.digest and embedder.passages == 16
    page = place / "docs/p1.md"
    stat = page.stat()
    page.write_text(page.read_text().replace("topic1", "topicX"))
    os.utime(page, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same time: written too fast for the clock
    assert top(built(place, embedder), "topicX") == "docs/p1.md"


def test_a_passage_names_the_version_of_its_document(place, embedder):
    first = built(place, embedder).chunks()
    path = place / "docs" / first[0].document.removeprefix("docs/")
    path.write_text(path.read_text() + "\nA further line.\n")
    again = built(place, embedder).chunks()
    was, now = ({each.document: each.version for each in some} for some in (first, again))
    assert {name for name in was if was[name] != now[name]} == {first[0].document}
    assert now[first[0].document] == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert all(found.version == now[found.document] for found in built(place, embedder).search(["line"])[0])


def test_old_versions_stay_and_the_way_to_a_content_does_not_matter(place, embedder):
    first = built(place, embedder)
    page = place / "docs/p2.md"
    before = page.read_text()
    page.write_text("# Page 2\n\nAltogether different.\n")
    second = built(place, embedder)
    old = open_index(place / "indexes", first.digest, embedder, Access())
    assert top(old, "topic2") == "docs/p2.md" and top(second, "topic2") is None
    page.write_text(before)
    back = built(place, embedder)
    assert back.digest == first.digest
    fresh = build(place / "docs", "docs", Access(), embedder, place / "other")
    for mode in ("bm25", "dense", "hybrid"):
        assert back.search(["topic2 detail5 page"], k=20, mode=mode) == fresh.search(
            ["topic2 detail5 page"], k=20, mode=mode
        )


def test_a_change_of_rights_takes_effect_at_once_and_embeds_nothing(place):
    embedder = Counting()
    groups = {"staff": ("ana",), "all": ("staff", "ben")}
    opened = built(place, embedder, Access(groups=groups))
    closing = Access(groups=groups, rules=(Rule(path="p4.md", groups=("staff",)), Rule(path="p5.md", groups=("all",))))
    old = open_index(place / "indexes", opened.digest, embedder, closing)  # a run's version, the rules of now
    new = built(place, embedder, closing)
    assert embedder.passages == 16 and new.digest != opened.digest
    for index in (old, new):
        assert [top(index, "topic4", user) for user in ("ana", "ben", None)] == ["docs/p4.md", None, None]
        assert [top(index, "topic5", user) for user in ("ana", "ben", None)] == ["docs/p5.md", "docs/p5.md", None]
        assert not index.may_read("docs/p4.md", "ben") and index.may_read("docs/p4.md", "ana")
    moved = Access(groups={"staff": ("ben",)}, rules=(Rule(path="p4.md", groups=("staff",)),))
    assert [top(open_index(place / "indexes", new.digest, embedder, moved), "topic4", u) for u in ("ana", "ben")] == [
        None,
        "docs/p4.md",
    ]


def test_a_kill_between_slabs_loses_one_slab(place, monkeypatch):
    monkeypatch.setattr(update, "SLAB", 4)

    class Dying(Counting):
        def embed(self, texts, kind):
            if self.passages >= 8:
                raise KeyboardInterrupt
            return super().embed(texts, kind)

    with pytest.raises(KeyboardInterrupt):
        built(place, Dying())
    assert list((place / "indexes").glob("*/sha256-*.json")) == []
    embedder = Counting()
    index = built(place, embedder)
    assert embedder.passages == 8 and len(index.chunks()) == 16
    assert all(top(index, f"detail{at}") == f"docs/p{at}.md" for at in range(8))


def test_what_is_purged_is_in_no_file_any_more(place, embedder):
    (place / "docs/p6.md").write_text("# Page 6\n\nThe password is Zauberwort.\n")
    first = built(place, embedder)
    (place / "docs/p6.md").unlink()
    second = built(place, embedder)

    def holding() -> list[Path]:
        files = [path for path in (place / "indexes").rglob("*") if path.is_file()]
        return [path for path in files if b"Zauberwort" in path.read_bytes()]

    assert holding()
    with pytest.raises(LeversError, match="not the newest"):
        purge(place / "indexes", first.digest)
    purge(place / "indexes", second.digest)
    assert holding() == []
    with pytest.raises(LeversError, match="no index"):
        open_index(place / "indexes", first.digest, embedder, Access())
    again = built(place, embedder)
    assert again.digest == second.digest and not again.updated.anything
    assert top(again, "detail1") == "docs/p1.md" and top(again, "zauberwort") is None
    write(place / "docs", {"late.md": "# Late\n\nAfter the purge."})
    assert top(built(place, embedder), "purge") == "docs/late.md"


def test_segments_are_merged_before_they_are_many(place, embedder):
    for at in range(words.SEGMENTS + 4):
        (place / "docs/p0.md").write_text(f"# Page 0\n\nEdition number{at}.\n")
        index = built(place, embedder)
    assert len(index._state.segments) <= words.SEGMENTS
    assert top(index, f"number{words.SEGMENTS + 3}") == "docs/p0.md" and top(index, "number2") is None
    assert all(top(index, f"detail{at}") == f"docs/p{at}.md" for at in range(1, 8))


def test_the_watcher_tells_of_a_saved_file(place):
    stop, seen = threading.Event(), []

    def watch() -> None:
        for count in changes(place / "docs", [place / "access.yaml"], stop):
            seen.append(count)
            stop.set()

    thread = threading.Thread(target=watch)
    thread.start()
    begun = time.monotonic()
    while not seen and time.monotonic() - begun < 30:
        (place / "docs/p1.md").write_text(f"# Page 1\n\nSaved at {time.monotonic()}.\n")
        time.sleep(0.3)
    stop.set()
    thread.join(30)
    assert seen and seen[0] >= 1


def watching(place: Path, seen: list[int], until: threading.Event, since: Stamps) -> threading.Thread:
    """Count in `seen` what the watcher tells, in a thread."""

    def watch() -> None:
        seen.extend(changes(place / "docs", [place / "access.yaml"], until, since))

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_the_watcher_sees_every_file_that_is_put_in_the_place_of_the_access_rules(place):
    stop, seen, told = threading.Event(), [], []
    thread = watching(place, seen, stop, stamps(place / "docs", [place / "access.yaml"]))
    for at in range(3):
        (place / "new.yaml").write_text(f"groups: {{g{at}: [ana]}}\n")
        os.replace(place / "new.yaml", place / "access.yaml")
        begun = time.monotonic()
        while sum(seen) == sum(told) and time.monotonic() - begun < 30:
            time.sleep(0.1)
        told = list(seen)
        assert sum(told) == at + 1
    stop.set()
    thread.join(30)


def test_the_watcher_tells_of_what_changed_before_it_began(place):
    before = stamps(place / "docs", [place / "access.yaml"])
    assert settled(before) is False  # the files are new, their times may hide another change
    (place / "docs/p1.md").write_text("# Page 1\n\nSaved before.\n")
    (place / "docs/p2.md").unlink()
    stop = threading.Event()
    assert next(changes(place / "docs", [place / "access.yaml"], stop, before)) == 2


def test_a_change_that_keeps_size_and_time_is_seen(place):
    os.utime(place / "docs/p1.md", (315_532_800,) * 2)  # as archives and some images of systems set it
    wait_until_settled(place / "docs")
    built(place, Counting())
    embedder = Counting()
    page = place / "docs/p1.md"
    page.write_text(page.read_text().replace("topic1", "topic9"))
    os.utime(page, (315_532_800,) * 2)
    assert built(place, embedder).updated.changed == 1 and embedder.passages == 1


def wait_until_settled(folder: Path) -> None:
    while time.time() - max(path.stat().st_ctime for path in folder.iterdir()) < 2.1:
        time.sleep(0.2)


def test_a_state_from_before_entries_were_looked_at_stays_readable(place):
    embedder = Counting()
    wait_until_settled(place / "docs")
    first = built(place, embedder)
    head = next((place / "indexes").glob("*/head.json"))
    older = json.loads(head.read_text())
    for each in older["files"]:
        assert each.pop("changed") > 0
    head.write_text(json.dumps(older))
    again = built(place, embedder)
    assert again.digest == first.digest and not again.updated.anything and embedder.passages == 16
    assert all(each["changed"] > 0 for each in json.loads(head.read_text())["files"])


def test_an_old_file_that_is_moved_here_counts_from_its_move(place, embedder):
    write(place, {"drafts/old.md": "# Old\n\nWritten a month ago.\n"})
    os.utime(place / "drafts/old.md", (time.time() - 30 * 86400,) * 2)
    built(place, embedder)
    (place / "drafts/old.md").rename(place / "docs/old.md")
    moved = built(place, embedder)
    assert moved.updated.added == 1 and 0 <= moved.updated.lag < 600


def test_a_kill_inside_the_first_write_is_got_over(place, embedder):
    home = next(built(place, embedder) and (place / "indexes").iterdir())
    shutil.rmtree(home)
    (home / "table/chunks.lance/data").mkdir(parents=True)
    (home / "table/chunks.lance/data/half.lance").write_bytes(b"")
    assert top(built(place, embedder), "topic2") == "docs/p2.md"
    shutil.rmtree(home / "table")
    write(place, {"docs/p1.md": "# Page 1\n\nAltogether new.\n"})
    with pytest.raises(LeversError, match="delete the folder"):
        built(place, embedder)  # passages that were there are not forgotten in silence


def test_a_damaged_index_is_told_with_what_to_do(place, embedder):
    index = built(place, embedder)
    home = next((place / "indexes").iterdir())
    segment = next((home / "words").iterdir())
    whole = segment.read_bytes()
    for damaged in (whole[:50], b""):
        segment.write_bytes(damaged)
        with pytest.raises(LeversError, match="words cannot be read"):
            top(built(place, embedder), "topic2")
    segment.write_bytes(whole)
    shutil.rmtree(home / "table")
    with pytest.raises(LeversError, match="is gone"):
        open_index(place / "indexes", index.digest, embedder, Access())


@pytest.mark.parametrize("damage", ["", "{", None])
def test_a_damaged_head_harms_no_version(place, damage):
    embedder = Counting()
    first = built(place, embedder)
    (place / "docs/p2.md").write_text("# Page 2\n\nAltogether different.\n")
    second = built(place, embedder)
    head = next((place / "indexes").glob("*/head.json"))
    head.unlink() if damage is None else head.write_text(damage)
    assert built(place, embedder).digest == second.digest and embedder.passages == 17
    head.unlink() if damage is None else head.write_text(damage)
    (place / "docs/p3.md").write_text("# Page 3\n\nQuite different.\n")
    third = built(place, embedder)
    assert embedder.passages == 18 and top(third, "quite") == "docs/p3.md"
    for index, found in ((first, "docs/p2.md"), (second, None)):
        assert top(open_index(place / "indexes", index.digest, embedder, Access()), "topic2") == found
