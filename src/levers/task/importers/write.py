"""From what a reader handed over to a project's folder that `levers check` accepts; whole or not at all."""

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.task.config import NAME
from levers.task.files import filled_whole
from levers.task.importers.records import Imported
from levers.task.load import check
from levers.task.rules import plain

_TEST_SHARE = 1 / 3
_BRIEF = "Answer the question in a few words.\n"


class Written(Record):
    """What was written: the folder, how many cases (by partition) and documents, the graders, what to look at."""

    path: str
    cases: dict[str, int]
    documents: int
    graders: tuple[str, ...]
    notes: tuple[str, ...] = ()


def write_project(found: Imported, into: Path, name: str) -> Written:
    """Write a project into a new or empty folder.

    Cases without a partition are dealt out by a hash of their id, two thirds to dev, the same way every time.
    A question that is asked twice is kept once. Raises UserError when the folder holds something, nothing can be
    taken over, or the result is no sound project; nothing is written then.
    """
    if into.exists() and not (into.is_dir() and not any(into.iterdir())):
        what = "a folder that is not empty" if into.is_dir() else "a file"
        raise UserError(
            Problem(file=str(into), found=what, expected="a new or empty folder", hint="choose another --into")
        )
    cases = _dealt(_once(found))
    if len(cases) < 2:
        hint = "a golden set needs at least one dev and one test case"
        raise UserError(Problem(file=name, found=f"{len(cases)} cases", expected="at least 2 questions", hint=hint))
    if not found.instructions.strip():
        found.note("brief.md is a placeholder: write what a good answer must do")
    with filled_whole(into, NAME) as whole:
        _write(found, cases, whole, name)
        report = check(whole)
        if report.problems:
            raise UserError(report.problems)
    counts = {part: sum(case["partition"] == part for case in cases) for part in ("dev", "test", "edge")}
    graders = tuple(str(each.get("named") or each["kind"]) for each in found.graders)
    notes = (*found.notes, *report.notes)
    return Written(path=str(into), cases=counts, documents=len(found.documents), graders=graders, notes=notes)


def _once(found: Imported) -> list[dict[str, Any]]:
    seen: dict[str, str] = {}
    ids: set[str] = set()
    kept, repeats = [], list[str]()
    for case in found.cases:
        asked = case["input"] if isinstance(case["input"], str) else json.dumps(case["input"], sort_keys=True)
        first = seen.setdefault(plain(asked), case["id"])
        if first != case["id"] or case["id"] in ids:
            repeats.append(f"{case['id']} repeats {first}")
            continue
        ids.add(case["id"])
        kept.append(case)
    if repeats:
        found.note(
            f"questions asked twice are kept once: {repeats[0]}" + f", and {len(repeats) - 1} more" * (len(repeats) > 1)
        )
    return kept


def _dealt(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give cases without a partition one, and make sure that both dev and test have some."""
    parts = [str(case.get("partition") or ("test" if _share(case["id"]) < _TEST_SHARE else "dev")) for case in cases]
    for needed, other in (("dev", "test"), ("test", "dev")):
        if needed not in parts and len(cases) > 1:
            movable = sorted(range(len(cases)), key=lambda place: _share(cases[place]["id"]), reverse=needed == "dev")
            for place in movable[: max(1, round(len(cases) * (_TEST_SHARE if needed == "test" else 1 - _TEST_SHARE)))]:
                parts[place] = needed if parts[place] == other else parts[place]
    return [{**case, "partition": part} for case, part in zip(cases, parts, strict=True)]


def _share(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def _write(found: Imported, cases: Sequence[dict[str, Any]], folder: Path, name: str) -> None:
    lines = (
        json.dumps({key: case[key] for key in case if case[key] not in ([], None)}, ensure_ascii=False)
        for case in cases
    )
    (folder / "golden.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "brief.md").write_text(
        found.instructions.strip() + "\n" if found.instructions.strip() else _BRIEF, "utf-8"
    )
    for file, schema in found.schemas.items():
        (folder / file).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for file, text in found.documents.items():
        path = folder / "docs" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / NAME).write_text(_config(found, name), encoding="utf-8")


def _config(found: Imported, name: str) -> str:
    from ruamel.yaml import YAML  # imported here: `import levers` stays light

    config: dict[str, Any] = {"name": name, "instructions": "brief.md", "golden": "golden.jsonl"}
    if found.documents:
        config["knowledge"] = {"documents": "docs/"}
    config["models"] = {"answer": "pocket", "embed": "minilm"}
    config["graders"] = found.graders
    config["targets"] = {"quality": 0.9, **found.targets}
    stream = io.StringIO()
    writer = YAML()
    writer.default_flow_style = False
    writer.width = 110
    writer.dump(config, stream)
    return stream.getvalue()
