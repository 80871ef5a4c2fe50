import itertools
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from knowledge.conftest import write

from levers.errors import UserError
from levers.knowledge import Access, Rule, build, load_access, read_library
from levers.knowledge.catalog import rules_digest
from levers.knowledge.front import read_front
from levers.knowledge.html import read_html
from levers.ledger import digest


def problems(library) -> dict[str, list]:
    found: dict[str, list] = {}
    for problem in library.problems:
        found.setdefault(problem.file, []).append(problem)
    return found


def test_every_kind_is_read_with_ids_groups_and_titles(shop):
    library = read_library(shop / "docs", "./docs/", load_access(shop / "access.yaml"))
    by_id = {document.id: document for document in library.documents}
    assert list(by_id) == [
        "docs/notice.txt",
        "docs/old/returns.md",
        "docs/returns.md",
        "docs/shipping.html",
        "docs/staff/margins.md",
        "docs/staff/suppliers.md",
    ]
    assert library.problems == ()
    assert by_id["docs/returns.md"].updated == "2026-05-01"
    assert by_id["docs/returns.md"].text == (shop / "docs/returns.md").read_text()
    assert by_id["docs/shipping.html"].title == "Shipping"
    assert by_id["docs/staff/margins.md"].groups == ("staff",)  # front matter before the rule
    assert by_id["docs/staff/suppliers.md"].groups == ("buyers",)
    assert read_library(shop / "docs", "").documents[0].id == "notice.txt"


def test_what_cannot_be_read_is_one_problem_each_and_the_rest_stays(tmp_path, shop):
    folder = shop / "docs"
    files = {
        "harmed.md": "# Caf\xe9 na\xefve\n\nfine\n".encode() + b"bad \xff here\n",
        "wide.txt": "hello".encode("utf-16") + b"\0",
        "nul.txt": b"one\ntwo\0three\n",
        "empty.md": b"",
        "blank.html": b"<html><body><script>x()</script></body></html>",
        "paper.pdf": b"%PDF-1.7",
        "picture.png": b"\x89PNG",
        ".hidden.md": b"# Hidden\n\ntext",
        "bom.md": "\ufeff# Bom\n\ntext".encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (tmp_path / "outside.md").write_text("# Secret\n\noutside")
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    library = read_library(folder, "docs", load_access(shop / "access.yaml"))
    found = problems(library)
    assert {name: (each[0].line, len(each)) for name, each in found.items()} == {
        "docs/harmed.md": (4, 1),
        "docs/wide.txt": (None, 1),
        "docs/nul.txt": (2, 1),
        "docs/empty.md": (None, 1),
        "docs/blank.html": (None, 1),
        "docs/paper.pdf": (None, 1),
        "docs/link.md": (None, 1),
    }
    assert "cut" in found["docs/harmed.md"][0].hint and "0xff" in found["docs/harmed.md"][0].found
    assert "cut" in found["docs/paper.pdf"][0].found
    ids = {document.id for document in library.documents}
    assert len(ids) == 7 and "docs/bom.md" in ids
    bom = next(document for document in library.documents if document.id == "docs/bom.md")
    assert bom.text.startswith("# Bom") and bom.title == "Bom"


@pytest.mark.parametrize(
    ("head", "line", "readable"),
    [
        ("---\ngroups: [staff\ntitle: x\n---\n", 3, False),
        ("---\ntitle: 'x\ngroups: [staff]\n---\n", 2, False),
        ("---\ntitle: x\ngroups: {a: b}\n---\n", 3, False),
        ("---\ntitle: x\ngroups: [1]\n---\n", 3, False),
        ("---\ntitle: x\ngroup: [staff]\n---\n", 3, False),
        ("---\ntitle: x\n\n# never closed\n", 1, False),
        ("---\ntitle: x\ngroups: [a]\ngroups: [b]\n---\n", 4, False),
        ("---\ntitle: x\nupdated: yesterday\n---\n", 3, True),
        ("---\ntitle: x\nupdate: 2026-01-01\n---\n", 3, True),
        ("---\nsupersedes: {a: 1}\n---\n", 2, True),
    ],
)
def test_a_bad_head_is_a_problem_with_its_line_and_closes_the_document_if_groups_may_be_meant(head, line, readable):
    front = read_front(f"{head}# Title\n\ntext\n", "docs/a.md")
    assert [(problem.file, problem.line) for problem in front.problems] == [("docs/a.md", line)]
    assert front.readable is readable


@pytest.mark.parametrize(
    "text",
    [
        "# No head\n",
        "---\n\nA rule, then text.\n\n---\nmore\n",
        "---\nlayout: page\ntags: [a]\nauthor: Eve\n---\n# A\n",
    ],
)
def test_other_heads_are_left_alone(text):
    front = read_front(text, "docs/a.md")
    assert front.readable and not front.problems and not front.groups


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n---\ngroups: [staff]\n---\n# S\n", 3),
        ("\ufeff \r\n---\r\ntitle: x\r\ngroups: staff\r\n---\r\n# S\r\n", 4),
        ("<!-- x -->\n<!-- y -->\n---\ngroup: [staff]\n---\n# S\n", 4),
        ("+++\ntitle = 'S'\ngroups = ['staff']\n+++\n# S\n", 3),
        (';;;\n{"title": "S",\n "groups": ["staff"]}\n;;;\n# S\n', 3),
        ('---json\n{"groups": ["staff"]}\n---\n# S\n', 2),
        ("--- # mine\ngroups: [staff]\n---\n# S\n", 2),
        ("---\n- groups: [staff]\n---\n# S\n", 2),
        ("---\ntitle: S\n---\n\n---\ngroups: [staff]\n---\n# S\n", 6),
        ("\n---\n# who reads this\n\nGROUPS:\n  - staff\n---\n# S\n", 5),
        ("\n---\ngroups: [staff]\n\n# never closed\n", 3),
        ("groups: [staff]\n# S\n", 1),
        ("title: S\ngroups: [staff]\n---\n# S\n", 2),
        ("\ufeff\r\nLast updated: 2026-02-03\r\nsupersedes:\r\n  - a.md\r\n# readers\r\n'Group': staff\r\nS\r\n", 6),
        ("---\ntitle: S\n---\ngroups: [staff]\n\n# S\n", 4),
    ],
)
def test_groups_in_a_head_that_is_not_read_close_the_document(text, line):
    front = read_front(text, "docs/a.md")
    assert not front.readable and [problem.line for problem in front.problems] == [line]


@pytest.mark.parametrize(
    "text",
    [
        "\n---\nlayout: page\n---\n# A\n",
        "+++\ntitle = 'A'\n+++\n# A\n",
        "\n\n---\n\nProse after a rule.\nGroups: all of them.\n\n---\n",
        "<!-- left open\n---\ngroups: x\n",
        "# A\n\n```yaml\n---\ngroups: [staff]\n---\n```\n",
        "---\ntitle: A\n---\n# A\n\n---\ngroups: are welcome\n",
        "\n---\nNote: see below\n---\n" + "word\n" * 200 + "groups: none\n---\n",
        "# A\n\nWhom we guide.\n\ngroups: of ten at most\n",
        "Note: see below.\nWe guide:\n\ngroups: of ten at most\n",
        "Note: see below.\nPeople come alone or in\ngroups: of ten at most\n",
        "title: A\nauthor: Eve\n\ntext\n",
        '{"groups": "of ten at most"}\n',
    ],
)
def test_ordinary_rules_and_heads_without_groups_are_no_problem(text):
    front = read_front(text, "docs/a.md")
    assert front.readable and not front.problems


def test_kinds_without_a_head_are_left_out_when_they_name_groups_in_one(tmp_path):
    write(
        tmp_path / "docs",
        {"a.html": "---\ngroups: [staff]\n---\n<p>Secret</p>", "b.html": "---\nx: y\n---\n<p>Open</p>"},
    )
    library = read_library(tmp_path / "docs", "docs")
    assert [(each.file, each.line) for each in library.problems] == [("docs/a.html", 2)]
    assert [document.id for document in library.documents] == ["docs/b.html"]


def test_a_document_is_read_under_its_own_name_only(tmp_path, embedder):
    write(
        tmp_path, {"docs/staff/s.md": "# S\n\nSecret.", "docs/.v/m.md": "# M\n\nMounted.", "wiki/w.md": "# W\n\nOut."}
    )
    write(tmp_path, {"pictures/p.png": b"\x89PNG", "docs/staff/data.json": "{}"})
    links = {"open.md": "staff/s.md", "all": "staff", "loop": ".", "mounted.md": ".v/m.md", "hidden": ".v"}
    links |= {"wiki": "../wiki", "pictures": "../pictures", "data.md": "staff/data.json", "gone.md": "none.md"}
    for name, target in links.items():
        (tmp_path / "docs" / name).symlink_to(target)
    access = Access(groups={"staff": ("ana",)}, rules=(Rule(path="staff/**", groups=("staff",)),))
    library = read_library(tmp_path / "docs", "docs", access)
    assert {each.id: each.groups for each in library.documents} == {
        "docs/mounted.md": (),
        "docs/staff/s.md": ("staff",),
    }
    assert {each.file for each in library.problems} == {
        f"docs/{name}" for name in ("data.md", "gone.md", "hidden", "wiki")
    }
    told = {note.partition(":")[0]: note for note in library.notes}
    assert (
        set(told) == {"docs/open.md", "docs/all", "docs/loop", "docs/pictures"} and "staff/s.md" in told["docs/open.md"]
    )
    (tmp_path / "docs/open.md").unlink()
    write(tmp_path, {"docs/open.md": "# O\n\nSecret no more."})
    index = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
    assert index.may_read("docs/open.md")
    (tmp_path / "docs/open.md").unlink()
    (tmp_path / "docs/open.md").symlink_to("staff/s.md")
    assert not build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes").may_read("docs/open.md")


def test_a_head_is_read_in_full():
    front = read_front(
        "---\r\ntitle: 'A  b'\r\nupdated: 2026-02-03 10:00:00\r\nsupersedes: [x.md]\r\ngroups: staff\r\n---\r\nBody",
        "f",
    )
    assert (front.title, front.updated, front.supersedes, front.groups) == ("A b", "2026-02-03", ("x.md",), ("staff",))
    assert front.body == len(
        "---\r\ntitle: 'A  b'\r\nupdated: 2026-02-03 10:00:00\r\nsupersedes: [x.md]\r\ngroups: staff\r\n---\r\n"
    )


@given(st.text(max_size=80))
@example("&a *a")
@example("? !!python/object:x y: [")
@example("a: 2026-13-45")
def test_any_head_is_read_or_a_problem(inside):
    front = read_front(f"---\n{inside}\n---\ntext", "f")
    assert front.readable or front.problems


def test_versions_by_title_need_the_same_folder_groups_and_a_date(tmp_path, embedder):
    pages = {
        "a1.md": "---\ntitle: Boots\nupdated: 2025-01-01\n---\nOld boots.",
        "a2.md": "---\ntitle: boots\nupdated: 2026-01-01\n---\nNew boots.",
        "a3.md": "---\ntitle: Boots\nupdated: 2024-01-01\ngroups: [staff]\n---\nStaff boots.",
        "a4.md": "---\ntitle: Boots\n---\nUndated boots.",
        "sub/a5.md": "---\ntitle: Boots\nupdated: 2023-01-01\n---\nBoots elsewhere.",
        "b1.md": "---\nsupersedes: b2.md\n---\nOne of a circle.",
        "b2.md": "---\nsupersedes: [b1.md]\n---\nThe other of a circle.",
        "c1.md": "---\nsupersedes: nowhere.md\n---\nRefers to nothing.",
        "sub/d1.md": "---\nsupersedes: d2.md\n---\nBeside.",
        "sub/d2.md": "Older, beside.",
        "e1.md": "---\nsupersedes: docs/e2.md\n---\nBy id.",
        "e2.md": "---\nsupersedes: e3.md\n---\nOlder.",
        "e3.md": "Oldest.",
    }
    for name, text in pages.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "access.yaml").write_text("groups: {staff: [ana]}")
    library = read_library(tmp_path / "docs", "docs", load_access(tmp_path / "access.yaml"))
    assert {old.document: old.by for old in library.superseded} == {
        "docs/a1.md": "docs/a2.md",
        "docs/sub/d2.md": "docs/sub/d1.md",
        "docs/e2.md": "docs/e1.md",
        "docs/e3.md": "docs/e2.md",
    }
    assert {problem.file for problem in library.problems} == {"docs/b1.md", "docs/b2.md", "docs/c1.md"}
    (note,) = library.notes  # what nobody said is told
    assert note.startswith("docs/a1.md: left out, since docs/a2.md has the same title") and "2025-01-01" in note
    index = build(tmp_path / "docs", "docs", load_access(tmp_path / "access.yaml"), embedder, tmp_path / "indexes")
    assert index.notes == (note,)


# --- access ------------------------------------------------------------------------------------------------------


def access_of(tmp_path: Path, text: str):
    path = tmp_path / "access.yaml"
    path.write_text(text)
    return load_access(path)


def test_access_problems_come_together_with_lines_and_hints(tmp_path):
    with pytest.raises(UserError) as caught:
        access_of(
            tmp_path,
            "group:\n  staff: [ana]\ngroups:\n  staff: [ana, 7]\n  legal: 7\nrules:\n"
            "  - {path: a/**, groups: [stuff]}\n"
            "  - {paths: b, groups: [staff]}\n  - just text\n  - {path: c, groups: []}\n",
        )
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (1, "group"),
        (4, "groups.staff"),
        (5, "groups.legal"),
        (7, "rules.groups"),
        (8, "rules.paths"),
        (8, "rules.path"),
        (9, "rules"),
        (10, "rules.groups"),
    ]
    hints = [problem.hint for problem in caught.value.problems]
    assert "'groups'" in hints[0] and "'staff'" in hints[3] and "'path'" in hints[4]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("groups: [\n", 1, "a bracket that is never closed"),
        ("groups: {}\nrules: 1\nrules: 2\n", 3, 'duplicate key "rules"'),
        ("groups: {a: [b]}\nrules:\n  - just text\n", 3, "'just text'"),
        ("- a\n", 1, "a list"),
        ("groups: []\n", 1, "a list"),
        ("groups: {}\nrules: {}\n", 2, "a mapping"),
    ],
)
def test_access_of_another_shape(tmp_path, text, line, found):
    with pytest.raises(UserError) as caught:
        access_of(tmp_path, text)
    assert [(each.line, each.found) for each in caught.value.problems] == [(line, found)]


def test_access_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=r"access\.yaml"):
        load_access(tmp_path / "access.yaml")
    (tmp_path / "access.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="UTF-8"):
        load_access(tmp_path / "access.yaml")
    (tmp_path / "access.yaml").write_text("")
    assert load_access(tmp_path / "access.yaml").groups == {} == load_access(None).groups


def test_the_last_matching_rule_decides_and_unmatched_rules_are_reported(tmp_path):
    access = access_of(
        tmp_path,
        "groups: {all: [a, b], staff: [a]}\nrules:\n"
        "  - {path: '**', groups: [all]}\n  - {path: docs/staff/, groups: staff}\n"
        "  - {path: '*/x?.md', groups: [staff]}\n  - {path: stuff/**, groups: [staff]}\n",
    )
    ids = ["docs/a.md", "docs/staff/deep/b.md", "docs/n/x1.md", "docs/n/m/x1.md", "docs/n/x12.md"]
    assert [access.groups_for(each, "docs") for each in ids] == [("all",), ("staff",), ("staff",), ("all",), ("all",)]
    assert access.groups_for("docs/staff/c.md", "docs", ["all"]) == ("all",)
    assert access.groups_for("docs/staff/c.md", "docs", []) == ("staff",)
    known = dict.fromkeys(ids, ())
    assert [(problem.line, problem.file) for problem in access.unmatched(known, "docs")] == [(6, "access.yaml")]
    assert access.users == {"a", "b"} and access.groups_of("a") == {"all", "staff"} and access.groups_of("c") == set()


@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_rule_means_a_name_and_a_heading_in_either_form_of_its_accents(tmp_path, embedder, written, stored):
    secret = normalize(stored, "# Team\n\nOpen.\n\n## Gehälter\n\nSecret.\n")
    for name in ("docs/gehälter.md", "docs/café/team.md", "docs/open.md"):
        write(tmp_path, {normalize(stored, name): secret})
    paths = ("gehälter.*", "docs/caf?/**", "open.md#gehälter")
    rules = "".join(f"  - {{path: '{path}', groups: [board]}}\n" for path in paths)
    access = access_of(tmp_path, normalize(written, f"groups: {{board: [eve]}}\nrules:\n{rules}"))
    index = build(tmp_path / "docs", "docs", access, embedder, tmp_path / "indexes")
    assert index.problems == () and [each.reference for each in index.ranking(["open"])[0]] == ["docs/open.md#team"]
    assert {each.section for each in index.ranking(["secret"], users=["eve"])[0]} == {"team", "gehälter"}


def test_a_folder_with_a_number_sign_is_no_section(tmp_path, embedder):
    text = "# Pay\n\nSecret.\n\n## Grades\n\nNine.\n"
    write(tmp_path, {"docs/C#/pay.md": text, "docs/C/pay.md": text, "docs/F#/pay.md": text})
    rules = (Rule(path="C#/**", groups=("staff",)), Rule(path="F#/pay.md#grades", groups=("staff",)))
    index = build(tmp_path / "docs", "docs", Access(groups={"staff": ("ana",)}, rules=rules), embedder, tmp_path / "x")
    found = {each.reference for each in index.ranking(["secret nine"])[0]}
    assert found == {"docs/C/pay.md#pay", "docs/C/pay.md#grades", "docs/F#/pay.md#pay"} and not index.problems
    assert len(index.ranking(["secret nine"], users=["ana"])[0]) == 6


def test_rules_that_read_otherwise_than_before_have_another_name():
    def named(path):
        return rules_digest(Access(rules=(Rule(path=path, groups=("g",)),)))

    assert named("a/**") == digest([[("a/**", ("g",))], [], 3])  # it covers a name in either form of its accents since
    assert named("C#/**") != digest([[("C#/**", ("g",))], [], 3])


def test_a_group_nobody_knows_is_reported(shop):
    (shop / "docs/x.md").write_text("---\ngroups: [staf]\n---\n# X\n\ntext")
    library = read_library(shop / "docs", "docs", load_access(shop / "access.yaml"))
    assert [(problem.file, problem.hint) for problem in library.problems] == [("docs/x.md", "did you mean 'staff'?")]


# --- HTML --------------------------------------------------------------------------------------------------------


def test_html_keeps_headings_tables_and_breaks():
    parsed = read_html(
        "<title> A  page </title><nav>menu</nav><h1>Tents <b>and</b> tarps</h1>Light<br>and <i>dr</i>y"
        "<ul><li>one<li>two</ul><table><tr><th>k</th><th>v</th></tr><tr><td>x</td><td>1 <p>kg</td></tr></table>"
        "<h2>Care</h2><!-- no --><script>no()</script><pre>a\n  b</pre><p>end &amp; more"
    )
    assert parsed.title == "A page"
    assert [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks] == [
        ("heading", "Tents and tarps"),
        ("text", "Light\nand dry"),
        ("text", "one"),
        ("text", "two"),
        ("table", "| k | v |\n| x | 1 kg |"),
        ("heading", "Care"),
        ("code", "a\n  b"),
        ("text", "end & more"),
    ]


def test_deep_html_does_not_exhaust_the_stack():
    parsed = read_html("<div>" * 5000 + "deep" + "</div>" * 5000)
    assert parsed.text == "deep" and len(parsed.blocks) == 1


@given(st.text(alphabet="<>/abhtrdp12 &;\"'=!-\n", max_size=120))
def test_any_html_gives_exact_spans(source):
    parsed = read_html(source)
    assert all(0 <= block.start < block.end <= len(parsed.text) for block in parsed.blocks)
    assert all(one.end <= two.start for one, two in itertools.pairwise(parsed.blocks))
