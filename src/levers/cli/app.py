"""The verbs of the command line."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from levers import verbs
from levers.cli import advice, benching, costs, distilling, hosting, piloting, shapes, views
from levers.cli.console import DONE, MEND, NO, emit, err, guarded, out
from levers.cli.settings import read_settings
from levers.diagnosis import MOST
from levers.errors import Problem, UserError
from levers.loop import Project, Run
from levers.task import Partition
from levers.task.config import NAME
from levers.task.importers import READERS
from levers.view import (
    Progress,
    comparison_lines,
    diagnosis_table,
    margin_line,
    plan_table,
    step_line,
    story,
    trial_table,
)

app = typer.Typer(
    name="levers",
    help="Customise a language model for your task by evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"levers {version('levers')}")
        raise typer.Exit


@app.callback()
def start(
    shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Customise a language model for your task by evidence."""


Folder = Annotated[Path, typer.Argument(help="The project's folder.")]
ProjectOption = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
StackName = Annotated[str | None, typer.Argument(help="A stack's digest, `start`, or the stack in use.")]
StackOption = Annotated[str | None, typer.Option("--stack", "-s", help="A stack's digest, or `start`.")]
User = Annotated[str | None, typer.Option("--user", "-u", help="Who asks: decides what may be read.")]

HERE = Path(".")


def _open(folder: Path, progress: Progress) -> Project:
    return verbs.load(folder, progress)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    example: Annotated[str, typer.Option(help="Which project to write: support, blank.")] = "support",
    as_json: Json = False,
) -> None:
    """Write a runnable project."""
    with guarded(as_json):
        path = verbs.init(directory, example)
        emit(as_json, lambda: {"path": str(path)}, lambda: f"{path} is ready; next: levers run {path}")


@app.command("import")
def import_project(
    kind: Annotated[
        str,
        typer.Argument(help="promptfoo, autorag, ragas, deepeval, beir, openai, tensorzero or otel.", metavar="KIND"),
    ],
    path: Annotated[Path, typer.Argument(help="The file or folder that the other tool wrote.")],
    into: Annotated[Path | None, typer.Option("--into", help="A new or empty folder for the project: needed.")] = None,
    as_json: Json = False,
) -> None:
    """Make a project of another tool's evaluation set."""
    with guarded(as_json):
        if into is None and kind in READERS:
            raise UserError(Problem(file="levers import", field="--into", found="nothing", expected="a new folder"))
        found = verbs.import_project(kind, path, into or HERE)
        emit(as_json, lambda: shapes.plain(found), lambda: views.imported(found))


@app.command()
def check(folder: Folder = HERE, as_json: Json = False) -> None:
    """Validate everything at once; writes nothing."""
    with guarded(as_json):
        found = verbs.check(folder)
        emit(as_json, lambda: shapes.plain(found), lambda: views.checked(found), whole=True)
    raise typer.Exit(MEND if found.problems else DONE)


@app.command()
def run(
    folder: Folder = HERE,
    pilots: Annotated[bool, typer.Option("--pilots", help="Try a tuning on parts of the examples first.")] = False,
    as_json: Json = False,
) -> None:
    """Run the loop until the targets are met or nothing pays; writes report.html. A killed run goes on."""
    with guarded(as_json), Progress() as progress:
        opened = _open(folder, progress)
        found = verbs.run(opened, lambda step: progress.say(step_line(step)), pilots)
    emit(as_json, lambda: shapes.run(found), lambda: story(found))
    _name_report(opened, found)
    raise typer.Exit(DONE if found.targets_met else NO)


@app.command()
def trial(
    stack: StackName = None,
    against: Annotated[str | None, typer.Option(help="Compare with this stack on the same cases.")] = None,
    partition: Annotated[str, typer.Option(help="dev, test (recorded) or edge.")] = "dev",
    margin: Annotated[float | None, typer.Option(help="Test whether it is not worse by this share of passes.")] = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Measure a stack; compare two on the same cases."""
    with guarded(as_json), Progress() as progress:
        _no_folder("trial", stack)
        found = verbs.trial(_open(project, progress), stack, against, _partition(partition), margin)
    emit(as_json, lambda: shapes.measurement(found), lambda: trial_table(found.trial))
    if found.comparison and not as_json:
        out.print(comparison_lines(found.comparison))
    if found.margin and not as_json:
        out.print(margin_line(found.margin))


@app.command()
def diagnose(
    stack: StackName = None,
    cap: Annotated[float | None, typer.Option(help="The most that hosted models may cost now, in USD.")] = None,
    most: Annotated[int, typer.Option(help="Failing cases to look at; more are sampled. 0 looks at all.")] = MOST,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Probe the failing dev cases: what each one needs, and what every lever could gain."""
    with guarded(as_json), Progress() as progress:
        _no_folder("diagnose", stack)
        found = verbs.diagnose(_open(project, progress), stack, cap, most)
    emit(as_json, lambda: shapes.diagnosis(found), lambda: diagnosis_table(found))


@app.command()
def plan(stack: StackName = None, project: ProjectOption = HERE, as_json: Json = False) -> None:
    """Quote every lever and name the next move. Exit code 1: nothing pays."""
    with guarded(as_json), Progress() as progress:
        _no_folder("plan", stack)
        found = verbs.plan(_open(project, progress), stack)
    emit(as_json, lambda: shapes.plan(found), lambda: plan_table(found))
    raise typer.Exit(DONE if found.next else NO)


@app.command()
def pull(
    lever: Annotated[str, typer.Argument(help="The lever's name.")],
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting, key=value; repeatable.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Train past a guard or data gate; recorded.")] = False,
    stack: StackOption = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Pull one lever on a stack and put the better stack to use."""
    with guarded(as_json), Progress() as progress:
        given = {**read_settings(settings or []), **({"force": True} if force else {})}
        found = verbs.pull(_open(project, progress), lever, given, stack)
    lines = [f"{found.changed}", f"material: {found.material}", *found.notes]
    lines += [f"worse {each}" for each in found.worse]
    lines.append(f"{'kept, not in use' if found.worse else 'stack in use'}: {found.stack.digest}")
    emit(as_json, lambda: shapes.pulled(found), lambda: "\n".join(lines))


@app.command()
def ask(
    question: str, user: User = None, stack: StackOption = None, project: ProjectOption = HERE, as_json: Json = False
) -> None:
    """Answer one question, with citations and a trace of the steps."""
    with guarded(as_json), Progress() as progress:
        found = verbs.ask(_open(project, progress), question, user, stack)
    emit(as_json, lambda: shapes.answered(found), lambda: views.answered(found))
    raise typer.Exit(NO if found.answer.error else DONE)


@app.command()
def search(
    query: str,
    user: User = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=50, help="How many passages.")] = 4,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Show what retrieval would bring this user. Exit code 1: nothing."""
    with guarded(as_json), Progress() as progress:
        found = verbs.search(_open(project, progress), query, user, k)
    emit(as_json, lambda: shapes.passages(found), lambda: views.passages(found))
    raise typer.Exit(DONE if found else NO)


@app.command()
def index(
    folder: Folder = HERE,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and follow every saved change.")] = False,
    purge: Annotated[bool, typer.Option("--purge", help="Remove old versions, and deleted text with them.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the index up to date with the documents. Exit code 1: later than targets.freshness."""
    with guarded(as_json), Progress() as progress:
        opened = _open(folder, progress)
        found = verbs.index(opened, purge)
        _show_index(found, as_json)
        if watch:
            told = found.problems
            for found in verbs.watch(opened):
                if found.update.anything or found.problems != told:
                    _show_index(found, as_json)
                told = found.problems
    raise typer.Exit(DONE if found.fresh else NO)


def _show_index(found: verbs.Indexed, as_json: bool) -> None:
    emit(as_json, lambda: shapes.indexed(found), lambda: views.indexed(found))
    for problem in found.problems:
        err.print(str(problem), soft_wrap=True)


@app.command(context_settings={"allow_extra_args": True})
def report(
    context: typer.Context,
    run: Annotated[str | None, typer.Option("--run", help="A run's id; the latest unless given.")] = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Write report.html of a finished run again and show its story."""
    with guarded(as_json):
        for each in context.args:
            _no_folder("report", each)
            expected = "options only, such as --run"
            raise UserError(Problem(file="levers report", found=repr(each), expected=expected))
        opened = verbs.load(project)
        found = verbs.report(opened, run)
        emit(as_json, lambda: shapes.run(found), lambda: story(found))
        _name_report(opened, found)


@app.command()
def lint(
    path: Annotated[Path, typer.Argument(help="A project's folder, or a prompt in a file of text.")] = HERE,
    stack: StackOption = None,
    as_json: Json = False,
) -> None:
    """Find what breaks a prompt and what it lacks; asks no model. Exit code 1: something breaks it."""
    with guarded(as_json):
        found = verbs.lint(path, stack)
        emit(as_json, lambda: shapes.plain(found), lambda: views.linted(found))
    raise typer.Exit(NO if found.breaks else DONE)


@app.command()
def ledger(
    action: Annotated[str, typer.Argument(help="show, export FILE or import FILE.")] = "show",
    file: Annotated[Path | None, typer.Argument(help="The recording: lines of JSON.")] = None,
    project: ProjectOption = HERE,
    as_json: Json = False,
) -> None:
    """Say what is kept and spent; write a recording of it without keys, or add one."""
    with guarded(as_json):
        found = verbs.ledger(verbs.load(project), action, file)
        emit(as_json, lambda: shapes.plain(found), lambda: views.ledger(found))


app.command()(piloting.pilot)
app.command()(distilling.distill)
app.command()(distilling.review)
app.command()(distilling.merge)
app.command()(advice.advise)
app.command()(benching.bench)
app.add_typer(hosting.app, name="hosted", help="Tune behind an API: export, start, look, fetch, cancel.")
app.add_typer(costs.app, name="cost", help="What answers, stacks, caches, memory and latency cost, and why.")


def _no_folder(verb: str, given: str | None) -> None:
    """Refuse a project's folder where it is no argument, and say how it is named."""
    if given is not None and (Path(given) / NAME).is_file():
        hint = f"did you mean `levers {verb} -p {given}`?"
        raise UserError(Problem(file=f"levers {verb}", found=f"{given}, a project's folder", hint=hint))


def _name_report(project: Project, found: Run) -> None:
    err.print(f"report: {project.task.root / found.report}", soft_wrap=True)


def _partition(name: str) -> Partition:
    known: dict[str, Partition] = {"dev": "dev", "test": "test", "edge": "edge"}
    if name not in known:
        raise UserError(Problem(file="--partition", found=repr(name), expected=f"one of {', '.join(known)}"))
    return known[name]


def main() -> None:
    """Run the command line."""
    app()
