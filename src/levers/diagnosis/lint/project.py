"""From a project, or from a file of text, to the prompt that is linted."""

from pathlib import Path

from levers.diagnosis.lint.records import Prompt, Shown
from levers.diagnosis.probes import expected_texts
from levers.errors import Problem, UserError
from levers.model import known_window
from levers.stack import Instruct, Shots, Stack
from levers.task import Task

_DATA = frozenset({".jsonl", ".csv", ".parquet"})  # golden sets and examples


def prompt_of(task: Task, stack: Stack, cache_minimum: int | None = None) -> Prompt:
    """Return what a stack tells its model, with every example that it shows to any question."""
    part, shots = stack.part("instruct"), stack.part("examples")
    files = [spec.schema_file for spec in task.config.graders if spec.kind == "schema" and not spec.field]
    pairs, nearest = (shots.pairs, shots.nearest) if isinstance(shots, Shots) else ((), None)
    lines = {(each.question, each.answer): each.line for each in task.examples}
    text = part.text if isinstance(part, Instruct) else ""
    return Prompt(
        text=text,
        file=task.config.instructions if text == task.instructions else f"stack {stack.digest}",
        schema=task.answer_schema,
        schema_file=files[0] or "" if files else "",
        imposed=stack.part("structure") is not None,
        examples=tuple(Shown(question=pair[0], answer=pair[1], line=lines.get(pair, 0)) for pair in pairs),
        nearest=nearest,
        examples_file=task.config.examples or "examples",
        golden=tuple((case.id, case.question, expected_texts(case, task.config.graders)) for case in task.cases),
        choices={spec.field or "": spec.choices for spec in task.config.graders if spec.choices},
        patterns=tuple(spec.pattern for spec in task.config.graders if spec.pattern and not spec.field),
        window=known_window(stack.model.id, task.root),
        cache_minimum=cache_minimum if stack.model.cache else None,
    )


def prompt_of_file(path: Path) -> Prompt:
    """Return the prompt in a file of text. Raises UserError where it cannot be read, or holds data and no prompt."""
    if path.suffix.lower() in _DATA:
        hint = "`levers check` reads golden sets and examples; without a file, lint takes the project's prompt"
        raise UserError(Problem(file=str(path), found="a file of data", expected="a prompt as text", hint=hint))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        found = "bytes that are not UTF-8"
        problem = Problem(file=path.name, line=line, found=found, expected="a prompt as text", hint="save it as UTF-8")
        raise UserError(problem) from error
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise UserError(Problem(file=str(path), found=found, expected="a prompt as text")) from error
    return Prompt(text=text, file=path.name)
