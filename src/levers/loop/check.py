"""Check everything in a project at once: config, cases, examples, documents, access rules, prices; writes nothing."""

from collections.abc import Callable, Collection
from pathlib import Path

from levers.economics import PriceBook
from levers.errors import Problem, UserError
from levers.knowledge import Access, Library, load_access, read_library
from levers.knowledge.chunk import sections
from levers.ledger import Record
from levers.lever.figures import gate_check
from levers.lever.gates import inspect
from levers.model import billed, from_hub, is_hosted, known_reference
from levers.plan import GateCheck
from levers.task import check as check_task
from levers.task import load as load_task
from levers.task.config import NAME, Written, read_config
from levers.task.files import is_there
from levers.task.records import Example
from levers.task.references import split_reference
from levers.trial import Kit, detectable_difference

MOST_NOTES = 20  # of the guards of training data; the rest are counted


class Checked(Record):
    """What was found: problems to mend, data gates, and the smallest difference each partition can show."""

    problems: tuple[Problem, ...]
    gates: tuple[GateCheck, ...]
    detectable_difference: dict[str, float]
    counts: dict[str, int]
    notes: tuple[str, ...]


def check(path: Path | str) -> Checked:
    """Check a project's folder (or its `levers.yaml`) and return all that is wrong with it."""
    root = Path(path).parent if Path(path).name == NAME else Path(path)
    written, _, _ = read_config(root)
    problems: list[Problem] = []
    library = _library(root, written, problems) if written else None
    report = check_task(path, known_reference=known_reference, sections=_slugs(library) if library else None)
    problems += _prices(root, written) if written else ()
    examples = report.counts["examples"]
    gates = [gate_check("golden set", report.counts["cases"])]
    if examples:
        gates += [gate_check("few-shot", examples), gate_check("structured output", examples)]
    sizes = {name: report.counts[name] for name in ("dev", "test", "edge")}
    found = [*report.problems, *(problem for problem in problems if problem not in report.problems)]
    notes = [*report.notes, *(_on_the_hub(root, written) if written else ())]
    notes += _training(root, library) if examples and not found else ()
    read = {"documents": len(library.documents)} if library else {}  # what search can find, as `levers index` counts it
    return Checked(
        problems=tuple(found),
        gates=tuple(gates),
        detectable_difference={name: detectable_difference(size) for name, size in sizes.items() if size},
        counts=report.counts | read,
        notes=tuple(notes),
    )


def _library(root: Path, written: Written, problems: list[Problem]) -> Library | None:
    """Read documents under the access rules; what is wrong with either is added to the problems.

    What `levers.yaml` names is read although something else in it is wrong, so that everything is named at once.
    """
    documents, rules = written.text("knowledge", "documents"), written.text("knowledge", "access")
    access = None if rules else Access()
    if rules and is_there((root / rules).is_file):
        problems += _attempt(lambda: load_access(root / rules, rules))
        access = None if problems else load_access(root / rules, rules)
    if not documents or not is_there((root / documents).is_dir):
        return None  # the task's own check names a folder that is not there
    library = read_library(root / documents, documents, access)
    # Without the access file no group is known, so a group that a head names says nothing; faults of heads have lines.
    problems += (each for each in library.problems if access or each.line or each.field != "groups")
    return library


def _prices(root: Path, written: Written) -> list[Problem]:
    """Read the team's prices, and name hosted models that a cap cannot hold because they have none."""
    name, models = written.text("prices"), written.data.get("models")
    if name and not is_there((root / name).is_file):
        return []  # the task's own check names a file that is not there
    try:
        book = PriceBook.load(root / name if name else None, name)
    except UserError as error:
        return list(error.problems)
    if not isinstance(models, dict) or models.get("cap") is None:
        return []
    used = [written.text("models", role) for role in ("answer", "reference", "embed")]
    used += [spec.model for _, spec in written.graders()]
    line = written.line(("models", "cap"))
    return [
        book.uncapped(model, name).model_copy(update={"line": line})
        for model in dict.fromkeys(filter(None, used))
        if is_hosted(model) and book.charged(billed(model)) is None
    ]


def _on_the_hub(root: Path, written: Written) -> list[str]:
    """Name local models that are no folder of the project: a hub id, or a folder that was forgotten."""
    named = ((f"models.{role}", written.text("models", role)) for role in ("answer", "reference", "embed", "rerank"))
    return [
        f"{field}: {model}: no such folder here; it will be looked for on the hub"
        for field, model in named
        if model and from_hub(model, root)
    ]


def _training(root: Path, library: Library | None) -> list[str]:
    """Run the guards that a tuning would run; say what they found."""
    task = load_task(root, known_reference=known_reference)
    known = {document.id: document for document in library.documents} if library else {}

    def texts(example: Example) -> str:
        named = (split_reference(reference)[0] for reference in example.evidence)
        return "\n".join(known[document].text for document in named if document in known)

    notes = inspect(task, Kit(schemas=task.schemas, root=task.root), texts).notes()
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], *([f"and {more} more findings in the examples"] if more > 0 else [])]


def _slugs(library: Library) -> Callable[[str], Collection[str]]:
    known = {document.id: {section.slug for section in sections(document)} for document in library.documents}
    return lambda document: known.get(document, set())


def _attempt(read: Callable[[], object]) -> list[Problem]:
    try:
        read()
    except UserError as error:
        return list(error.problems)
    return []
