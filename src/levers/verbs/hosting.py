"""Tuning behind an API: from a project's examples to a provider's files and jobs."""

import shlex
import time
from datetime import date
from pathlib import Path

from pydantic import Field

from levers.economics import CostFigure, training_cost
from levers.errors import ModelError, UserError
from levers.ledger import Record
from levers.lever.gates import check_force, data_gate, inspect, record_force
from levers.loop import Project
from levers.stack import Question, Stack, assemble, messages
from levers.stack.shared import is_public
from levers.task.records import Example
from levers.task.references import split_reference
from levers.tuning import Sample
from levers.tuning.hosted import PLACES, HostedTuning, Job, Provider, count_tokens, export, firectl, late_system
from levers.tuning.retirement import is_gone, warnings
from levers.tuning.started import digests, refuse_second

TRAIN, HELD = "train.jsonl", "held_out.jsonl"
POLL = 30.0  # seconds between two looks at a job that is waited for
SUFFIX = 40  # characters of a tuned model's name that one may choose
HELD_OUT = 10  # one example in ten is held out, for the provider's own loss


class Hosting(Record):
    """Where and how to tune: `model` as the provider names it, `base_url` of another server that speaks the same."""

    provider: Provider = "openai"
    model: str = Field(min_length=1)
    epochs: int = Field(default=3, ge=1)
    suffix: str = Field(default="levers", max_length=SUFFIX)
    base_url: str | None = None


class Exported(Record):
    """Files written for a provider: examples in each, tokens of one epoch, the bill, and what to know and do next.

    `cost` is USD for all epochs; None where the price book knows no price for training this model.
    """

    folder: Path
    train: int
    held_out: int
    tokens: int
    cost: CostFigure | None
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def hosted_export(
    project: Project, how: Hosting, into: Path | str, stack: str | Stack | None = None, force: bool = False
) -> Exported:
    """Write the public examples, each in a stack's prompt, in a provider's format; the guards of tuning come first.

    Raises:
        UserError: a guard or a data gate stops it and it is not forced, or the provider takes no such file.
    """
    project.follow()
    task = project.task
    chosen = stack if isinstance(stack, Stack) else project.stack(stack)
    index = project.index

    def texts(example: Example) -> str:
        pairs = map(split_reference, example.evidence)
        found = (each for name, section in pairs if index for each in index.section(name, section))
        return "\n".join(each.text for each in found)

    guarded = inspect(task, project.bench.tools, texts, chosen.part("retrieve") is not None)
    sound = [each for each in task.examples if each.line not in guarded.left_out]
    kept = [each for each in sound if is_public(each, index)]
    forced = check_force(guarded, [data_gate(task, len(kept))], force)
    left_out = f"{len(sound) - len(kept)} examples left out: not everybody may read their evidence"
    asked = [Question(id=f"line {each.line}", input=each.messages) for each in kept]
    drafts = assemble(chosen, asked, project.workshop)
    samples = [
        Sample(messages=messages(draft), answer=each.answer, line=each.line)
        for draft, each in zip(drafts, kept, strict=True)
    ]
    late = late_system(samples, task.config.examples or "examples")
    if late:
        raise UserError(late)
    record_force(task.state, "hosted", chosen, forced)
    held = samples[::HELD_OUT] if len(samples) >= HELD_OUT * PLACES[how.provider].least else []
    train = [each for place, each in enumerate(samples) if place % HELD_OUT or not held]
    folder = Path(into)
    export(train, how.provider, folder / TRAIN)
    if held:
        export(held, how.provider, folder / HELD)
    else:
        (folder / HELD).unlink(missing_ok=True)  # an earlier export's would be uploaded with these examples
    tokens = count_tokens(train)
    return Exported(
        folder=folder,
        train=len(train),
        held_out=len(held),
        tokens=tokens,
        cost=_bill(project, how, tokens),
        notes=(*forced, *guarded.notes(), left_out, PLACES[how.provider].note, *_dates(how)),
        commands=_next(how, folder),
    )


def hosted_start(how: Hosting, folder: Path | str, again: bool = False) -> Job:
    """Upload what was exported and create the job; another job from the same files only `again`.

    Raises:
        UserError: these files were started before, so that there is a job or may be one.
        ModelError: the base is gone, or the server refuses or is lost; then it says whether a job may have been made.
    """
    train, held_out = Path(folder) / TRAIN, Path(folder) / HELD
    held = held_out if held_out.is_file() else None
    if not again:  # before anything is sent
        refuse_second(Path(folder), digests([train, *([held] if held else [])]))
    opened = HostedTuning(how.provider, how.base_url)
    if how.provider == "openai":
        told = opened.retires(how.model)
        if is_gone(how.model, date.today(), told) and (told or not how.base_url):
            raise ModelError(warnings(how.model, date.today(), told)[0], "tune a base that stays")
    return opened.start(train, how.model, how.epochs, how.suffix, held, again)


def hosted_look(provider: Provider, id: str, base_url: str | None = None, wait: bool = False) -> Job:
    """Return how far a job is; `wait` comes back when it has ended. Raises ModelError when the server refuses."""
    opened = HostedTuning(provider, base_url)
    found = opened.look(id)
    while wait and found.state in {"waiting", "running"}:
        time.sleep(POLL)
        found = opened.look(id)
    return found


def hosted_fetch(provider: Provider, id: str, into: Path | str, base_url: str | None = None) -> tuple[Path, ...]:
    """Write what a finished job gives out into a folder. Raises ModelError when the server refuses."""
    return HostedTuning(provider, base_url).fetch(id, Path(into))


def _dates(how: Hosting) -> tuple[str, ...]:
    return warnings(how.model, date.today()) if how.provider == "openai" and not how.base_url else ()


def hosted_cancel(provider: Provider, id: str, base_url: str | None = None) -> Job:
    """Stop a job. Raises ModelError when the server refuses."""
    return HostedTuning(provider, base_url).cancel(id)


def _bill(project: Project, how: Hosting, tokens: int) -> CostFigure | None:
    price = project.prices.find(f"{how.provider}/{how.model}")
    if price is None:
        return None
    try:
        return training_cost(price, tokens, how.epochs)
    except UserError:
        return None


def _next(how: Hosting, folder: Path) -> tuple[str, ...]:
    if how.provider == "fireworks":
        return firectl(shlex.quote(how.model), folder / TRAIN, shlex.quote(how.suffix), how.epochs)
    options = ["--provider", how.provider, "--model", how.model, "--epochs", str(how.epochs), "--suffix", how.suffix]
    options += ["--base-url", how.base_url] if how.base_url else []
    return (shlex.join(["levers", "hosted", "start", str(folder), *options]),)
