"""The verb `bench`: how good search is on data sets whose answers are known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from levers import verbs
from levers.cli import shapes, views
from levers.cli.console import emit, guarded
from levers.cli.options import takes
from levers.errors import Problem, UserError
from levers.view import Progress

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]


@dataclass(frozen=True)
class BenchOptions:
    """What `bench` may be told."""

    split: Annotated[str, typer.Option(help="Which qrels: test, train, dev.")] = "test"
    embed: Annotated[str, typer.Option(help="The embedding model.")] = "minilm"
    words: Annotated[list[int] | None, typer.Option(min=20, help="Chunk size, repeatable; else whole documents.")] = (
        None
    )
    rerank: Annotated[str | None, typer.Option(help="Rerank too, after hybrid search: minilm, hf/….")] = None
    sharpen: Annotated[str | None, typer.Option(help="Tune the embedder on this split: train.")] = None


@takes(BenchOptions)
def bench(
    kind: Annotated[str, typer.Argument(help="What to measure: retrieval, or chunkings.")],
    directory: Annotated[Path, typer.Argument(help="A data set in BEIR's form.")],
    given: BenchOptions,
    as_json: Json = False,
) -> None:
    """Measure search on a data set with known answers: BM25, dense and hybrid, or every way of cutting documents."""
    with guarded(as_json), Progress() as progress:
        if kind == "chunkings":
            cuts = verbs.bench_chunkings(directory, given.split, given.embed, progress, given.rerank)
            emit(as_json, lambda: shapes.chunkings(cuts), lambda: views.chunkings(cuts))
        elif kind == "retrieval":
            told = (given.split, given.embed, given.words or (), progress, given.rerank, given.sharpen)
            found = verbs.bench(directory, *told)
            emit(as_json, lambda: {"rows": [shapes.plain(each) for each in found]}, lambda: views.benched(found))
        else:
            raise UserError(Problem(file="KIND", found=repr(kind), expected="retrieval or chunkings"))
