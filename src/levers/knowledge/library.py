"""Read a folder of documents: what could be read, what could not and why, and which documents newer ones replace."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from levers.errors import Problem, UserError
from levers.knowledge.access import Access, did_you_mean
from levers.knowledge.front import read_front
from levers.knowledge.html import html_blocks
from levers.knowledge.outline import line_at, markdown_blocks, text_blocks
from levers.knowledge.records import Document, Superseded
from levers.knowledge.versions import find_superseded
from levers.ledger import Record

_MARKDOWN = (".md", ".markdown")
_TEXT = (".txt", ".text")
_HTML = (".html", ".htm")
_READ = (*_MARKDOWN, *_TEXT, *_HTML)
_BESIDE = frozenset(  # files that lie beside documents and hold no prose
    ".png .jpg .jpeg .gif .svg .webp .ico .css .js .map .woff .woff2 .ttf .mp4 .yaml .yml .json .toml".split()  # noqa: SIM905
)


class Library(Record):
    """A folder as read: documents sorted by id, problems with file and line, and superseded documents."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    superseded: tuple[Superseded, ...] = ()


def read_library(documents_dir: Path, prefix: str, access: Access | None = None) -> Library:
    """Read every Markdown, text and HTML file below a folder.

    `prefix` is the folder's path as the project writes it ("docs/"); ids start with it. A file that cannot be read
    is one problem, the rest is still read. Raises UserError only when there is no such folder.
    """
    prefix = PurePosixPath(prefix).as_posix().strip("/") if prefix.strip("./") else ""
    rules = access or Access()
    if not documents_dir.is_dir():
        file, hint = (
            prefix or documents_dir.name,
            "name the folder under knowledge.documents in levers.yaml, or make it",
        )
        raise UserError(Problem(file=file, found="no folder", expected="a folder of documents", hint=hint))
    documents: list[Document] = []
    problems: list[Problem] = []
    for path in _files(documents_dir):
        relative = path.relative_to(documents_dir).as_posix()
        name = f"{prefix}/{relative}" if prefix else relative
        document, found = _read(path, name, documents_dir)
        problems += found
        if document is not None:
            groups = rules.groups_for(name, prefix, document.groups)
            problems += _unknown_groups(document, rules)
            documents.append(document.model_copy(update={"groups": groups}))
    problems += rules.unmatched((document.id for document in documents), prefix)
    superseded, doubts = find_superseded(documents, prefix)
    return Library(documents=tuple(documents), problems=(*problems, *doubts), superseded=superseded)


def _files(folder: Path) -> Iterator[Path]:
    found: list[Path] = []
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(base, name) for name in files if not name.startswith((".", "~"))]
    return iter(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def _read(path: Path, name: str, folder: Path) -> tuple[Document | None, list[Problem]]:
    suffix = path.suffix.lower()
    if suffix in _BESIDE:
        return None, []
    if suffix not in _READ:
        hint = "convert it to Markdown or HTML, or move it out of the documents' folder"
        return None, [Problem(file=name, found=f"a {suffix or 'nameless'} file", expected=", ".join(_READ), hint=hint)]
    text, problem = _decode(path, name, folder)
    if text is None:
        return None, [problem] if problem else []
    if suffix in _HTML:
        extracted, blocks, title = html_blocks(text)
        document = Document(id=name, text=extracted, blocks=blocks, title=title or _first_title(blocks))
        return (document, []) if blocks else (None, [_empty(name)])
    front = read_front(text, name)
    if not front.readable:
        return None, list(front.problems)
    blocks = markdown_blocks(text, front.body) if suffix in _MARKDOWN else text_blocks(text, front.body)
    if not blocks:
        return None, [*front.problems, _empty(name)]
    document = Document(
        id=name,
        text=text,
        blocks=blocks,
        title=front.title or _first_title(blocks),
        updated=front.updated,
        supersedes=front.supersedes,
        groups=front.groups,
    )
    return document, list(front.problems)


def _decode(path: Path, name: str, folder: Path) -> tuple[str | None, Problem | None]:
    """Return the file's text, or the reason there is none."""
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        return None, Problem(file=name, found="a link out of the documents' folder", hint="copy the file here")
    try:
        data = path.read_bytes()
    except OSError as error:
        return None, Problem(file=name, found=error.strerror or "an unreadable file", expected="a file levers may read")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None, Problem(file=name, found="UTF-16", expected="UTF-8", hint="save the file as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = line_at(data[: error.start].decode("utf-8", "replace"), len(data))
        found = f"byte 0x{data[error.start]:02x}, which is not UTF-8"
        return None, Problem(file=name, line=line, found=found, expected="UTF-8", hint="save the file as UTF-8")
    if "\0" in text:
        line = line_at(text, text.index("\0"))
        return None, Problem(file=name, line=line, found="NUL bytes: a binary file", expected="text")
    return text, None


def _first_title(blocks: tuple[object, ...]) -> str | None:
    titles = (getattr(block, "title", "") for block in blocks if getattr(block, "level", 0) == 1)
    return next(titles, None) or None


def _empty(name: str) -> Problem:
    return Problem(file=name, found="no text", expected="a document with text", hint="fill it or remove it")


def _unknown_groups(document: Document, access: Access) -> list[Problem]:
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
