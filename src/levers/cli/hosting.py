"""`levers hosted`: tune behind an API, from export to the tuned model's name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from levers import verbs
from levers.cli.console import DONE, NO, emit, guarded
from levers.cli.options import takes
from levers.cli.shapes import plain
from levers.errors import Problem, UserError
from levers.tuning.hosted import PLACES, Job, Provider
from levers.verbs import Exported, Hosting
from levers.verbs.hosting import SUFFIX
from levers.view import Progress

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
ProviderOption = Annotated[str, typer.Option(help="openai, together or fireworks (export only).")]
Server = Annotated[str | None, typer.Option(help="Another server that speaks the same; it gets LEVERS_API_KEY.")]


@dataclass(frozen=True)
class HostingOptions:
    """What `hosted export` and `hosted start` may be told."""

    model: Annotated[str, typer.Option(help="The model to tune, as the provider names it.")]
    provider: ProviderOption = "openai"
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = 3
    suffix: Annotated[str, typer.Option(help="Part of the tuned model's name.")] = "levers"
    base_url: Server = None

    def checked(self) -> Hosting:
        """Return the settings. Raises UserError for no model, an unknown provider or too long a suffix."""
        if not self.model.strip():
            raise UserError(Problem(file="--model", found="nothing", expected="a model as the provider names it"))
        if len(self.suffix) > SUFFIX:
            found = f"{len(self.suffix)} characters"
            raise UserError(Problem(file="--suffix", found=found, expected=f"{SUFFIX} at most"))
        told = {"model": self.model, "epochs": self.epochs, "suffix": self.suffix, "base_url": self.base_url}
        return Hosting.model_validate({"provider": _provider(self.provider), **told})


@app.command()
@takes(HostingOptions)
def export(
    into: Annotated[Path, typer.Argument(help="A folder for the files.")],
    given: HostingOptions,
    stack: Annotated[str | None, typer.Option("--stack", "-s", help="A stack's digest, or `start`.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Go past a guard or data gate; recorded.")] = False,
    project: Annotated[Path, typer.Option("--project", "-p", help="The project's folder.")] = Path(),
    as_json: Json = False,
) -> None:
    """Write the examples in a provider's format, after the guards of tuning; say what it would bill."""
    with guarded(as_json), Progress() as progress:
        found = verbs.hosted_export(verbs.load(project, progress), given.checked(), into, stack, force)
    emit(as_json, lambda: plain(found), lambda: _exported(found))


@app.command()
@takes(HostingOptions)
def start(
    folder: Annotated[Path, typer.Argument(help="The folder that was exported.")],
    given: HostingOptions,
    again: Annotated[bool, typer.Option("--again", help="Start another job from files that were started.")] = False,
    as_json: Json = False,
) -> None:
    """Upload what was exported and start the tuning: from here on it is billed."""
    with guarded(as_json, "no job was asked for, the same command begins again"):
        if not (folder / "train.jsonl").is_file():
            hint = "levers hosted export writes it"
            raise UserError(Problem(file=str(folder), found="no train.jsonl", expected="an exported folder", hint=hint))
        found = verbs.hosted_start(given.checked(), folder, again)
    emit(as_json, lambda: plain(found), lambda: _job(found))


@app.command()
def look(
    id: Annotated[str, typer.Argument(help="The job's id.")],
    provider: ProviderOption = "openai",
    base_url: Server = None,
    wait: Annotated[bool, typer.Option("--wait", help="Come back when it has ended.")] = False,
    as_json: Json = False,
) -> None:
    """Say how far a tuning is. Exit code 1: it failed or was cancelled."""
    with guarded(as_json):
        found = verbs.hosted_look(_provider(provider), id, base_url, wait)
        emit(as_json, lambda: plain(found), lambda: _job(found))
    raise typer.Exit(NO if found.state in {"failed", "cancelled"} else DONE)


@app.command()
def fetch(
    id: Annotated[str, typer.Argument(help="The job's id.")],
    into: Annotated[Path, typer.Argument(help="A folder for what comes.")],
    provider: ProviderOption = "openai",
    base_url: Server = None,
    as_json: Json = False,
) -> None:
    """Write what a finished tuning gives out: OpenAI its figures, Together the adapter."""
    with guarded(as_json):
        found = [str(path) for path in verbs.hosted_fetch(_provider(provider), id, into, base_url)]
        emit(as_json, lambda: {"files": found}, lambda: "\n".join(found))


@app.command()
def cancel(
    id: Annotated[str, typer.Argument(help="The job's id.")],
    provider: ProviderOption = "openai",
    base_url: Server = None,
    as_json: Json = False,
) -> None:
    """Stop a tuning."""
    with guarded(as_json):
        found = verbs.hosted_cancel(_provider(provider), id, base_url)
        emit(as_json, lambda: plain(found), lambda: _job(found))


def _provider(name: str) -> Provider:
    found: dict[str, Provider] = {each: each for each in PLACES}
    if name not in found:
        raise UserError(Problem(file="--provider", found=repr(name), expected=f"one of {', '.join(found)}"))
    return found[name]


def _exported(found: Exported) -> str:
    cost = "no training price known: add it in prices.yaml"
    if found.cost is not None:
        cost = f"about ${found.cost.value:,.2f} ({found.cost.provenance}: {found.cost.source})"
    lines = [
        f"{found.folder}: {found.train} examples to learn from, {found.held_out} held out",
        f"about {found.tokens:,} tokens an epoch; {cost}",
        *found.notes,
        *(f"next: {command}" for command in found.commands),
    ]
    return "\n".join(lines)


def _job(found: Job) -> str:
    lines = [f"{found.id} on {found.model}: {found.state} ({found.said})", *found.events]
    if found.error:
        lines.append(f"error: {found.error}")
    if found.tuned:
        lines.append(f"tuned model: {found.provider}/{found.tuned}; name it in levers.yaml")
    return "\n".join(lines)
