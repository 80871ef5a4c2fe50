"""Where evidence says that it stands."""

import pytest

from levers.task.references import split_reference


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
