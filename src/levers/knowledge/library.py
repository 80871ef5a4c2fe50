"""Read a folder of documents: what could be read, what could not and why, and which documents newer ones replace."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from levers.errors import Problem, UserError
from levers.knowledge.access import Access, Outline, did_you_mean
from levers.knowledge.chunk import outline
from levers.knowledge.decode import decode
from levers.knowledge.front import read_front, stray_groups
from levers.knowledge.html import read_html
from levers.knowledge.office import read_docx, read_pptx
from levers.knowledge.outline import markdown_blocks, text_blocks
from levers.knowledge.pdf import read_pdf
from levers.knowledge.reading import LARGEST_TEXT, Unreadable, first_title
from levers.knowledge.records import Block, Document, Head, Parsed, Superseded
from levers.knowledge.sheets import read_csv, read_jsonl, read_xlsx
from levers.knowledge.versions import find_superseded, guesses
from levers.ledger import Record

_WITH_HEAD: dict[str, Callable[[str, int], tuple[Block, ...]]] = {
    ".md": markdown_blocks,
    ".markdown": markdown_blocks,
    ".rst": text_blocks,
    ".txt": text_blocks,
    ".text": text_blocks,
}
_TEXT: dict[str, Callable[[str], Parsed]] = {
    ".html": read_html,
    ".htm": read_html,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
}
_BINARY: dict[str, Callable[[bytes], Parsed]] = {
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".pptx": read_pptx,
    ".xlsx": read_xlsx,
}
READABLE = (*_WITH_HEAD, *_TEXT, *_BINARY)
_BESIDE = frozenset(  # files that lie beside documents and hold no prose
    ".png .jpg .jpeg .gif .svg .webp .ico .css .js .map .woff .woff2 .ttf .mp4 .yaml .yml .json .toml".split()  # noqa: SIM905
)
_LARGEST = 100_000_000  # bytes of a file


class Folder(NamedTuple):
    """A documents' folder as a source of files; `prefix` is how the project writes it."""

    path: Path
    prefix: str

    def files(self) -> "list[File]":
        """Return the files that are or should be documents, sorted by name."""
        return files(self.path, self.prefix)

    def look(self, file: "File") -> tuple[int, int, int]:
        """Return a file's size and, in ns, when its content and its entry changed; a link may lead elsewhere now."""
        try:
            if file.path.is_symlink() and _linked(file.path, self.path):
                return -1, -1, -1
            stat = file.path.stat()
        except (OSError, Unreadable):
            return -1, -1, -1
        return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns

    def open(self, file: "File") -> "Opened":
        """Read a file."""
        return open_file(file, self.path)


class Library(Record):
    """A folder as read: documents sorted by id, problems with file and line, and superseded documents.

    `notes` say what was guessed on the way, such as an encoding, or that one document replaces another.
    """

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    superseded: tuple[Superseded, ...] = ()
    notes: tuple[str, ...] = ()


class File(NamedTuple):
    """A file below the documents' folder that may hold a document; `name` is the document's id.

    `unlisted` says that it is a folder of which nobody could tell what is in it.
    """

    path: Path
    name: str
    unlisted: bool = False


class Opened(NamedTuple):
    """A file after reading: its document (groups are those of its own head) or why there is none."""

    document: Document | None
    problems: tuple[Problem, ...] = ()
    note: str = ""
    sha: str = ""


class Judged(NamedTuple):
    """All heads together under the access rules: their groups by id, who is superseded, and what is wrong.

    `narrowed` holds by id the groups of the sections that a rule narrows.
    """

    groups: dict[str, tuple[str, ...]]
    superseded: tuple[Superseded, ...]
    problems: tuple[Problem, ...]
    narrowed: dict[str, dict[str, tuple[str, ...]]]


def read_library(documents_dir: Path, prefix: str, access: Access | None = None) -> Library:
    """Read every document below a folder: Markdown, text, HTML, PDF, Word, PowerPoint, Excel, CSV and JSON Lines.

    `prefix` is the folder's path as the project writes it ("docs/"); ids start with it. A file that cannot be read
    is one problem, the rest is still read. Raises UserError only when there is no such folder.
    """
    there = files(documents_dir, prefix)
    opened = [open_file(file, documents_dir) for file in there]
    documents = [each.document for each in opened if each.document is not None]
    outlines = {
        file.name: None if each.document is None else outline(each.document)
        for file, each in zip(there, opened, strict=True)
    }
    judged = judge(documents, access or Access(), prefix, outlines)
    return Library(
        documents=tuple(each.model_copy(update={"groups": judged.groups[each.id]}) for each in documents),
        problems=(*(problem for each in opened for problem in each.problems), *judged.problems),
        superseded=judged.superseded,
        notes=(*(each.note for each in opened if each.note), *guesses(judged.superseded)),
    )


def files(documents_dir: Path, prefix: str) -> list[File]:
    """Return the files below a folder that are or should be documents, and links to folders, sorted by name.

    A folder that cannot be listed stands for what it holds. Raises UserError when there is no such folder, or when it
    is the documents' folder itself that cannot be listed.
    """
    prefix = clean(prefix)
    check_folder(documents_dir, prefix)
    found: list[str] = []
    unlisted: set[str] = set()

    def failed(error: OSError) -> None:
        where = Path(os.fsdecode(error.filename or documents_dir))
        if where == documents_dir:
            told, hint = error.strerror or "a folder that cannot be listed", "check its permissions"
            shown = prefix or documents_dir.name
            raise UserError(Problem(file=shown, found=told, expected="a folder levers may list", hint=hint)) from error
        if not isinstance(error, FileNotFoundError):  # one that was removed meanwhile holds nothing
            unlisted.add(where.relative_to(documents_dir).as_posix())

    for base, folders, names in os.walk(documents_dir, onerror=failed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(base).relative_to(documents_dir).as_posix()
        above = "" if below == "." else f"{below}/"
        kept = (name for name in names if not name.startswith((".", "~")))
        found += [above + name for name in kept if os.path.splitext(name)[1].lower() not in _BESIDE]
        found += [above + name for name in folders if os.path.islink(os.path.join(base, name))]  # walk stays out
    return [
        File(documents_dir / name, _shown(f"{prefix}/{name}" if prefix else name), name in unlisted)
        for name in sorted({*found, *unlisted})
    ]


def _shown(name: str) -> str:
    """Return a name as messages and indexes write it: bytes that are no UTF-8 as `\\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def check_folder(documents_dir: Path, prefix: str) -> None:
    """Raise UserError when there is no such folder."""
    if not documents_dir.is_dir():
        file, hint = (
            prefix or documents_dir.name,
            "name the folder under knowledge.documents in levers.yaml, or make it",
        )
        raise UserError(Problem(file=file, found="no folder", expected="a folder of documents", hint=hint))


def clean(prefix: str) -> str:
    """Return the documents' folder as ids start with it: `./docs/` is `docs`."""
    return PurePosixPath(prefix).as_posix().strip("/") if prefix.strip("./") else ""


def judge(heads: Sequence[Head], access: Access, prefix: str, outlines: Mapping[str, Outline | None]) -> Judged:
    """Apply the access rules to all documents, and find those that newer ones replace.

    `outlines` has an entry for every file of the folder, None for one that could not be read.
    """
    prefix = clean(prefix)
    groups = {head.id: access.groups_for(head.id, prefix, head.groups) for head in heads}
    problems = [problem for head in heads for problem in _unknown_groups(head, access)]
    problems += access.unmatched(outlines, prefix)
    under_rules = [
        head if head.groups == groups[head.id] else head.model_copy(update={"groups": groups[head.id]})
        for head in heads
    ]
    superseded, doubts = find_superseded(under_rules, prefix)
    narrowed = {head.id: access.sections_for(head.id, prefix, outlines[head.id] or ()) for head in heads}
    return Judged(groups, superseded, (*problems, *doubts), narrowed)


def open_file(file: File, folder: Path) -> Opened:
    """Read one file. Whatever is wrong with it is one problem (a head may have several), never an exception."""
    suffix = file.path.suffix.lower()
    if file.unlisted:
        hint = "check its permissions; the index keeps what it held of the folder"
        return _refused(file, Unreadable("a folder that cannot be listed", "a folder levers may list", hint))
    try:
        note = _linked(file.path, folder) if file.path.is_symlink() else ""
        if note:
            return Opened(None, note=f"{file.name}: {note}")
        data = _bytes(file.path, folder)
    except Unreadable as error:
        return _refused(file, error)
    sha = hashlib.sha256(data).hexdigest()
    try:
        if suffix in _BINARY:
            return _finished(file, _BINARY[suffix](data), sha)
        decoded = decode(data, markup=suffix in (".html", ".htm"))
        note = f"{file.name}: read as {decoded.encoding}, since it is not UTF-8" if decoded.guessed else ""
        if len(decoded.text) > LARGEST_TEXT:
            raise Unreadable(f"{len(decoded.text):,} characters", f"at most {LARGEST_TEXT:,}", "split the file")
        if suffix in _TEXT:
            line = stray_groups(decoded.text)
            if line is not None:
                hint = f"groups of a {suffix} file stand in access.yaml; until then it is left out"
                raise Unreadable("groups in a head", "a head in Markdown or text only", hint, line)
            return _finished(file, _TEXT[suffix](decoded.text), sha, note)
        return _with_head(file, decoded.text, sha, note)
    except Unreadable as error:
        return _refused(file, error, sha)


def _with_head(file: File, text: str, sha: str, note: str) -> Opened:
    front = read_front(text, file.name)
    if not front.readable:
        return Opened(None, front.problems, note, sha)
    blocks = _WITH_HEAD[file.path.suffix.lower()](text, front.body)
    if not blocks:
        return Opened(None, (*front.problems, _empty(file.name)), note, sha)
    document = Document(
        id=file.name,
        text=text,
        blocks=blocks,
        title=front.title or first_title(blocks),
        updated=front.updated,
        supersedes=front.supersedes,
        groups=front.groups,
    )
    return Opened(document, front.problems, note, sha)


def _finished(file: File, parsed: Parsed, sha: str, note: str = "") -> Opened:
    if not parsed.blocks:
        return Opened(None, (_empty(file.name),), note, sha)
    document = Document(id=file.name, text=parsed.text, blocks=parsed.blocks, title=parsed.title, pages=parsed.pages)
    return Opened(document, (), note, sha)


def _linked(path: Path, folder: Path) -> str:
    """Return why a link is not followed, empty where it is. Raises Unreadable for a link to what is no document here.

    A document is read once, under its own name and the rules for that. Hidden files have no name of their own here, so
    a link may show them: that is how volumes are mounted.
    """
    target, root = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if not target.is_relative_to(root):
        if target.is_dir() and not any(_readable(name) for *_, names in os.walk(target) for name in names):
            return "a link to a folder without documents"
        raise Unreadable("a link out of the documents' folder", hint="copy what it leads to here")
    below = target.relative_to(root)
    hidden = any(part.startswith((".", "~")) for part in below.parts)
    if not target.exists() or (hidden and target.is_file()):
        return ""
    if hidden or (target.is_file() and not _readable(target.name)):
        raise Unreadable(f"a link to {_shown(below.as_posix())}, which is left out", hint="copy what it leads to here")
    return f"a link to {_shown(below.as_posix())}, which is read under that name only"


def _readable(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in READABLE


def _bytes(path: Path, folder: Path) -> bytes:
    """Return a file's bytes. Raises Unreadable when it may not, or should not, be opened."""
    if not _readable(path.name):
        suffix = path.suffix.lower()
        hint = "convert it to Markdown or HTML, or move it out of the documents' folder"
        raise Unreadable(f"a {_shown(suffix) or 'nameless'} file", ", ".join(READABLE), hint)
    name = path.relative_to(folder).as_posix()
    if _shown(name) != name:
        raise Unreadable("a name that is not UTF-8", "a name in UTF-8", "rename the file")
    try:
        if not path.is_file():  # a pipe would wait for ever
            raise Unreadable("no regular file", "a file levers may read", "remove it from the documents' folder")
        size = path.stat().st_size
        if size > _LARGEST:
            raise Unreadable(f"{size:,} bytes", f"at most {_LARGEST:,}", "split the file")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or "an unreadable file", "a file levers may read") from error


def _refused(file: File, error: Unreadable, sha: str = "") -> Opened:
    problem = Problem(file=file.name, line=error.line, found=error.found, expected=error.expected, hint=error.hint)
    return Opened(None, (problem,), "", sha)


def _empty(name: str) -> Problem:
    return Problem(file=name, found="no text", expected="a document with text", hint="fill it or remove it")


def _unknown_groups(document: Head, access: Access) -> Iterable[Problem]:
    """Report groups of a front matter that the access file does not know: nobody could read the document."""
    return [
        Problem(
            file=document.id,
            field="groups",
            found=repr(group),
            expected=f"a group of {access.file}",
            hint=did_you_mean(group, access.groups) or f"list its users under groups in {access.file}",
        )
        for group in document.groups
        if group not in access.groups
    ]
