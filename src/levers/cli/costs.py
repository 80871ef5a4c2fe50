"""The verb `cost`: what stacks, memory and latency cost; gates, scenarios and facts; each figure with its source."""

from dataclasses import dataclass
from typing import Annotated

import typer

from levers import verbs
from levers.cli import cost_inputs as inputs
from levers.cli.answer_costs import Json, ProjectOption, app
from levers.cli.console import DONE, NO, emit, guarded
from levers.cli.options import takes
from levers.cli.shapes import plain
from levers.economics import Reader, scenario, scenarios
from levers.errors import Problem, UserError
from levers.view import costs as view


@dataclass(frozen=True)
class OfferOptions:
    """What `cost tco` and `cost breakeven` may be told."""

    volume: Annotated[str | None, typer.Option(help="How much is asked: 10k/day, or a range 5k..20k/day.")] = None
    changes: Annotated[
        str | None, typer.Option(help="How often requirements change: never, quarterly, 6/year. Adds maintenance.")
    ] = None
    week: Annotated[str | None, typer.Option(help="What an engineer-week costs in USD: 3000..5000.")] = None
    project: ProjectOption = None


__all__ = ["app"]

Offers = Annotated[
    list[str],
    typer.Argument(
        help="prompting, retrieval, tuning, distillation (the sources' own; tuning:curation=10k..50k adds to one); "
        "@2 for the stack after step 2 of the project's latest run; or NAME:per-answer=0.01,setup=15000..30000,"
        "curation=…,evaluation=…,month=500..2000,cycle=2000..8000,cycles=4,kind=tuning."
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
    precision: Annotated[
        str | None, typer.Option(help="float32, bfloat16 (unless given), mixed (of full tuning, unless given).")
    ] = None
    optimizer: Annotated[str | None, typer.Option(help="adam (unless given), adam8bit, sgd.")] = None
    checkpointing: Annotated[
        bool | None, typer.Option(help="Keep each block's input only and compute again (unless refused).")
    ] = None
    rank: Annotated[str | None, typer.Option(help="Rank of the low-rank pairs: 16 unless given.")] = None
    targets: Annotated[
        str | None, typer.Option(help="Linear layers that have one: q,k,v,o,gate,up,down unless given.")
    ] = None
    virtual_tokens: Annotated[str | None, typer.Option(help="Of prefix and prompt tuning: 32 unless given.")] = None
    bits: Annotated[str | None, typer.Option(help="Of served weights: 32, 16 (unless given), 8, 4.")] = None
    card: Annotated[str | None, typer.Option(help="The card's memory: 24GB.")] = None
    overhead: Annotated[
        str | None, typer.Option(help="What driver and library hold of the card: 1GB, assumed, unless given.")
    ] = None


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
        if name is not None and listed:
            raise UserError(Problem(file="--list", found=f"{name!r} beside it", expected="a name, or --list"))
        if name is None:
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
