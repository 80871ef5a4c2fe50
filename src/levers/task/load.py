"""From a project's folder to a `Task`, or to everything that is wrong with it. Nothing here writes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.ledger.yaml import parse_yaml
from levers.task.config import NAME, Written, line_of, read_config
from levers.task.examples import read_examples
from levers.task.files import is_there
from levers.task.golden import Golden, cap, read_golden
from levers.task.leaks import check_leaks
from levers.task.records import PARTITIONS, Example, Task, TaskConfig
from levers.task.rules import (
    KnownReference,
    check_duplicates,
    check_evidence,
    check_graders,
    check_models,
    document_ids,
)
from levers.task.text import parse_json, read_text, show
from levers.task.wording import nearest, unwritten

_FILES = (("instructions",), ("golden",), ("examples",), ("prices",), ("knowledge", "tables"), ("knowledge", "access"))
_LONGEST_NAME = 255  # bytes that common file systems allow; a longer text is the content itself
_SQLITE = b"SQLite format 3\0"

Sections = Callable[[str], Collection[str]]


class CheckReport(Record):
    """What a check found. `counts` holds cases, dev, test, edge, with_evidence, examples, documents and graders.

    Here every file of the documents' folder that is not hidden counts as a document; reading tells which are some.
    """

    problems: tuple[Problem, ...]
    counts: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether nothing has to be mended."""
        return not self.problems


@dataclass
class _Reading:
    """What has been read so far; a broken file leaves its place empty, and the rest is read all the same."""

    root: Path
    config: TaskConfig | None = None
    instructions: str = ""
    golden: Golden = field(default_factory=lambda: Golden("", (), (), ()))
    examples: tuple[Example, ...] = ()
    schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    documents: set[str] | None = None
    graders: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load(
    path: Path | str,
    *,
    known_reference: KnownReference | None = None,
    sections: Sections | None = None,
    evidence_required: bool = True,
) -> Task:
    """Load the task of a project's folder, or of its `levers.yaml`.

    `known_reference` judges a model reference (pass the model room's); without it only its form is checked.
    `sections` lists a document's section slugs (the knowledge room knows them); without it evidence is checked by
    document only. With `evidence_required=False` evidence may point to documents that are gone: such a case lacks
    knowledge, which is for the diagnosis to say. Raises UserError with all problems at once, and MissingExtra for
    Parquet examples where pyarrow is not installed.
    """
    reading = _read(Path(path), known_reference, sections, evidence_required)
    if reading.problems or reading.config is None:
        raise UserError(reading.problems)
    return Task(
        root=reading.root,
        config=reading.config,
        instructions=reading.instructions,
        cases=reading.golden.cases,
        examples=reading.examples,
        schemas=reading.schemas,
    )


def check(
    path: Path | str,
    *,
    known_reference: KnownReference | None = None,
    sections: Sections | None = None,
    evidence_required: bool = True,
) -> CheckReport:
    """Check what `load` would load, and report instead of raising; the arguments are those of `load`."""
    reading = _read(Path(path), known_reference, sections, evidence_required)
    cases = reading.golden.cases
    counts: dict[str, int] = {
        "cases": len(cases),
        **{str(name): sum(case.partition == name for case in cases) for name in PARTITIONS},
        "with_evidence": sum(bool(case.evidence) for case in cases),
        "examples": len(reading.examples),
        "documents": len(reading.documents or ()),
        "graders": reading.graders,
    }
    return CheckReport(problems=tuple(reading.problems), counts=counts, notes=tuple(reading.notes))


def _read(path: Path, known: KnownReference | None, sections: Sections | None, evidence_required: bool) -> _Reading:
    root = path.parent if path.name == NAME else path
    reading = _Reading(root)
    if not (root / NAME).is_file():
        found = f"no {NAME}" if root.is_dir() else "a file" if root.exists() else "no such folder"
        taken = root.exists() and (not root.is_dir() or any(root.iterdir()))
        hint = f"`levers init {'my-project' if taken else path}` writes a project to start from"
        hint += " into a new folder" if taken else ""
        if (root.parent / NAME).is_file():
            hint = f"did you mean {root.parent}?"
        reading.problems.append(Problem(file=str(path), found=found, expected=f"a folder with {NAME}", hint=hint))
        return reading
    written, reading.config, problems = read_config(root)
    reading.problems += problems
    if written is None:
        return reading
    there = _check_files(reading, written)
    reading.problems += _among_documents(reading, written)
    _read_files(reading, written, there)
    reading.graders = len(written.graders())
    reading.problems += check_models(written, root, known)
    reading.problems += check_graders(written, reading.golden)
    reading.problems += cap(check_duplicates(reading.golden), reading.golden.file)
    if reading.documents is not None:
        golden, examples = reading.golden, str(written.text("examples"))
        shown = [(each.line, reference) for each in reading.examples for reference in each.evidence]
        missing = cap(check_evidence(golden.file, golden.references, reading.documents, sections), golden.file)
        missing += cap(check_evidence(examples, shown, reading.documents, sections), examples)
        if evidence_required:
            reading.problems += missing
        elif missing:
            reading.notes.append(f"{len(missing)} pieces of evidence are not in the documents")
    if reading.examples:
        file = str(written.text("examples"))
        reading.problems += cap(check_leaks(reading.golden, reading.examples, file), file)
    _take_notes(reading, written)
    reading.problems = _once(reading.problems)
    return reading


def _check_files(reading: _Reading, written: Written) -> set[str]:
    """Name configured files and folders that do not exist; return the dotted fields of the files that do."""
    there = set()
    for path in _FILES:
        name, dotted = written.text(*path), ".".join(path)
        if name is None or "://" in name:  # a database may be an address
            continue
        if is_there((reading.root / name).is_file):
            there.add(dotted)
            if dotted == "knowledge.tables":
                reading.problems += _no_database(reading.root, written, path, name)
        else:
            reading.problems.append(_absent(reading.root, written, path, name, "a file"))
    documents = written.text("knowledge", "documents")
    if documents and (PurePosixPath(documents).is_absolute() or ".." in PurePosixPath(documents).parts):
        reading.problems.append(_elsewhere(written, ("knowledge", "documents"), documents))
    elif documents and is_there((reading.root / documents).is_dir):
        reading.documents = document_ids(reading.root, documents)
    elif documents:
        reading.problems.append(_absent(reading.root, written, ("knowledge", "documents"), documents, "a folder"))
    return there


def _elsewhere(written: Written, path: tuple[str | int, ...], name: str) -> Problem:
    """Say that a folder is named from elsewhere: evidence, rules and citations name documents from the project's."""
    return Problem(
        file=written.file,
        line=written.line(path),
        field=unwritten(path),
        found=f"{show(name)}, which does not start at the project's folder",
        expected="a folder of the project, such as docs/",
        hint="move the documents here, or move levers.yaml and what it names to a folder above them",
    )


def _absent(root: Path, written: Written, path: tuple[str | int, ...], name: str, kind: str) -> Problem:
    parent = (root / name).parent
    near = parent.iterdir() if is_there(parent.is_dir) else ()
    others = sorted({each.name for each in near} - {NAME, Path(name).name})
    close = nearest((root / name).name, others)
    hint = f'did you mean "{close}"?' if close else f"paths start at the folder of {NAME}"
    if "\n" in name or len(name) > _LONGEST_NAME:
        hint = "write the text into a file of its own, and the file's name here"
    there = is_there((root / name).exists)
    found = f"{show(name)}, which is not {kind}" if there else f"{show(name)}, which does not exist"
    return Problem(
        file=written.file,
        line=written.line(path),
        field=unwritten(path),
        found=found,
        expected=f"{kind} of the project",
        hint=hint,
    )


def _among_documents(reading: _Reading, written: Written) -> list[Problem]:
    """Name files with answers that lie in the documents' folder: search would find what is held out."""
    root, documents = reading.root, written.text("knowledge", "documents")
    found = reading.documents
    if documents is None or not found:
        return []
    named: list[tuple[tuple[str | int, ...], str | None]] = [
        *(((key,), written.text(key)) for key in ("golden", "examples")),
        *((("graders", place, "labels"), spec.labels) for place, spec in written.graders()),
    ]
    folder, prefix = (root / documents).resolve(), PurePosixPath(documents)

    def indexed(name: str) -> bool:
        path = (root / name).resolve()
        return path.is_relative_to(folder) and str(prefix / path.relative_to(folder).as_posix()) in found

    return [
        Problem(
            file=written.file,
            line=written.line(path),
            field=unwritten(path),
            found=f"{show(name)}, which lies in the documents' folder {show(documents)}",
            expected="a file outside of it, for search finds what lies there",
            hint="move the file, or name another folder under knowledge.documents",
        )
        for path, name in named
        if name and is_there((root / name).is_file) and indexed(name)
    ]


def _no_database(root: Path, written: Written, path: tuple[str | int, ...], name: str) -> list[Problem]:
    """Name a file of figures that is no SQLite database. Only its head is read: opening one may write beside it."""
    why = "is no SQLite database"
    try:
        with (root / name).open("rb") as file:
            if file.read(len(_SQLITE)) in (_SQLITE, b""):  # a database without a table may be an empty file
                return []
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
    found, expected = f"{show(name)}, which {why}", "a SQLite database"
    hint = f"make one of a CSV file: sqlite3 tables.db '.import --csv {PurePath(name).stem}.csv figures'"
    line, field = written.line(path), unwritten(path)
    return [Problem(file=written.file, line=line, field=field, found=found, expected=expected, hint=hint)]


def _read_files(reading: _Reading, written: Written, there: set[str]) -> None:
    root = reading.root
    if "instructions" in there:
        name = str(written.text("instructions"))
        text, problem = read_text(root / name, name)
        if text is not None and not text.strip():
            problem = Problem(
                file=name, line=1, found="an empty file", expected="what a good answer must do", hint="write a brief"
            )
        reading.problems += [problem] if problem else []
        reading.instructions = (text or "").strip()
    if "golden" in there:
        name = str(written.text("golden"))
        reading.golden = read_golden(root / name, name)
        reading.problems += reading.golden.problems
    if "examples" in there:
        name = str(written.text("examples"))
        reading.examples, problems = read_examples(root / name, name)
        reading.problems += problems
    for place, spec in written.graders():
        if spec.schema_file and spec.schema_file not in reading.schemas:
            _read_schema(reading, written, place, spec.schema_file)
        for option, named in (("labels", spec.labels), ("database", spec.database)):
            if named and not is_there((root / named).is_file):
                reading.problems.append(_absent(root, written, ("graders", place, option), named, "a file"))
            elif named and option == "database":
                reading.problems += _no_database(root, written, ("graders", place, option), named)


def _read_schema(reading: _Reading, written: Written, place: int, name: str) -> None:
    path = reading.root / name
    if not is_there(path.is_file):
        reading.problems.append(_absent(reading.root, written, ("graders", place, "schema"), name, "a file"))
        return
    schema: Any = None
    text, problem = read_text(path, name)
    if text is not None:
        schema, problem = parse_json(text, name)
    problem = problem or _schema_fault(schema, text or "", name)
    if problem:
        reading.problems.append(problem)
    else:
        reading.schemas[name] = schema


def _schema_fault(schema: Any, text: str, name: str) -> Problem | None:
    """Say what keeps a JSON value from being a JSON Schema, with the line in its file."""
    from jsonschema import SchemaError  # imported here: `import levers` stays light
    from jsonschema.validators import validator_for

    expected, hint = "a JSON Schema", 'a schema looks like {"type": "object", "properties": {…}, "required": […]}'
    if not isinstance(schema, dict):
        return Problem(file=name, line=1, found=show(schema), expected=expected, hint=hint)
    tree, _ = parse_yaml(text, name)  # JSON is YAML, and YAML's reader knows the lines
    try:
        validator = validator_for(schema)
    except (AttributeError, TypeError, ValueError):  # its "$schema" is looked up as an address, whatever it holds
        expected, hint = (
            "the address of a dialect",
            "leave it out, or name https://json-schema.org/draft/2020-12/schema",
        )
        line, found = line_of(tree, ["$schema"]), show(schema["$schema"])
        return Problem(file=name, line=line, field="$schema", found=found, expected=expected, hint=hint)
    try:
        validator.check_schema(schema)
    except SchemaError as error:
        path = list(error.absolute_path)
        return Problem(
            file=name,
            line=line_of(tree, path),
            field=unwritten(path) or None,
            found=show(error.instance),
            expected=expected,
            hint=hint,
        )
    return None


def _take_notes(reading: _Reading, written: Written) -> None:
    cases = reading.golden.cases
    if cases and not any(case.partition == "edge" for case in cases):
        reading.notes.append(
            "no edge cases: add adversarial, out-of-domain and malformed questions before anything is tuned"
        )
    graded = any(spec.kind == "citation" for _, spec in written.graders())
    if graded and not any(case.evidence for case in cases):
        reading.notes.append("the citation grader scores nothing: no case names its evidence")
    if reading.documents is not None and not reading.documents:
        reading.notes.append("the documents' folder is empty")


def _once(problems: list[Problem]) -> list[Problem]:
    """Drop a second word on the same place of the same file, where two checks met."""
    seen: dict[tuple[str, int | None, str | None, str], Problem] = {}
    for problem in problems:
        seen.setdefault((problem.file, problem.line, problem.field, problem.found), problem)
    return list(seen.values())
