"""prices.yaml gone wrong: every problem at once, each with its line, and never a traceback."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levers.economics import PriceBook
from levers.economics.overrides import read_overrides
from levers.errors import Problem, UserError


def problems(path: Path, content: str | bytes) -> tuple[Problem, ...]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        PriceBook.load(path)
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "line", "field", "words"),
    [
        ("# ours\nopenai/x:\n  input: 1\n  ouput: 2\n", 4, "openai/x.ouput", "did you mean output?"),
        ("openai/x:\n  input: 1\n", 1, "openai/x.output", "found nothing"),
        ("openai/x: {output: 1}", 1, "openai/x.input", "found nothing"),
        ("openai/x:\n  input: $2.50\n  output: 1\n", 2, "openai/x.input", "without a currency sign"),
        ("openai/x:\n  input: 1\n  output: -1\n", 3, "openai/x.output", "found -1"),
        ("openai/x:\n  input: .nan\n  output: 1\n", 2, "openai/x.input", "0 or more"),
        ("openai/x:\n  input: .inf\n  output: 1\n", 2, "openai/x.input", "0 or more"),
        ("openai/x:\n  input: yes\n  output: true\n", 3, "openai/x.output", "found True"),
        ("openai/x:\n  input:\n  output: 1\n", 2, "openai/x.input", "found nothing"),
        (f"openai/x:\n  input: {'9' * 400}\n  output: 1\n", 2, "openai/x.input", "0 or more"),
        ("\nopenai/x: 2.5\n", 2, "openai/x", "found 2.5"),
        ("openai/x: {}\n", 1, "openai/x", "no price"),
        ("\n\nhf/x: {compute_hour: 1, input: 1}\n", 3, "hf/x", "both kinds"),
        ("h*f: {compute_hour: 1}\n", 1, "h*f", "one * at its end"),
        ("1: {compute_hour: 1}\n", 1, "1", "a model id"),
        ("a: {compute_hour: 1}\nb: !!omap [x: 1]\n", 2, "b.x", "unknown field"),
        ("- openai/x\n", 1, None, "found a list"),
        ("hf/x: {compute_hour: 1}\nhf/x: {compute_hour: 2}\n", 2, None, "duplicate key"),
        ("hf/x: {compute_hour: 1\nhf/y: {compute_hour: 2}\n", 2, None, "found"),
        (b"hf/x: {compute_hour: 1}\nhf/\xff: {compute_hour: 2}\n", 2, None, "not UTF-8"),
    ],
)
def test_a_problem_names_its_line(
    tmp_path: Path, content: str | bytes, line: int, field: str | None, words: str
) -> None:
    found = problems(tmp_path / "prices.yaml", content)
    here = [problem for problem in found if problem.field == field and problem.line == line]
    assert here, [str(problem) for problem in found]
    assert words in str(here[0])
    assert here[0].file == "prices.yaml"


def test_all_problems_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path / "prices.yaml", "a: 1\nb: {inptu: 1, output: x}\nc: {input: 1, output: 1}\nd: {}\n")
    assert [(problem.line, problem.field) for problem in found] == [
        (1, "a"), (2, "b.inptu"), (2, "b.output"), (2, "b.input"), (4, "d"),
    ]  # fmt: skip


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UserError) as caught:
            PriceBook.load(path, shown="settings/none.yaml")
        assert caught.value.problems[0].file == "settings/none.yaml"
        assert "levers.yaml" in caught.value.problems[0].hint


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "\ufeff# with a byte order mark\n"])
def test_an_empty_file_overrides_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "prices.yaml").write_text(content, encoding="utf-8")
    assert PriceBook.load(tmp_path / "prices.yaml").own == {}


def test_yaml_merges_share_prices(tmp_path: Path) -> None:
    text = "a: &base {input: 1, output: 2}\nb:\n  <<: *base\n  output: 3\n"
    (tmp_path / "prices.yaml").write_text(text)
    own = PriceBook.load(tmp_path / "prices.yaml").own
    assert [(price.input, price.output) for price in own.values()] == [(1.0, 2.0), (1.0, 3.0)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(alphabet="ab:{}[]*&!|>-#'\"\n 0129.,?%@~\t<é", max_size=40), st.text(max_size=30)))
def test_garbage_is_a_problem_or_a_price_and_never_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = read_overrides(path, "prices.yaml")
    except UserError as error:
        assert all(problem.file == "prices.yaml" for problem in error.problems)
    else:
        assert all(price.model == name for name, price in found.items())


amounts = st.integers(min_value=0, max_value=10**6).map(lambda value: value / 1000)
names = st.text(alphabet="abcdefg-./", min_size=1, max_size=12).map(lambda name: "openai/" + name)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, st.tuples(amounts, amounts), max_size=5))
def test_what_is_written_is_what_is_charged(tmp_path: Path, table: dict[str, tuple[float, float]]) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("".join(f'"{name}": {{input: {one}, output: {two}}}\n' for name, (one, two) in table.items()))
    own = PriceBook.load(path).own
    assert {name: (price.input, price.output) for name, price in own.items()} == table
