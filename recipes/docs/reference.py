"""Write `docs/reference` from the code: commands, levers.yaml, Python names, graders, levers, needs and probes.

python recipes/docs/reference.py            write the pages
python recipes/docs/reference.py --check    exit 1 if a page is not what the code says
"""

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
NOTE = "<!-- Written by recipes/docs/reference.py from the code. Do not edit. -->"
EXIT_CODES = "Exit code 0: done. 1: the answer is no, or a target is missed. 2: mend something. 130: interrupted."


def pages() -> dict[str, str]:
    """Return every page of the reference by its file name."""
    made = {
        "commands.md": commands(),
        "levers-yaml.md": levers_yaml(),
        "python.md": python(),
        "graders.md": graders(),
        "levers.md": levers(),
        "needs.md": needs(),
    }
    return {name: f"{NOTE}\n\n{text.rstrip()}\n" for name, text in made.items()}


def commands() -> str:
    """Describe every verb of the command line with its arguments and options."""
    from levers.cli import app

    parts = ["# Commands", f"Data goes to stdout, progress and messages to stderr. {EXIT_CODES}"]
    for name, command in _commands(typer.main.get_command(app)):
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        parameters = [*arguments, *(each for each in command.params if each not in arguments and each.name != "help")]
        shown = "".join(f" {_argument(each)}" if each.required else f" [{_argument(each)}]" for each in arguments)
        parts += [f"## levers {name}", command.help, f"```text\nlevers {name}{shown} [OPTIONS]\n```"]
        kinds = typing.get_type_hints(command.callback)
        rows = [(f"`{_written(each, kinds[each.name])}`", _meaning(each)) for each in parameters]
        parts.append(_table(("", "meaning"), rows))
    return "\n\n".join(parts)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name, those of groups after the group's."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _argument(parameter: Any) -> str:
    return str(parameter.name).upper()


def _written(parameter: Any, kind: Any) -> str:
    if parameter.param_type_name == "argument":
        return _argument(parameter)
    if bool in (kind, *typing.get_args(kind)):
        return " / ".join((", ".join(parameter.opts), *parameter.secondary_opts))
    return f"{', '.join(parameter.opts)} {_value(kind)}"


def _meaning(parameter: Any) -> str:
    silent = parameter.required or parameter.default is None or parameter.default is False  # 0.0 is said
    default = "" if silent else f" Default: `{parameter.default}`."
    return f"{parameter.help or ''}{default}".strip()


def _value(kind: Any) -> str:
    names = {int: "NUMBER", float: "NUMBER", Path: "PATH", str: "TEXT"}
    inner = [each for each in typing.get_args(kind) if each is not type(None)]
    return names.get(kind) or (_value(inner[0]) if inner else "TEXT")


def levers_yaml() -> str:
    """Describe every field of `levers.yaml` from its published schema."""
    from levers.task import json_schema

    schema = json_schema()
    required = set(schema["required"])
    parts = ["# levers.yaml"]
    parts.append(
        "Unknown keys are errors. Editors can check the file against the JSON Schema that the package holds: "
        "`levers/task/levers.schema.json`. `levers check` checks it and everything it names."
    )
    top, inner = [], []
    for name, field in schema["properties"].items():
        target = _reference(field)
        if target:
            inner.append((name, schema["$defs"][target], "items" in field))
        top.append(_field_row(name, field, name in required, linked=bool(target)))
    parts.append(_table(("field", "holds", "", "default"), top))
    for name, definition, many in inner:
        needed = set(definition.get("required", ()))
        rows = [_field_row(key, field, key in needed) for key, field in definition["properties"].items()]
        more = "A list; each entry has these fields." if many else ""
        parts += [f"## {name}", f"{_sentence(definition['description'])} {more}".strip()]
        parts.append(_table(("field", "holds", "", "default"), rows))
    return "\n\n".join(parts)


def _reference(field: dict[str, Any]) -> str:
    found = field.get("$ref") or field.get("items", {}).get("$ref") or ""
    return str(found).rsplit("/", 1)[-1]


def _field_row(name: str, field: dict[str, Any], required: bool, linked: bool = False) -> tuple[str, str, str, str]:
    shown = f"[`{name}`](#{name})" if linked else f"`{name}`"
    default = field.get("default")
    plain = "" if default is None or isinstance(default, dict) else f"`{default}`"
    return shown, _sentence(field["description"]), "required" if required else "", plain


def python() -> str:
    """Describe what `import levers` exports: functions with signatures, records with fields."""
    import levers

    parts = ["# Python", "What `import levers` exports. Records are frozen; `model_dump()` gives plain data."]
    functions = [name for name in levers.__all__ if inspect.isfunction(getattr(levers, name))]
    classes = [name for name in levers.__all__ if inspect.isclass(getattr(levers, name))]
    parts.append("## Functions")
    for name in functions:
        function = getattr(levers, name)
        parts += [f"### levers.{name}", f"```python\ndef {_signature(name, function)}: ...\n```", _prose(function)]
    parts.append("## Records, projects and errors")
    for name in classes:
        parts += _class(name, getattr(levers, name))
    return "\n\n".join(parts)


def _class(name: str, kind: type) -> list[str]:
    parts = [f"### levers.{name}", _prose(kind)]
    if issubclass(kind, BaseModel):
        rows = [(f"`{key}`", f"`{_type(field.annotation)}`") for key, field in kind.model_fields.items()]
        parts.append(_table(("field", "type"), rows))
    rows = [(f"`{shown}`", told) for shown, told in _members(kind)]
    return [*parts, _table(("member", ""), rows)] if rows else parts


def _members(kind: type) -> Iterator[tuple[str, str]]:
    """Yield what a class of ours defines itself, public and documented: its properties and methods."""
    for key, value in vars(kind).items():
        if key.startswith("_") or key.startswith("model_"):
            continue
        told = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
        if told and inspect.isfunction(value):
            yield _signature(key, value, bound=True), told
        elif told and not inspect.isclass(value) and hasattr(value, "__get__"):
            yield key, told


def _signature(name: str, function: Callable[..., Any], bound: bool = False) -> str:
    found = inspect.signature(function)
    shown = []
    for each in list(found.parameters.values())[int(bound) :]:
        default = "" if each.default is each.empty else f" = {getattr(each.default, '__name__', repr(each.default))}"
        star = "**" if each.kind is each.VAR_KEYWORD else ""
        shown.append(f"{star}{each.name}: {_type(each.annotation)}{default}")
    returned = "" if found.return_annotation is found.empty else f" -> {_type(found.return_annotation)}"
    return f"{name}({', '.join(shown)}){returned}"


def _type(annotation: Any) -> str:
    """Write a type as people do: without modules, unions with a bar."""
    if isinstance(annotation, str):
        return annotation
    text = annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", text).replace("NoneType", "None")
    text = re.sub(r"Annotated\[(.+?), FieldInfo\([^)]*\)\]", r"\1", text)
    return re.sub(r"^Optional\[(.+)\]$", r"\1 | None", text)


def graders() -> str:
    """Describe every grader, and which options belong to which."""
    from levers.task.rules import _BELONGS as BELONGS
    from levers.task.wording import FIELDS
    from levers.trial.graders import BATCHED, GRADERS, compared

    parts = [
        "# Graders",
        "A case passes when every grader that scored it passes; its credit is the mean of their credits. "
        "A grader that breaks is recorded as crashed, with the reason: the case then has no score, whatever the "
        "others say. Cases without a score are left out of every figure and counted beside it.",
    ]
    kinds = []
    for kind, grader in {**GRADERS, **BATCHED}.items():
        check = inspect.getclosurevars(grader).nonlocals.get("check", grader)
        options = [name for name, owners in BELONGS.items() if kind in owners]
        told = " ".join((inspect.getdoc(check) or "").split())
        kinds.append((f"`{kind}`", told, ", ".join(f"`{each}`" for each in ["field", *options])))
    parts.append(_table(("kind", "passes", "options"), kinds))
    described = [(key.split("."), text) for key, text in FIELDS.items()]
    rows = [(f"`{name}`", _sentence(text)) for (record, name), text in described if record == "GraderSpec"]
    parts += ["## Options", _table(("option", "holds"), rows)]
    module: Any = inspect.getmodule(compared)
    parts += ["## What is compared", f"```text\n{(inspect.getdoc(module) or '').strip()}\n```"]
    return "\n\n".join(parts)


def levers() -> str:
    """Describe every lever: what it does, its probes, its settings."""
    from levers.lever import LEVERS

    parts = ["# Levers", "In the order they are listed in the code; the plan orders them by cost."]
    for each in LEVERS:
        module: Any = inspect.getmodule(type(each))
        summary = (inspect.getdoc(module) or "").removeprefix(f"{each.name}: ")
        probes = " + ".join(f"`{probe}`" for probe in each.probes)
        perfect = f"Made perfect by the probes {probes}." if probes else "No probe: quoted from needs and prices."
        parts += [f"## {each.name}", _sentence(summary), perfect]
        settings = module.Settings
        parts.append(" ".join((inspect.getdoc(settings) or "").split()))
        rows = [
            (f"`{key}`", f"`{_type(field.annotation)}`", f"`{field.default}`")
            for key, field in settings.model_fields.items()
        ]
        if rows:
            parts.append(_table(("setting", "type", "default"), rows))
    return "\n\n".join(parts)


def needs() -> str:
    """Describe needs, probes, and the sets of probes whose headroom is measured."""
    from levers.diagnosis import probes
    from levers.diagnosis.headroom import SETS
    from levers.view.needs import MEANINGS

    parts = ["# Needs and probes", _table(("need", "means"), [(f"`{name}`", text) for name, text in MEANINGS.items()])]
    parts += ["## Probes", f"```text\n{(inspect.getdoc(probes) or '').strip()}\n```"]
    sets = "\n".join("- " + " + ".join(f"`{name}`" for name in each) for each in SETS)
    parts += ["## Sets whose headroom is measured", "Every lever names one of these as itself made perfect.", sets]
    return "\n\n".join(parts)


def _prose(thing: Any) -> str:
    """Return a docstring; its indented blocks and argument lists keep their shape."""
    text = inspect.getdoc(thing) or ""
    return re.sub(r"(?m)^(\s*)(Args|Returns|Raises):$", r"**\2**\n", text)


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '…')) else '.'}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *(tuple(_cell(each) for each in row) for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that are stale."""
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{'stale' if '--check' in arguments else 'written'}: docs/reference/{name}")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
