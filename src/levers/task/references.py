"""Evidence as cases and examples name it: a document, `docs/file.md`, or one section of it, `docs/file.md#section`."""

from pathlib import PurePosixPath


def split_reference(reference: str) -> tuple[str, str | None]:
    """Return the document and the section, None where all of the document is meant.

    The section stands behind the last `#`. What cannot name one, for it holds a slash or a dot as in `C#/pay.md`,
    belongs to the document's path.
    """
    document, sign, section = reference.rpartition("#")
    if not sign or "/" in section or "." in section:
        return reference, None
    return document, section or None


def plain_reference(reference: str) -> str:
    """Return a reference with its document as ids are written: `./docs//file.md#section` is `docs/file.md#section`."""
    document, _ = split_reference(reference)
    return PurePosixPath(document).as_posix() + reference[len(document) :] if document.strip() else reference
