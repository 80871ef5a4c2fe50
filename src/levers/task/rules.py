"""What must hold across files: graders fit the cases, models are known, evidence exists, nothing is twice or leaked."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from levers.errors import Problem
from levers.ledger import Message
from levers.task.config import Written
from levers.task.golden import Golden
from levers.task.records import AUTO, Case, GraderKind, GraderSpec
from levers.task.references import plain_reference, split_reference
from levers.task.text import show
from levers.task.units import UNITS, unit
from levers.task.wording import did_you_mean, nearest

_PROVIDERS = ("hf", "openai", "openai-responses", "anthropic")
_EMBEDDED = {"answer": "pocket", "reference": "pocket", "embed": "minilm", "rerank": "minilm"}
_REFERENCE = re.compile(r"(?P<provider>[a-z0-9_-]+)/(?P<model>\S.*)")
_BELONGS: dict[str, tuple[GraderKind, ...]] = {
    "schema": ("schema",),
    "choices": ("choice",),
    "pattern": ("regex",),
    "threshold": ("f1", "semantic", "judge", "tone"),
    "tolerance": ("numeric",),
    "relative": ("numeric",),
    "unit": ("numeric",),
    "support": ("citation",),
    "rules": ("tone",),
    "labels": ("judge", "tone"),
    "database": ("sql",),
    "command": ("code",),
    "model": ("judge",),
    "rubric": ("judge",),
    "pairwise": ("judge",),
}
# What a grader of a kind cannot do without: the option, what it holds, a hint.
_NEEDED: tuple[tuple[GraderKind, str, str, str], ...] = (
    ("choice", "choices", "the list of allowed answers", "add choices: [first, second]"),
    ("schema", "schema", "the JSON Schema file an answer must follow", "add schema: answer.schema.json"),
    ("code", "command", "the command that decides", "add command: [python, check.py]"),
    ("judge", "model", "the model that judges", "add model: openai/gpt-4o, stronger than the one that answers"),
)
_WORDS = re.compile(r"(?:(?<!\w)[-+](?=[0-9])|[<>]\s?(?=[0-9]))?\w+(?:[+#]+(?!\w)|\s?%)?")
_NUMBER = re.compile(r"[0-9]")


Job = Literal["answer", "embed", "rerank"]
KnownReference = Callable[[str, Job, Path], Problem | None]
"""Judges a model reference, for a job, of a project in a folder; `levers.model.known_reference` is one."""

_JOBS: dict[str, Job] = {"answer": "answer", "reference": "answer", "embed": "embed", "rerank": "rerank"}


def check_models(written: Written, root: Path, known: KnownReference | None) -> list[Problem]:
    """Name model references nobody can open. `known` judges one reference; without it only the form is checked."""
    problems = []
    for role in _EMBEDDED:
        reference = written.text("models", role)
        if reference is None or (role == "rerank" and reference == AUTO):
            continue
        problem = known(reference, _JOBS[role], root) if known else check_reference(reference, role)
        if problem:
            place = {"file": written.file, "line": written.line(("models", role)), "field": f"models.{role}"}
            problems.append(problem.model_copy(update=place))
    url = written.text("models", "base_url")
    if url and not _is_address(url):
        line = written.line(("models", "base_url"))
        expected, hint = "http://… or https://…", "a local Ollama answers at http://localhost:11434/v1"
        problems.append(
            Problem(
                file=written.file, line=line, field="models.base_url", found=show(url), expected=expected, hint=hint
            )
        )
    return problems


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that opens an IPv6 address and is never closed
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def check_reference(reference: str, role: str) -> Problem | None:
    """Judge the form of a model reference for a role: an embedded model's name, or provider/model."""
    embedded = _EMBEDDED[role]
    expected = "a model id such as " + ", ".join([*([embedded] if embedded else []), "openai/…", "hf/…"])
    if reference == embedded:
        return None
    match = _REFERENCE.fullmatch(reference)
    if match and match["provider"] in _PROVIDERS:
        return None
    if reference in _EMBEDDED.values():
        kind = "an embedding model" if reference == "minilm" else "a language model"
        return Problem(
            file="", found=f"{show(reference)}, which is {kind}", expected=expected, hint=f"{role} needs another kind"
        )
    if match:
        close = nearest(match["provider"], _PROVIDERS)
        hint = f'did you mean "{close}/{match["model"]}"?' if close else f"providers: {', '.join(_PROVIDERS)}"
    else:
        close = nearest(reference, [embedded] if embedded else [])
        hint = f'did you mean "{close}"?' if close else "write it as provider/model: openai/gpt-4o-mini, hf/org/name"
    return Problem(file="", found=show(reference), expected=expected, hint=hint)


def check_graders(written: Written, golden: Golden) -> list[Problem]:
    """Name graders that lack what they need, or that the golden set's expectations cannot satisfy."""
    problems = []
    seen: dict[str, int] = {}
    for place, spec in written.graders():
        faults = _options(spec) or _against_cases(spec, golden)
        if spec.name in seen:
            hint = "keep one, let them grade different fields, or give one a name: named: …"
            faults.append(("kind", f"a second grader {spec.name}", "one grader of a kind for a field", hint))
        seen[spec.name] = place
        for field, found, expected, hint in faults:
            path = ("graders", place, field)
            problems.append(
                Problem(
                    file=written.file,
                    line=written.line(path),
                    field=f"graders[{place}].{field}",
                    found=found,
                    expected=expected,
                    hint=hint,
                )
            )
    return problems


Fault = tuple[str, str, str, str]


def _options(spec: GraderSpec) -> list[Fault]:
    """Check a grader by itself: what it needs is there, and nothing that another kind would need."""
    faults = []
    options = {name: getattr(spec, "schema_file" if name == "schema" else name) for name in _BELONGS}
    for option, kinds in _BELONGS.items():
        if options[option] is not None and spec.kind not in kinds:
            hint = f"remove it, or write kind: {kinds[0]}"
            faults.append(
                (
                    option,
                    f"{option} on a grader of kind {spec.kind}",
                    f"{option} only with kind {' or '.join(kinds)}",
                    hint,
                )
            )
    for kind, option, holds, hint in _NEEDED:
        if spec.kind == kind and not options[option]:
            faults.append((option, "nothing", holds, hint))
    if spec.kind == "tone" and spec.rules is None and spec.labels is None:
        faults.append(("rules", "neither rules nor labels", "one of them", "add rules: {max_words: 60}"))
    if spec.unit is not None and unit(spec.unit) is None:
        faults.append(("unit", show(spec.unit), "a unit that levers can convert", did_you_mean(spec.unit, UNITS)))
    for place, pattern in enumerate((*spec.rules.require, *spec.rules.forbid) if spec.rules else ()):
        if why := _pattern_fault(pattern):
            hint = f"pattern {place + 1} of require and forbid"
            faults.append(("rules", f"{show(pattern)}: {why}", "regular expressions", hint))
    if spec.pattern is not None and (why := _pattern_fault(spec.pattern)):
        faults.append(
            (
                "pattern",
                f"{show(spec.pattern)}: {why}",
                "a regular expression",
                "write a literal bracket or star with \\",
            )
        )
    return faults


def _pattern_fault(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return None


def _against_cases(spec: GraderSpec, golden: Golden) -> list[Fault]:
    """Check a grader against its cases' expectations; one fault tells how many cases fail it and the first of them."""
    cases = [case for case in golden.cases if spec.grades(case)]
    if golden.cases and not cases:
        known = sorted({tag for case in golden.cases for tag in case.tags})
        found = f"tags that no case has: {', '.join(spec.only or ())}"
        return [("only", found, "a tag of some case", did_you_mean((spec.only or ("",))[0], known))]
    if spec.field is not None and not _needs_no_expectation(spec):
        bare = [case for case in cases if not isinstance(case.expected, dict) or spec.field not in case.expected]
        if bare:
            found = f"a field that {_count(bare, golden)} not have in expected"
            hint = f'write expected as {{"{spec.field}": …}} in every case, or drop field'
            return [("field", found, f'"{spec.field}" in every expected', hint)]
    demand: dict[str, tuple[Callable[[str], bool], str, str]] = {
        "numeric": (lambda text: bool(_NUMBER.search(text)), "a number in every expected", "grade by another kind"),
        "choice": (
            lambda text: plain(text) in {plain(choice) for choice in spec.choices or ()},
            "choices that hold every expected value",
            "add it to choices, or mend the case",
        ),
    }
    if spec.kind == "regex" and spec.pattern is None:
        demand["regex"] = (
            lambda text: _pattern_fault(text) is None,
            "a pattern, or expected texts that are regular expressions",
            "add pattern, or mend the case",
        )
    if spec.kind not in demand:
        return []
    holds, expected, hint = demand[spec.kind]
    failing = [case for case in cases if not all(map(holds, _accepted(case, spec.field)))]
    where = "choices" if spec.kind == "choice" else "kind"
    return [(where, f"an expectation that {_count(failing, golden)} not meet", expected, hint)] if failing else []


def _needs_no_expectation(spec: GraderSpec) -> bool:
    """Say whether a grader judges the answer alone, whatever the case expects."""
    if spec.kind == "citation":
        return spec.support != "answer"
    return spec.kind in ("schema", "tone", "code") or (spec.kind == "regex" and spec.pattern is not None)


def _accepted(case: Case, field: str | None) -> list[str]:
    """Return the texts a case accepts, of one field where the grader names one; numbers in JSON count as text."""
    value: Any = case.expected[field] if field is not None and isinstance(case.expected, dict) else case.expected
    if isinstance(value, dict):
        return [] if field is None else [show(value)]
    options = value if isinstance(value, list | tuple) else [value]
    return [str(option) for option in options if option is not None]  # null accepts that the field is absent


def _count(cases: list[Case], golden: Golden) -> str:
    verb = "does" if len(cases) == 1 else "do"
    first = f"first: {cases[0].id} at {golden.file}:{golden.line(cases[0])}"
    return f"{len(cases)} of {len(golden.cases)} cases ({first}) {verb}"


def document_ids(root: Path, documents: str) -> set[str]:
    """Return the ids of all files under the documents' folder: its name as in `levers.yaml`, then the path below it.

    Hidden files, and those of an editor that begin with a tilde, are left out, as where documents are read.
    """
    folder = root / documents
    prefix = PurePosixPath(documents)
    return {
        (prefix / path.relative_to(folder).as_posix()).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith("~")
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def check_evidence(
    file: str,
    references: Iterable[tuple[int, str]],
    documents: set[str],
    sections: Callable[[str], Collection[str]] | None = None,
) -> list[Problem]:
    """Name evidence that points to a document (or, where `sections` tells them, a section) that does not exist.

    `references` are those of a file, each with its line.
    """
    problems = []
    for line, reference in references:
        document, slug = split_reference(plain_reference(reference))
        if document not in documents:
            close = nearest(document, documents)
            hint = (
                f'did you mean "{close}"?'
                if close
                else "write the path from the project's folder, such as docs/returns.md"
            )
            expected = "a document of the documents' folder"
        elif slug and sections and slug not in (known := sections(document)):
            hint, expected = did_you_mean(slug, known), f"a section of {document}"
        else:
            continue
        problems.append(
            Problem(file=file, line=line, field="evidence", found=show(reference), expected=expected, hint=hint)
        )
    return problems


def check_duplicates(golden: Golden) -> list[Problem]:
    """Name cases that ask the same for the same user: across partitions they leak, within one they count double."""
    problems = []
    seen: dict[tuple[tuple[str, ...], str | None], int] = {}
    for place, case in enumerate(golden.cases):
        key = (tuple(plain(text) for text in turns(case.input)), case.user)
        first = seen.setdefault(key, place)
        if first == place:
            continue
        other = golden.cases[first]
        found = f"the same input as case {other.id} (line {golden.lines[first]}, {other.partition})"
        hint = "remove one of the two" if other.partition == case.partition else "keep it in one partition only"
        problems.append(
            Problem(
                file=golden.file,
                line=golden.lines[place],
                field="input",
                found=found,
                expected="an input asked once",
                hint=hint,
            )
        )
    return problems


def turns(given: str | tuple[Message, ...]) -> list[str]:
    """Return the texts of an input: one, or one for each message."""
    return [given] if isinstance(given, str) else [message.content for message in given]


def plain(text: str) -> str:
    """Return a text without case, punctuation and runs of blanks; a text of nothing else stays as it is.

    Signs that tell words or numbers apart stay: "C++" is not "C#", nor "-5" "5", nor "5 %" "5".
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).replace("\u2212", "-")
    marked = "".join("_" if unicodedata.category(each)[0] == "M" else each for each in folded)  # a mark is of its word
    words = " ".join("".join(folded[slice(*hit.span())].split()) for hit in _WORDS.finditer(marked))
    return words or text.strip()


def by_plain(texts: Iterable[str]) -> dict[str, list[int]]:
    """Group the places of texts that are the same but for case, punctuation and blanks."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        groups[plain(text)].append(place)
    return groups
