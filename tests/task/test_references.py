"""Where evidence says that it stands."""

import pytest

from levers.task.references import plain_reference, split_reference


@pytest.mark.parametrize(
    ("reference", "document", "section"),
    [
        ("docs/pay.md", "docs/pay.md", None),
        ("docs/pay.md#late-fees-1", "docs/pay.md", "late-fees-1"),
        ("docs/C#/pay.md", "docs/C#/pay.md", None),
        ("docs/C#/pay.md#late-fees", "docs/C#/pay.md", "late-fees"),
        ("docs/a#b.md", "docs/a#b.md", None),
        ("docs/pay.md#", "docs/pay.md", None),
        ("docs/pay.md#\u00fcber-uns", "docs/pay.md", "\u00fcber-uns"),
    ],
)
def test_a_section_stands_behind_the_last_number_sign(reference: str, document: str, section: str | None) -> None:
    assert split_reference(reference) == (document, section)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("./docs/pay.md#late-fees", "docs/pay.md#late-fees"),
        ("docs//C#/./pay.md", "docs/C#/pay.md"),
        ("./docs/pay.md#", "docs/pay.md#"),
        ("#late-fees", "#late-fees"),
        ("", ""),
    ],
)
def test_a_path_is_one_document_however_it_is_written(written: str, plain: str) -> None:
    assert plain_reference(written) == plain
