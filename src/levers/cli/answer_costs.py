"""The verb `cost`, what is paid by the token: an answer, a cached prefix, a tuning run, an index."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from levers.cli import answer_inputs as inputs
from levers.cli.console import DONE, NO, emit, guarded
from levers.cli.options import takes
from levers.cli.shapes import plain
from levers.view import answer_costs as view

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
Prices = Annotated[Path | None, typer.Option(help="Your prices, over the price book.")]
ProjectOption = Annotated[
    Path | None, typer.Option("--project", "-p", help="A project: its prices, its traffic, its latest run.")
]


@dataclass(frozen=True)
class AnswerOptions:
    """What `cost answer` may be told; None where it was not."""

    input: Annotated[str | None, typer.Option(help="Tokens of the prompt, without retrieved passages.")] = None
    output: Annotated[str | None, typer.Option(help="Tokens of the reply.")] = None
    prefix: Annotated[str | None, typer.Option(help="How many of the prompt's first tokens never change.")] = None
    hit_rate: Annotated[
        str | None, typer.Option(help="Share of answers that find the prefix cached; without it --volume gives one.")
    ] = None
    lifetime: Annotated[
        str | None, typer.Option(help="How long it stays cached after its last use: 5m, 1h; else the price book's.")
    ] = None
    context: Annotated[str | None, typer.Option(help="Tokens of retrieved passages.")] = None
    embed: Annotated[str | None, typer.Option(help="The embedding model that reads the question.")] = None
    question: Annotated[str | None, typer.Option(help="Tokens of the question, for it: 50 unless given.")] = None
    rerank: Annotated[str | None, typer.Option(help="A reranker with a price per call.")] = None
    retries: Annotated[str | None, typer.Option(help="Share of answers that are asked once more.")] = None
    tools: Annotated[str | None, typer.Option(help="Rounds of tool calls before the answer.")] = None
    tool_tokens: Annotated[str | None, typer.Option(help="Tokens that a tool's result adds.")] = None
    seconds: Annotated[str | None, typer.Option(help="Time a local model computes for one call: 300ms.")] = None
    embed_seconds: Annotated[str | None, typer.Option(help="The same for a local embedding model.")] = None
    route: Annotated[
        list[str] | None, typer.Option(help="Send a share elsewhere: openai/gpt-4o-mini=80%. Repeatable.")
    ] = None
    volume: Annotated[str | None, typer.Option(help="How much is asked: 10k/day.")] = None
    prices: Prices = None
    project: ProjectOption = None


@app.command()
@takes(AnswerOptions)
def answer(
    given: AnswerOptions,
    model: Annotated[str | None, typer.Argument(help="A model's id; left out, the project's own.")] = None,
    as_json: Json = False,
) -> None:
    """One answer, from assumed tokens, or from the tokens that a project's latest run measured."""
    with guarded(as_json):
        found = inputs.answer(model, given)
        emit(
            as_json,
            lambda: plain(found),
            lambda: view.answer(found.model, found.cost, found.answers_per_day, found.month, found.notes),
        )


@dataclass(frozen=True)
class CacheOptions:
    """What `cost cache` may be told."""

    prefix: Annotated[str, typer.Option(help="Tokens that every call begins with.")]
    lifetime: Annotated[
        str | None, typer.Option(help="How long it stays cached after its last use: 5m, 1h; else the price book's.")
    ] = None
    hit_rate: Annotated[str | None, typer.Option(help="Share of answers that find it cached.")] = None
    volume: Annotated[
        str | None,
        typer.Option(help="How much is asked: 10k/day; gives the hit rate, unless that is given, and a month."),
    ] = None
    prices: Prices = None
    project: ProjectOption = None


@app.command()
@takes(CacheOptions)
def cache(
    given: CacheOptions,
    model: Annotated[str | None, typer.Argument(help="A model's id; left out, the project's own.")] = None,
    as_json: Json = False,
) -> None:
    """Caching a prefix: hit rate, reuses and traffic from which it pays. Exit code 1: it does not."""
    with guarded(as_json):
        found = inputs.cache(model, given)
        shape = {**plain(found.case), "pays": found.case.pays, "model": found.model}
        emit(as_json, lambda: shape, lambda: view.cache(found.model, found.case))
    raise typer.Exit(NO if found.case.pays is False else DONE)


@dataclass(frozen=True)
class TrainingOptions:
    """What `cost training` may be told."""

    examples: Annotated[str, typer.Option(help="Reviewed examples.")]
    tokens: Annotated[str, typer.Option(help="Tokens of each, prompt and reply.")]
    epochs: Annotated[str, typer.Option(help="How often each is seen.")] = "3"
    hours: Annotated[str | None, typer.Option(help="Hours of one run, on a machine paid by the hour.")] = None
    prices: Prices = None


@app.command()
@takes(TrainingOptions)
def training(
    model: Annotated[str, typer.Argument(help="A model with a price for training tokens, or a machine: gpu/h100.")],
    given: TrainingOptions,
    as_json: Json = False,
) -> None:
    """One tuning run: compute by the token or by the hour, and what its data takes."""
    with guarded(as_json):
        found = inputs.training(model, given)
        emit(as_json, lambda: plain(found), lambda: view.training(found.model, found.run))


@dataclass(frozen=True)
class IndexOptions:
    """What `cost index` may be told."""

    corpus: Annotated[str, typer.Option(help="Tokens of all documents: 400k.")]
    embed: Annotated[str, typer.Option(help="The embedding model.")] = "openai/text-embedding-3-small"
    documents_change: Annotated[str, typer.Option(help="How often: never, weekly, daily, 6/year.")] = "never"
    changed: Annotated[str, typer.Option(help="The share that a change touches.")] = "100%"
    passage: Annotated[str, typer.Option(help="Tokens of a passage.")] = "300"
    dimensions: Annotated[str, typer.Option(help="Numbers in a vector.")] = "1536"
    store: Annotated[str | None, typer.Option(help="Where it is kept: an entry of prices.yaml with storage.")] = None
    seconds: Annotated[str | None, typer.Option(help="Time a local model embeds all documents in: 10m.")] = None
    prices: Prices = None


@app.command()
@takes(IndexOptions)
def index(given: IndexOptions, as_json: Json = False) -> None:
    """An index: embedding the documents once, again as they change, and keeping them."""
    with guarded(as_json):
        found = inputs.index(given)
        emit(as_json, lambda: plain(found), lambda: view.index(found.embed, found.documents, found.cost))
