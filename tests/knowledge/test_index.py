import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from knowledge.conftest import write

from levers.errors import LeversError, UserError
from levers.knowledge import Access, Chunk, Chunking, Found, Index, Mode, Rule, build, load_access, open_index, store
from levers.knowledge.fuse import distinct, fuse, grow
from levers.knowledge.index import View
from levers.knowledge.library import read_library
from levers.knowledge.store import Hits, Rows, Table
from levers.knowledge.words import Words, segment

MODES: tuple[Mode, ...] = ("hybrid", "bm25", "dense")


def built(shop: Path, embedder, **more) -> Index:
    access = load_access(shop / "access.yaml")
    return build(shop / "docs", "docs/", access, embedder, shop / "indexes", **more)


@pytest.mark.parametrize("mode", MODES)
def test_the_right_section_comes_first(shop, embedder, mode):
    index = built(shop, embedder)
    queries = ["when are refunds paid, how many working days?", "what do parcels to Norway cost?", "closed on Monday"]
    best = [found[0] for found in index.search(queries, mode=mode)]
    assert [(found.document, found.section) for found in best] == [
        ("docs/returns.md", "refunds"),
        ("docs/shipping.html", "shipping"),
        ("docs/notice.txt", ""),
    ]
    assert best[0].heading == "Returns > Refunds"


def test_queries_are_embedded_in_one_batch_and_not_at_all_for_bm25(shop, embedder):
    index = built(shop, embedder)
    embedder.batches.clear()
    index.search(["refund", "tent", "rope"])
    index.search(["refund"], mode="bm25")
    assert embedder.batches == [("query", 3)]


@pytest.mark.parametrize("mode", MODES)
def test_users_find_what_their_groups_may_read(shop, embedder, mode):
    index = built(shop, embedder)
    question = "margin on tents and the supplier of tents in Porto"
    asked = index.search([question] * 4, users=["ana", "ben", "nobody", None], k=50, mode=mode)
    staff = [{found.document for found in result if "staff/" in found.document} for result in asked]
    assert staff == [{"docs/staff/margins.md", "docs/staff/suppliers.md"}, {"docs/staff/suppliers.md"}, set(), set()]
    assert index.may_read("docs/staff/margins.md", "ana") and not index.may_read("docs/staff/margins.md", "ben")
    assert index.may_read("docs/notice.txt")


def test_a_superseded_document_is_reported_and_never_found(shop, embedder):
    index = built(shop, embedder)
    assert [(old.document, old.by) for old in index.superseded] == [("docs/old/returns.md", "docs/returns.md")]
    found = index.search(["send goods back within 14 days"], k=50)[0]
    assert "docs/old/returns.md" not in {passage.document for passage in found}
    assert index.rank_of("send goods back within 14 days", "docs/old/returns.md") is None
    assert not index.may_read("docs/old/returns.md")
    assert index.section("docs/old/returns.md")[0].text == "Send goods back within 14 days."


def test_sections_and_ranks(shop, embedder):
    index = built(shop, embedder)
    assert [found.text for found in index.section("docs/returns.md", "refunds")] == [
        "Refunds are paid within five working days."
    ]
    assert [found.section for found in index.section("docs/returns.md", "exceptions")] == ["climbing-ropes"]
    assert len(index.section("docs/returns.md")) == 3
    assert index.section("docs/returns.md", "nowhere") == [] == index.section("docs/nothing.md")
    assert index.rank_of("refunds paid within working days", "docs/returns.md", "refunds") == 1
    rank = index.rank_of("closed on Monday", "docs/returns.md", "refunds", mode="dense")
    assert rank is not None and rank > 1
    assert index.rank_of("margin on tents", "docs/staff/margins.md", "margins") is None
    assert index.rank_of("margin on tents", "docs/staff/margins.md", "margins", user="ana") == 1


def test_chunks_are_exact_spans_of_current_documents(shop, embedder):
    index = built(shop, embedder)
    texts = {"docs/returns.md": (shop / "docs/returns.md").read_text()}
    chunks = index.chunks()
    assert {chunk.document for chunk in chunks} == {
        "docs/returns.md",
        "docs/shipping.html",
        "docs/notice.txt",
        "docs/staff/margins.md",
        "docs/staff/suppliers.md",
    }
    assert all(texts[c.document][c.start : c.end] == c.text for c in chunks if c.document in texts)


def test_the_same_content_is_built_once_and_other_content_is_another_index(shop, embedder):
    first = built(shop, embedder)
    embedder.batches.clear()
    assert built(shop, embedder).digest == first.digest
    assert embedder.batches == []
    page = shop / "docs/notice.txt"
    page.write_text(page.read_text().replace("Monday", "Sunday"))
    second = built(shop, embedder)
    assert second.digest != first.digest
    assert "Sunday" in second.search(["closed on Sunday"])[0][0].text
    assert built(shop, embedder, chunking=Chunking(words=20)).digest != second.digest
    old = open_index(shop / "indexes", first.digest, embedder, Access())
    assert "Monday" in old.search(["closed on Monday"])[0][0].text


def test_a_changed_group_makes_another_index_and_a_changed_member_does_not(shop, embedder):
    first = built(shop, embedder)
    rules = shop / "access.yaml"
    rules.write_text(rules.read_text().replace("ben, ana", "ben, ana, eve"))
    same = built(shop, embedder)
    assert same.digest == first.digest and same.may_read("docs/staff/suppliers.md", "eve")
    rules.write_text(rules.read_text().replace("groups: [buyers]", "groups: [staff]"))
    assert built(shop, embedder).digest != first.digest


def test_opening_needs_the_index_and_its_embedder(shop, embedder):
    index = built(shop, embedder)
    with pytest.raises(LeversError, match="no index"):
        open_index(shop / "indexes", "sha256-none", embedder, Access())
    embedder.id = "another"
    with pytest.raises(LeversError, match="another"):
        open_index(shop / "indexes", index.digest, embedder, Access())


def test_no_documents_no_folder_no_words(tmp_path, embedder):
    with pytest.raises(UserError, match="no folder"):
        build(tmp_path / "docs", "docs", Access(), embedder, tmp_path / "indexes")
    (tmp_path / "docs").mkdir()
    empty = build(tmp_path / "docs", "docs", Access(), embedder, tmp_path / "indexes")
    assert empty.search(["anything"]) == [[]] and empty.chunks() == []
    (tmp_path / "docs/a.md").write_text("# A\n\nwords")
    index = build(tmp_path / "docs", "docs", Access(), embedder, tmp_path / "indexes")
    assert index.search(["", "  \n", "the of and", "?!"], mode="bm25") == [[], [], [], []]
    assert index.search([]) == [] and index.search([""]) == [[]]
    with pytest.raises(ValueError, match="users"):
        index.search(["a", "b"], users=["ana"])


def test_searching_twice_gives_the_same(shop, embedder):
    index = built(shop, embedder)
    queries = ["tents", "days", "price", "the shop in June"]
    assert [index.search(queries, mode=mode) for mode in MODES] == [index.search(queries, mode=mode) for mode in MODES]


def test_a_killed_build_leaves_no_index_and_does_not_lock_the_next(shop, embedder):
    script = textwrap.dedent(f"""
        import pathlib, sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import HashingEmbedder
        from levers.knowledge import Access, build
        class Slow(HashingEmbedder):
            def embed(self, texts, kind):
                print("embedding", flush=True)
                time.sleep(30)
        build(pathlib.Path({str(shop / "docs")!r}), "docs", Access(), Slow(), pathlib.Path({str(shop / "indexes")!r}))
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=os.environ.copy())
    assert process.stdout is not None
    assert process.stdout.readline() == "embedding\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert list((shop / "indexes").glob("*/sha256-*.json")) == []
    index = build(shop / "docs", "docs", Access(), embedder, shop / "indexes")
    assert index.search(["tent fair"])[0][0].document == "docs/notice.txt"
    assert [path.stem for path in (shop / "indexes").glob("*/sha256-*.json")] == [index.digest]


# --- fusion and duplicates ---------------------------------------------------------------------------------------


def passage(text: str, start: int = 0, heading: str = "H", score: float = 0.0) -> Found:
    return Found(document="d", section="s", heading=heading, text=text, start=start, end=start + len(text), score=score)


def hits(*found: tuple[int, float]) -> Hits:
    return Hits(np.array([place for place, _ in found], np.int64), np.array([score for _, score in found], float))


def test_fusion_is_the_mean_of_scores_brought_to_one_scale():
    fused = fuse(hits((0, 8.0), (10, 6.0)), hits((20, 0.9), (10, 0.8), (30, 0.7)))
    # 10: (6/8 + (0.8 - 0.7) / (0.9 - 0.7)) / 2; 0 and 20 lead one ranking each and lack in the other
    assert list(zip(*fused, strict=True)) == [(10, 0.625), (0, 0.5), (20, 0.5), (30, 0.0)]
    assert fuse(hits(), hits((20, 0.9))).scores.tolist() == [0.5] and not len(fuse(hits(), hits()).places)


@given(scores=st.lists(st.floats(0.1, 50), min_size=1, max_size=8), factor=st.floats(0.5, 20))
def test_fusion_does_not_depend_on_the_scale_of_either_ranking(scores, factor):
    def ranking(times: float, plus: float) -> Hits:
        return hits(*((at, times * score + plus) for at, score in enumerate(scores)))

    plain, scaled = fuse(ranking(1, 0), ranking(1, 0)), fuse(ranking(factor, 0), ranking(factor, 3))
    assert scaled.scores.tolist() == pytest.approx(plain.scores.tolist(), abs=2e-5)


def test_duplicates_go_but_another_figure_or_name_stays():
    body = (
        "this tent weighs {} kilos and keeps {} dry in heavy rain and strong wind on long tours in the high mountains"
    )
    first = passage(body.format("2", "you"), 0)
    copy = passage(body.format("2", "you") + " too", 200)
    other = passage(body.format("3", "you"), 400)
    named = passage(body.format("2", "Nora"), 600)
    elsewhere = passage(body.format("2", "you"), 800, heading="Another page")
    short = passage("30 days", 1000), passage("30 days", 1100, heading="Boots")
    groups = distinct([first, copy, other, named, elsewhere, *short], 10)
    assert [[found.start for found in group] for group in groups] == [[0, 200, 800], [400], [600], [1000], [1100]]
    assert [group[0].start for group in distinct([first, copy, other], 1)] == [0]


def test_a_passage_grows_within_its_section_and_its_characters_keep_their_places(tmp_path, embedder):
    part = "\n\n".join(f"Point {at} names mark{at} and says some more about it here." for at in range(12))
    text = f"# One\n\n{part}\n\n---\n\nThe end of one.\n\n# Two\n\nAnother section with mark99.\n"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text(text)
    index = build(tmp_path / "docs", "docs", Access(), embedder, tmp_path / "indexes", Chunking(words=20))
    small = index.search(["mark5"], k=1, mode="bm25")[0][0]
    wide = index.search(["mark5"], k=1, mode="bm25", widen=70)[0][0]
    assert small.text in wide.text and len(small.text) < len(wide.text) and len(wide.text.split()) <= 70
    for number in range(12):
        at = wide.text.find(f"mark{number} ")
        assert at < 0 or text[wide.start + at :].startswith(f"mark{number} ")
    everything = index.search(["mark5"], k=3, mode="bm25", widen=10_000)[0]
    assert [each.section for each in everything] == ["one"] and "The end of one." in everything[0].text
    assert len(everything[0].text) == everything[0].end - everything[0].start
    assert grow(passage("elsewhere", 9000), index.section("docs/a.md"), 50).text == "elsewhere"


# --- nobody sees what they may not -------------------------------------------------------------------------------

GROUPS = ["staff", "legal", "o'brien", "a, b", "ünï"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    documents=st.lists(
        st.tuples(st.sampled_from(["", "hr/", "hr/pay/"]), st.sets(st.sampled_from(GROUPS), max_size=2)),
        min_size=1,
        max_size=5,
    ),
    rules=st.lists(st.tuples(st.sampled_from(["hr/**", "docs/hr/*", "**"]), st.sampled_from(GROUPS)), max_size=3),
    mine=st.sets(st.sampled_from(GROUPS), max_size=2),
)
def test_rules_and_front_matter_reach_every_search(tmp_path_factory, embedder, documents, rules, mine):
    folder = tmp_path_factory.mktemp("project")
    allowed = set()
    for at, (place, own) in enumerate(documents):
        (folder / "docs" / place).mkdir(parents=True, exist_ok=True)
        head = f"---\ngroups: {json.dumps(sorted(own))}\n---\n" if own else ""
        (folder / "docs" / place / f"d{at}.md").write_text(f"{head}# Page {at}\n\nThe tent number{at} is here.\n")
        matching = [{group} for path, group in rules if path == "**" or (place == "hr/" or (place and path == "hr/**"))]
        audience = own or (matching[-1] if matching else set())
        if not audience or audience & mine:
            allowed.add(f"docs/{place}d{at}.md")
    access = Access(
        groups={group: ("me",) if group in mine else () for group in GROUPS},
        rules=tuple(Rule(path=path, groups=(group,)) for path, group in rules),
    )
    index = build(folder / "docs", "docs", access, embedder, folder / "indexes")
    for mode in MODES:
        assert {found.document for found in index.search(["tent"], users=["me"], k=20, mode=mode)[0]} == allowed
    assert {
        document for document in {found.document for found in index.chunks()} if index.may_read(document, "me")
    } == allowed


def test_a_large_index_finds_exact_neighbours_under_a_narrow_filter(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "EXACT_BELOW", 5000)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5200, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chunks = [
        Chunk(document=f"d{at:05d}", section="", heading="", text=f"word{at % 50} page{at}", start=0, end=9)
        for at in range(5200)
    ]
    audiences = [2 if at % 400 == 0 else 3 for at in range(5200)]
    table = Table(tmp_path)
    table.add(chunks, 0, audiences, vectors)
    table.index()
    rows = Rows(tmp_path, table.version, len(chunks), {})
    few, many = View(rows, frozenset([2]), frozenset()), View(rows, frozenset([3]), frozenset(["d00001"]))
    recalls = []
    for query in vectors[:20]:
        narrow = rows.dense(query, few.places, few.where, 10)
        exact = np.flatnonzero(few.places)
        assert narrow.places.tolist() == exact[np.argsort(-(vectors[exact] @ query))[:10]].tolist()
        wide = set(rows.dense(query, many.places, many.where, 10).places.tolist())
        exact = np.flatnonzero(many.places)
        recalls.append(len(wide & set(exact[np.argsort(-(vectors[exact] @ query))[:10]].tolist())) / 10)
    assert np.mean(recalls) > 0.95
    found = Words([segment(range(5200), [each.text for each in chunks])], rows.size)
    assert found.search("page800 page801", found.seen(few.numbers), 10)[0].tolist() == [800]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60))
def test_any_text_is_a_query(odd_index, query):
    for mode in MODES:
        assert isinstance(odd_index.search([query], mode=mode)[0], list)


def test_a_section_is_narrowed_among_the_documents_readers(tmp_path, embedder):
    page = "# Pay\n\nPaid monthly.\n\n## Salaries\n\nGrades follow.\n\n### Top grade\n\nNinety thousand.\n\n"
    page += "## Leave\n\nThirty days.\n"
    write(tmp_path, {"docs/staff/pay.md": page, "docs/free.md": "# Free\n\nFor all.\n"})
    groups = {"staff": ("ana", "ben"), "board": ("ben", "eve")}
    wide = Access(groups=groups, rules=(Rule(path="staff/**", groups=("staff",)),))
    narrow = Access(groups=groups, rules=(*wide.rules, Rule(path="staff/pay.md#salaries", groups=("board",))))

    def sections(index: Index, user: str | None) -> set[str]:
        return {found.section for found in index.search(["pay grade thousand days"], users=[user], k=9)[0]}

    old = build(tmp_path / "docs", "docs", wide, embedder, tmp_path / "indexes")
    assert sections(old, "ana") == {"pay", "salaries", "top-grade", "leave", "free"}
    again = open_index(tmp_path / "indexes", old.digest, embedder, narrow)
    new = build(tmp_path / "docs", "docs", narrow, embedder, tmp_path / "indexes")
    assert new.digest != old.digest
    for index in (again, new):
        assert sections(index, "ana") == {"pay", "leave", "free"} and sections(index, "ben") >= {
            "salaries",
            "top-grade",
        }
        assert sections(index, "eve") == {"free"}  # in the section's group, not in the document's
        assert not index.may_read("docs/staff/pay.md", "ana") and index.may_read("docs/staff/pay.md#leave", "ana")
        assert not index.may_read("docs/staff/pay.md#salaries", "ana") and index.may_read("docs/staff/pay.md", "ben")
    assert build(tmp_path / "docs", "docs", wide, embedder, tmp_path / "indexes").digest == old.digest
    with pytest.raises(LeversError, match="narrows sections"):
        build(tmp_path / "docs", "docs", narrow, embedder, tmp_path / "indexes", Chunking(kind="document"))


def test_a_rule_for_no_section_is_a_problem(tmp_path, embedder):
    write(tmp_path, {"docs/pay.md": "# Pay\n\nPaid monthly.\n"})
    access = Access(groups={"board": ("eve",)}, rules=(Rule(path="pay.md#salary", groups=("board",), line=3),))
    index = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
    assert ["matches no section" in problem.found for problem in index.problems] == [True]


def test_a_rule_for_a_file_that_cannot_be_read_matches_it(tmp_path, embedder):
    write(tmp_path, {"docs/pay.md": "", "docs/hours.md": "# Hours\n\nTen to four.\n"})
    rules = tuple(Rule(path=path, groups=("board",)) for path in ("pay.md", "pay.md#salaries"))
    access = Access(groups={"board": ("eve",)}, rules=rules)
    index = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
    library = read_library(tmp_path / "docs", "docs", access)
    for problems in (index.problems, library.problems):
        assert [(problem.file, problem.found) for problem in problems] == [("docs/pay.md", "no text")]


def test_a_rule_for_a_heading_covers_its_repeats(tmp_path, embedder):
    rules = (Rule(path="pay.md#salaries", groups=("board",)), Rule(path="pay.md#year", groups=("board",)))
    access = Access(groups={"board": ("eve",)}, rules=rules)
    secret = "## Salaries\n\nNinety thousand.\n\n### Top\n\nA hundred.\n"
    rest = "\n## Year\n\nA word.\n\n## Year 2024\n\nAnother word.\n"

    def shown(user: str | None, page: str) -> set[str]:
        write(tmp_path, {"docs/pay.md": page + rest})
        index = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
        assert index.problems == ()
        return {found.section for found in index.search(["ninety hundred word"], users=[user], k=9)[0]}

    assert shown(None, f"# Pay\n\nA word.\n\n{secret}") == {"pay", "year-2024"}
    second = f"# Pay\n\nA word.\n\n## Salaries\n\nSee below.\n\n{secret}"
    assert shown(None, second) == {"pay", "year-2024"}
    assert shown("eve", second) == {"pay", "year-2024", "year", "salaries", "salaries-1", "top"}


def test_rules_of_before_are_applied_anew_where_they_mean_more_now(tmp_path, embedder, monkeypatch):
    page = "# Pay\n\nA word.\n\n## Salaries\n\nSee below.\n\n## Salaries\n\nNinety thousand.\n"
    write(tmp_path, {"docs/pay.md": page})
    access = Access(groups={"board": ("eve",)}, rules=(Rule(path="pay.md#salaries", groups=("board",)),))
    with monkeypatch.context() as before:
        before.setattr("levers.knowledge.access._repeated", lambda slug, known, counts: None)
        before.setattr("levers.knowledge.catalog._RULES", 1)
        old = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
        assert old.may_find("docs/pay.md", "salaries-1")
    again = open_index(tmp_path / "indexes", old.digest, embedder, access)
    new = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
    assert not again.may_find("docs/pay.md", "salaries-1") and not new.may_find("docs/pay.md", "salaries-1")


def test_what_stands_before_the_first_heading_is_read_by_itself(tmp_path, embedder):
    write(tmp_path, {"docs/pay.md": "Open words.\n\n# Salaries\n\nNinety thousand.\n"})
    access = Access(groups={"board": ("eve",)}, rules=(Rule(path="pay.md#salaries", groups=("board",)),))
    index = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
    assert index.may_find("docs/pay.md", "") and not index.may_read("docs/pay.md")
    assert not index.may_find("docs/pay.md", "salaries") and index.may_find("docs/pay.md", "salaries", "eve")
    assert not index.may_find("docs/gone.md", "") and not index.may_read("docs/pay.md#gone", "eve")
