"""The verb `cost`: what answers, stacks, caches, memory and latency cost, each figure with what it rests on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from levers import verbs
from levers.cli import cost_inputs as inputs
from levers.cli.console import DONE, NO, emit, guarded
from levers.cli.options import takes
from levers.cli.shapes import plain
from levers.economics import Reader, scenario, scenarios
from levers.view import costs as view

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
Prices = Annotated[Path | None, typer.Option(help="Your prices, over the price book.")]
ProjectOption = Annotated[
    Path | None, typer.Option("--project", "-p", help="A project: its prices, its traffic, its latest run.")
]
Model = Annotated[str, typer.Argument(help="A model's id, such as openai/gpt-4o.")]


@dataclass(frozen=True)
class AnswerOptions:
    """What `cost answer` may be told."""

    input: Annotated[str | None, typer.Option(help="Tokens of the prompt, without retrieved passages.")] = None
    output: Annotated[str | None, typer.Option(help="Tokens of the reply.")] = None
    prefix: Annotated[str, typer.Option(help="How many of the prompt's first tokens never change.")] = "0"
    hit_rate: Annotated[str | None, typer.Option(help="Share of answers that find the prefix cached.")] = None
    context: Annotated[str, typer.Option(help="Tokens of retrieved passages.")] = "0"
    embed: Annotated[str | None, typer.Option(help="The embedding model that reads the question.")] = None
    question: Annotated[str, typer.Option(help="Tokens of the question, for the embedding model.")] = "50"
    rerank: Annotated[str | None, typer.Option(help="A reranker with a price per call.")] = None
    retries: Annotated[str, typer.Option(help="Share of answers that are asked once more.")] = "0"
    tools: Annotated[str, typer.Option(help="Rounds of tool calls before the answer.")] = "0"
    tool_tokens: Annotated[str, typer.Option(help="Tokens that a tool's result adds.")] = "0"
    seconds: Annotated[str, typer.Option(help="Time a local model computes for one call: 300ms.")] = "0s"
    embed_seconds: Annotated[str, typer.Option(help="The same for a local embedding model.")] = "0s"
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
            lambda: view.answer(found.model, found.cost, found.answers_per_day, found.month),
        )


@dataclass(frozen=True)
class CacheOptions:
    """What `cost cache` may be told."""

    prefix: Annotated[str, typer.Option(help="Tokens that every call begins with.")]
    lifetime: Annotated[str | None, typer.Option(help="How long it stays cached after its last use: 5m.")] = None
    hit_rate: Annotated[str | None, typer.Option(help="Share of answers that find it cached.")] = None
    volume: Annotated[str | None, typer.Option(help="How much is asked: 10k/day; gives the hit rate.")] = None
    prices: Prices = None


@app.command()
@takes(CacheOptions)
def cache(model: Model, given: CacheOptions, as_json: Json = False) -> None:
    """Caching a prefix: hit rate, reuses and traffic from which it pays. Exit code 1: it does not."""
    with guarded(as_json):
        found = inputs.cache(model, given)
        shape = {**plain(found.case), "pays": found.case.pays, "model": found.model}
        emit(as_json, lambda: shape, lambda: view.cache(found.model, found.case))
    raise typer.Exit(NO if found.case.pays is False else DONE)


@dataclass(frozen=True)
class OfferOptions:
    """What `cost tco` and `cost breakeven` may be told."""

    volume: Annotated[str | None, typer.Option(help="How much is asked: 10k/day, or a range 5k..20k/day.")] = None
    changes: Annotated[
        str | None, typer.Option(help="How often requirements change: never, quarterly, 6/year. Adds maintenance.")
    ] = None
    week: Annotated[str | None, typer.Option(help="What an engineer-week costs in USD: 3000..5000.")] = None
    project: ProjectOption = None


Offers = Annotated[
    list[str],
    typer.Argument(
        help="prompting, retrieval, tuning, distillation (the sources' own); @2 for the stack after step 2 of the "
        "project's latest run; or NAME:per-answer=0.01,setup=15000..30000,month=500..2000,cycle=2000..8000,cycles=4."
    ),
]


@app.command()
@takes(OfferOptions)
def tco(offers: Offers, given: OfferOptions, as_json: Json = False) -> None:
    """Cost to own: a month, year 1 and year 2, with set-up, infrastructure and maintenance."""
    with guarded(as_json):
        found = inputs.owned(offers, given)
        emit(as_json, lambda: {"offers": [plain(each) for each in found.owned], "notes": list(found.notes)},
             lambda: view.owned(found.owned, found.notes))  # fmt: skip


@app.command()
@takes(OfferOptions)
def breakeven(
    now: Annotated[str, typer.Argument(help="The present way of answering, written as for `cost tco`.")],
    other: Annotated[str, typer.Argument(help="The way it is compared with.")],
    given: OfferOptions,
    as_json: Json = False,
) -> None:
    """When the other way has paid back: days, answers, band, and what decides it. Exit code 1: never."""
    with guarded(as_json):
        found = inputs.compared(now, other, given)
        emit(as_json, lambda: {**plain(found.payback), "notes": list(found.notes)},
             lambda: view.payback(found.payback, found.notes))  # fmt: skip
    raise typer.Exit(DONE if found.payback.breakeven else NO)


@dataclass(frozen=True)
class VramOptions:
    """What `cost vram` may be told."""

    method: Annotated[str, typer.Option(help="full, lora, qlora, prefix, prompt; or serve.")] = "lora"
    batch: Annotated[str, typer.Option(help="Examples (or sequences served) at once.")] = "1"
    tokens: Annotated[str, typer.Option(help="Tokens of each.")] = "512"
    precision: Annotated[str, typer.Option(help="float32, bfloat16, mixed (full tuning only).")] = "bfloat16"
    optimizer: Annotated[str, typer.Option(help="adam, adam8bit, sgd.")] = "adam"
    checkpointing: Annotated[bool, typer.Option(help="Keep each block's input only and compute again.")] = True
    rank: Annotated[str, typer.Option(help="Rank of the low-rank pairs.")] = "16"
    targets: Annotated[str, typer.Option(help="Which linear layers have one: q,k,v,o,gate,up,down.")] = (
        "q,k,v,o,gate,up,down"
    )
    virtual_tokens: Annotated[str, typer.Option(help="For prefix and prompt tuning.")] = "32"
    bits: Annotated[str, typer.Option(help="Of served weights: 32, 16, 8, 4.")] = "16"
    card: Annotated[str | None, typer.Option(help="The card's memory: 24GB.")] = None
    overhead: Annotated[str, typer.Option(help="What the driver and the library hold, assumed.")] = "1GB"


@app.command()
@takes(VramOptions)
def vram(
    model: Annotated[str, typer.Argument(help="A known shape (70b, llama-3-8b …) or a model's config.json.")],
    given: VramOptions,
    as_json: Json = False,
) -> None:
    """Memory to train or to serve, part by part. Exit code 1: it does not fit the card."""
    with guarded(as_json):
        found = inputs.vram(model, given)
        emit(
            as_json,
            lambda: plain(found),
            lambda: view.memory(found.model, found.memory, found.card, found.overhead, found.fits),
        )
    raise typer.Exit(NO if found.fits is False else DONE)


@dataclass(frozen=True)
class LatencyOptions:
    """What `cost latency` may be told."""

    target: Annotated[str, typer.Option(help="The target for p95: 1500ms.")]
    step: Annotated[
        list[str] | None,
        typer.Option(help="A step: name=40ms/90ms (p50/p95), or a name of `cost facts latencies`. Repeatable."),
    ] = None
    prompt: Annotated[str | None, typer.Option(help="Tokens of the system prompt: adds what it costs.")] = None
    project: ProjectOption = None


@app.command()
@takes(LatencyOptions)
def latency(given: LatencyOptions, as_json: Json = False) -> None:
    """Steps against a latency target: which one breaks it. Exit code 1: the target is missed."""
    with guarded(as_json):
        found = inputs.latency(given)
        emit(as_json, lambda: plain(found), lambda: view.latency(found))
    raise typer.Exit(DONE if found.met else NO)


@app.command("scenario")
def scenario_(
    name: Annotated[str | None, typer.Argument(help="A scenario's name.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name them all.")] = False,
    as_json: Json = False,
) -> None:
    """The sources' worked examples, computed again: agreement, or the corrected sum."""
    with guarded(as_json):
        if name is None or listed:
            found = scenarios()
            rows = [
                {"name": each.name, "claim": each.claim, "source": each.source, "agrees": each.agrees} for each in found
            ]
            emit(as_json, lambda: {"scenarios": rows}, lambda: view.scenario_list(found))
            return
        one = scenario(name)
        checks = [{**plain(check), "agrees": check.agrees} for check in one.checks]
        emit(as_json, lambda: {**plain(one), "checks": checks, "agrees": one.agrees}, lambda: view.scenario(one))


@app.command()
def gates(
    have: Annotated[
        list[str] | None, typer.Option(help="What is there: lora=300 for one goal, or 300 for all. Repeatable.")
    ] = None,
    project: ProjectOption = None,
    as_json: Json = False,
) -> None:
    """Data gates by goal: the least and the usual number, beside what there is."""
    with guarded(as_json):
        found = verbs.gates(inputs.counts(have or (), Reader()), project)
        emit(as_json, lambda: {"gates": [plain(each) for each in found]}, lambda: view.gates(found))


@app.command()
def facts(
    table: Annotated[str | None, typer.Argument(help="One table; all names are listed without it.")] = None,
    as_json: Json = False,
) -> None:
    """The field's figures with their sources: what every assumed number rests on."""
    with guarded(as_json):
        found = inputs.facts(table)
        emit(as_json, lambda: {"tables": found}, lambda: view.facts(found))
