"""The verb `advise`: the decision without data, from options, a file, or questions and answers."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from levers import verbs
from levers.cli.console import emit, err, guarded
from levers.cli.options import takes
from levers.cli.shapes import plain
from levers.errors import Problem, UserError
from levers.plan import Advice, Circumstances
from levers.plan.circumstances import QUESTIONS, read, read_file
from levers.plan.facts import signals
from levers.view.advice import advice as shown


@dataclass(frozen=True)
class AdviseOptions:
    """What `advise` may be told: one option a question."""

    symptoms: Annotated[
        str | None, typer.Option(help="What fails, by comma: `levers cost facts signals` names all.")
    ] = None
    stage: Annotated[str | None, typer.Option(help="scratch, retrieval, tuned, choosing.")] = None
    documents_change: Annotated[str | None, typer.Option(help="never, quarterly, weekly, daily, 6/year, live.")] = None
    requirements_change: Annotated[str | None, typer.Option(help="The same, for what is asked of answers.")] = None
    corpus: Annotated[str | None, typer.Option(help="Tokens of all documents; 0: none.")] = None
    volume: Annotated[str | None, typer.Option(help="How much is asked: 10k/day.")] = None
    p95: Annotated[str | None, typer.Option(help="Latency target at the 95th percentile: 1500ms.")] = None
    privacy: Annotated[str | None, typer.Option(help="none, access (rights differ), on-premise.")] = None
    expertise: Annotated[str | None, typer.Option(help="Of the team: low, medium, high.")] = None
    examples: Annotated[str | None, typer.Option(help="Reviewed examples at hand.")] = None
    golden: Annotated[str | None, typer.Option(help="Questions with known good answers.")] = None
    pairs: Annotated[str | None, typer.Option(help="Pairs of a query and its document.")] = None
    labels: Annotated[str | None, typer.Option(help="Labels by a teacher model.")] = None
    citations: Annotated[bool, typer.Option("--citations", help="Answers must cite.")] = False
    schema_failures: Annotated[str | None, typer.Option(help="Share that fails under structured output.")] = None
    model: Annotated[str | None, typer.Option(help="Which model answers now. openai/gpt-4o unless given.")] = None
    prompt: Annotated[str | None, typer.Option(help="Tokens of the prompt. 2,000 unless given.")] = None
    output: Annotated[str | None, typer.Option(help="Tokens of an answer. 200 unless given.")] = None
    seconds: Annotated[str | None, typer.Option(help="Time a machine of your own computes for an answer: 800ms.")] = (
        None
    )
    week: Annotated[str | None, typer.Option(help="What an engineer-week costs in USD: 3000..5000.")] = None
    tried: Annotated[str | None, typer.Option(help="Levers tried in vain, by comma.")] = None
    weights: Annotated[str | None, typer.Option(help="Of the scorecard: data freshness=2,latency=0.")] = None


@takes(AdviseOptions)
def advise(
    given: AdviseOptions,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Answers in a YAML file, options as keys.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your prices, over the price book.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")] = False,
) -> None:
    """Which lever, before there is data: the order, the path to it, what is wrong, costs, and how to make sure."""
    with guarded(as_json):
        found = verbs.advise(_circumstances(given, file), prices)
        emit(as_json, lambda: shape(found), lambda: shown(found))


def shape(found: Advice) -> dict[str, Any]:
    """`levers advise --json`."""
    named = plain(found)
    named["not"] = named.pop("not_")
    return named


def _circumstances(given: AdviseOptions, file: Path | None) -> Circumstances:
    said = _said(given)
    if file is not None:
        if said:
            hint = "change the file, or leave --file out"
            raise UserError(Problem(file="--file", found=f"options beside it: {', '.join(said)}", hint=hint))
        return read_file(file)
    if not said and sys.stdin.isatty():
        return read(_asked())
    try:
        return read(said)
    except UserError as error:
        raise UserError([each.model_copy(update={"file": _option(each.file)}) for each in error.problems]) from None


def _said(given: AdviseOptions) -> dict[str, str]:
    values = {("p95_ms" if name == "p95" else name): value for name, value in asdict(given).items()}
    return {name: "yes" if value is True else value for name, value in values.items() if value not in {None, False}}


def _option(name: str) -> str:
    return f"--{'p95' if name == 'p95_ms' else name.replace('_', '-')}" if name in QUESTIONS else name


def _asked() -> dict[str, str]:
    """Ask every question; an empty answer leaves it open, one that cannot be read is asked again."""
    for signal in signals().values():
        err.print(f"{signal.name}: {signal.says}")
    answers: dict[str, str] = {}
    for name, question in QUESTIONS.items():
        while True:
            text = typer.prompt(question, default="", show_default=False, err=True)
            try:
                read({name: text})
            except UserError as error:
                err.print(str(error))
                continue
            if name == "symptoms" and text.strip() in {"", "?"}:
                err.print("one name at least: it decides on the lever")
                continue
            answers[name] = text
            break
    return answers
