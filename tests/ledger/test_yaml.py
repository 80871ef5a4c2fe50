"""One wording for YAML that cannot be read, on the line where the reader has to look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.ledger.yaml import parse_yaml


@pytest.mark.parametrize(
    ("text", "line", "found", "expected"),
    [
        ('name: "blank\ngolden: x\n\n', 1, "a quote that is never closed", "valid YAML"),
        ("a: 1\nname: 'x\n---\nb: 2\n", 2, "a quote that is never closed", "valid YAML"),
        ("groups: [", 1, "a bracket that is never closed", "valid YAML"),
        ("a: 1\nrules: [\n\n\n", 2, "a bracket that is never closed", "valid YAML"),
        ("a: 1\nb: {x: 1\n", 2, "a bracket that is never closed", "valid YAML"),
        ("rules: 1\na: 2\nrules: 3\n", 3, 'duplicate key "rules"', "valid YAML"),
        ("a: [1, 2\nb: 3\n", 2, "':'", "valid YAML (',' or ']')"),
        ("a: b: c", 1, 'a ":" where none may stand', "valid YAML"),
        ("a: 1\nhello\nb: 2\n", 2, 'a line without a ":"', "valid YAML"),
        ("a: *x", 1, "undefined alias 'x'", "valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "another document", "valid YAML"),
        ("a: 2026-13-45", 1, "month must be in 1..12", "valid YAML"),
    ],
)
def test_a_fault_is_said_in_plain_words(text: str, line: int, found: str, expected: str) -> None:
    tree, problem = parse_yaml(text, "x.yaml")
    assert tree is None and problem is not None
    assert (problem.file, problem.line, problem.found, problem.expected) == ("x.yaml", line, found, expected)
    assert problem.hint


@given(st.text(alphabet="ab:[]{}\"'|>&*!%@,-?#\n\t ", max_size=40))
def test_a_line_is_never_past_the_last_one(text: str) -> None:
    _, problem = parse_yaml(text, "x.yaml")
    assert problem is None or 1 <= (problem.line or 0) <= len(text.rstrip().split("\n"))
    assert problem is None or not problem.found.startswith(("found", "but "))


def test_aliases_may_stand_for_so_much_and_not_for_themselves() -> None:
    tree, problem = parse_yaml("a: &a [1, 2]\nb: {c: *a, <<: &d {e: 1}}\nf: [*a, *d]\n", "x.yaml")
    assert problem is None and tree["f"] == [[1, 2], {"e": 1}]
    tree, problem = parse_yaml("a: 1\nb: &b [*b]\n", "x.yaml")
    assert tree is None and problem is not None and (problem.line, problem.found) == (2, "a value that holds itself")
    lists = "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 12))
    tree, problem = parse_yaml(f"a0: &a0 [x]\n{lists}? *a11\n: x\n", "x.yaml")
    assert tree is None and problem is not None and "more than 100,000 values" in problem.found
