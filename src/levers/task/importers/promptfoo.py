"""promptfoo configurations: tests become cases, assertions become graders."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError
from levers.task.importers.assertions import TYPES, Assertions
from levers.task.importers.records import Faults, Imported, csv_rows, missing, rows_of, text_of, tree_of
from levers.task.text import show

_VARIABLE = re.compile(r"\{\{-?\s*([A-Za-z_][\w.]*)\s*(?:\|[^}]*)?-?\}\}")
_KINDS = "|".join(sorted(map(re.escape, TYPES), key=len, reverse=True))
_TYPED = re.compile(rf"(not-)?({_KINDS})(?:\((\d*\.?\d+)\))?(?::|\Z)")
_TREES = (".yaml", ".yml", ".json")
_ASKS = ("question", "query", "input", "prompt", "message", "text", "user_input")


def read_promptfoo(path: Path) -> Imported:
    """Read a promptfooconfig.yaml (or .json), or the folder that holds one.

    Tests may be written out or named as file://….yaml, .json, .jsonl or .csv, variables and defaultTest as .yaml or
    .json; defaultTest is merged in; variables that hold lists are multiplied out, as promptfoo does. The first prompt
    becomes the brief. What the assertions become is told by `Assertions`; those that run code or cannot be expressed
    are named in the notes.
    """
    if path.is_dir():
        path = next(
            (
                path / name
                for name in ("promptfooconfig.yaml", "promptfooconfig.yml", "promptfooconfig.json")
                if (path / name).is_file()
            ),
            path / "promptfooconfig.yaml",
        )
    config = tree_of(path)
    if not isinstance(config, dict):
        raise UserError(Problem(file=path.name, line=1, found="no mapping", expected="keys such as prompts and tests"))
    tests = list(_tests(config.get("tests"), path))
    if not tests:
        raise UserError(
            Problem(file=path.name, field="tests", found="no tests", expected="a list of tests, or file://…")
        )
    found = Imported(instructions=_prompt(config.get("prompts"), path))
    shared = _mapping(config.get("defaultTest"), path, "defaultTest")
    assertions = Assertions(found, _judge(config, shared), path.parent)
    number, faults = 0, Faults(path.name)
    always = _checks(shared.get("assert"), "defaultTest.assert", faults)
    for place, test in enumerate(tests):
        if not isinstance(test, dict):
            found.note(f"a test that is no mapping is left out: {str(test)[:60]}")
            continue
        checks = [*always, *_checks(test.get("assert"), f"tests[{place}].assert", faults)]
        variables = _mapping(shared.get("vars"), path, "vars") | _mapping(test.get("vars"), path, "vars")
        for values in _combinations(variables):
            number += 1
            asked = {name: _fill(value, values) for name, value in values.items()}
            case = {"id": f"t{number}", "input": _asked(asked), "evidence": []}
            wanted, tags = assertions.take(_filled(checks, values))
            if wanted is None:
                found.note(f"tests without an assertion that says what is expected are left out: t{number} and others")
                continue
            found.cases.append({**case, "expected": wanted, "tags": tags})
    faults.stop()
    found.graders = assertions.graders()
    return found


def _checks(value: Any, field: str, faults: Faults) -> list[dict[str, Any]]:
    """Return the assertions under a key, those of sets looked at too."""
    checks = faults.objects(None, field, value)
    for place, check in enumerate(checks):
        if check.get("type") == "assert-set":
            check["assert"] = _checks(check.get("assert"), f"{field}[{place}].assert", faults)
    return checks


def _mapping(value: Any, path: Path, field: str) -> dict[str, Any]:
    """Return the mapping under a key of the configuration at `path`, or of the files that are named there instead."""
    if isinstance(value, dict | None):
        return value or {}
    whole: dict[str, Any] = {}
    for each in value if isinstance(value, list) else [value]:
        file = path.parent / str(each).removeprefix("file://")
        if not isinstance(each, str) or file.suffix.lower() not in _TREES:
            expected, hint = "a mapping, or file://… of a .yaml or .json file", "write it out: no code is run"
            raise UserError(Problem(file=path.name, field=field, found=show(each), expected=expected, hint=hint))
        if not file.is_file():
            told = f"{show(each)}, which is not there"
            raise UserError(Problem(file=path.name, field=field, found=told, expected="a file beside this one"))
        tree = tree_of(file)
        if not isinstance(tree, dict):
            raise UserError(Problem(file=file.name, line=1, found="no mapping", expected=f"the keys of {field}"))
        whole |= tree
    return whole


def _tests(value: Any, path: Path) -> Iterator[Any]:
    """Yield the tests, from wherever they are named."""
    for each in value if isinstance(value, list) else [value]:
        named = each["path"] if isinstance(each, dict) and "path" in each and "vars" not in each else each
        if isinstance(named, str):
            yield from _from_file(path.parent / named.removeprefix("file://"))
        elif named is not None:
            yield named


def _from_file(path: Path) -> Iterator[Any]:
    if any(sign in path.name for sign in "*?"):
        for each in sorted(path.parent.glob(path.name)):
            yield from _from_file(each)
        return
    if not path.is_file():
        raise UserError(missing(path, "a file of tests"))
    ending = path.suffix.lower()
    if ending == ".csv":
        yield from (_from_row({key: value.strip() for key, value in row.items()}) for _, row in csv_rows(path))
    elif ending == ".jsonl":
        yield from (row for _, row in rows_of(path))
    elif ending in _TREES:
        whole = tree_of(path)
        yield from whole if isinstance(whole, list) else [whole]
    else:
        expected = "a .yaml, .json, .jsonl or .csv file"
        raise UserError(
            Problem(file=path.name, found=f"a {ending} file", expected=expected, hint="export the tests as CSV")
        )


def _from_row(row: dict[str, str]) -> dict[str, Any]:
    """Turn a CSV row into a test: __expected columns are assertions, `type: value` or a type alone, else equals."""
    checks = []
    for value in (value for key, value in row.items() if key.startswith("__expected") and value):
        match = _TYPED.match(value)
        name = f"{match[1] or ''}{match[2]}" if match else "equals"
        rest = value[match.end() :] if match else value
        parts: Any = [part.strip() for part in rest.split(",")] if name.endswith(("-all", "-any")) else rest.strip()
        threshold = {"threshold": float(match[3])} if match and match[3] else {}
        checks.append({"type": "llm-rubric" if name == "grade" else name, "value": parts, **threshold})
    return {"vars": {key: value for key, value in row.items() if not key.startswith("__")}, "assert": checks}


def _combinations(variables: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Multiply out variables that hold lists."""
    names = list(variables)
    lists = [value if isinstance(value, list) else [value] for value in variables.values()]
    for values in itertools.product(*lists):
        yield dict(zip(names, values, strict=True))


def _asked(values: dict[str, Any]) -> str:
    """Write a test's variables as one question: the one that asks last, the others before it by name."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }
    if len(texts) == 1:
        return next(iter(texts.values()))
    main = next((name for name in _ASKS if name in texts), None)
    lines = [f"{name}: {text}" for name, text in texts.items() if name != main]
    return "\n".join([*lines, *([texts[main]] if main else [])])


def _filled(checks: list[dict[str, Any]], values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**each, "value": _fill(each.get("value"), values)} for each in checks]


def _fill(value: Any, values: dict[str, Any]) -> Any:
    """Put the variables' values into a template, or into every template of a list."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: str(values.get(match[1], match[0])), value)
    return [_fill(each, values) for each in value] if isinstance(value, list) else value


def _prompt(prompts: Any, path: Path) -> str:
    """Return the first prompt as a brief: variables are shown in brackets, of a chat the system messages."""
    first = prompts[0] if isinstance(prompts, list) and prompts else prompts
    if isinstance(first, dict):
        first = first.get("raw") or first.get("id") or first.get("label")
    if not isinstance(first, str):
        return ""
    named = path.parent / first.removeprefix("file://")
    if first.startswith("file://") or (
        len(first) < 200 and "\n" not in first and named.suffix in (".txt", ".md", ".json")
    ):
        first = text_of(named) if named.suffix in (".txt", ".md", ".json", ".yaml", "") else ""
    if first.lstrip().startswith("["):
        try:
            turns = json.loads(first)
        except ValueError:
            turns = []
        first = "\n\n".join(
            str(each.get("content")) for each in turns if isinstance(each, dict) and each.get("role") == "system"
        )
    return _VARIABLE.sub(lambda match: f"[{match[1]}]", first).strip()


def _judge(config: dict[str, Any], shared: dict[str, Any]) -> str:
    """Name the model that grades: the one the configuration names for grading, else the first it asks."""
    options = shared.get("options") or {}
    named = options.get("provider") if isinstance(options, dict) else None
    providers = config.get("providers") or config.get("targets")
    first = named or (providers[0] if isinstance(providers, list) and providers else providers)
    if isinstance(first, dict):
        text = first.get("text")
        first = first.get("id") or (text.get("id") if isinstance(text, dict) else None)
    parts = str(first or "").split(":")
    return f"openai/{parts[-1]}" if parts[0] in ("openai", "azure") and len(parts) > 1 else "openai/gpt-4o-mini"
