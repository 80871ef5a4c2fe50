"""Run the benchmarks and print a table, or JSON with `--json`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version

from benchmarks import (
    Row,
    Skipped,
    concurrency,
    coverage,
    diagnosing,
    forecasts,
    generation,
    hops,
    memory,
    middle,
    pilots,
    planted,
    prompting,
    retrieval,
    scale,
    search,
    servers,
    structure,
    students,
    training,
    trials,
)
from benchmarks.planted import reader

ALL: dict[str, Callable[[], list[Row]]] = {
    "search": search.measure,
    "retrieval": retrieval.measure,
    "hops": hops.measure,
    "scale": scale.measure,
    "generation": generation.measure,
    "trials": trials.measure,
    "memory": memory.measure,
    "concurrency": concurrency.measure,
    "coverage": coverage.measure,
    "planted": planted.measure,
    "reader": reader.measure,
    "diagnosing": diagnosing.measure,
    "forecasts": forecasts.measure,
    "structure": structure.measure,
    "prompting": prompting.measure,
    "middle": middle.measure,
    "servers": servers.measure,
    "students": students.measure,
    "pilots": pilots.measure,
    "training": training.measure,
}


def main(arguments: list[str]) -> int:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(ALL)}; all unless given")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - set(ALL)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(ALL)}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    rows: list[Row] = []
    skipped: dict[str, str] = {}
    for name in chosen.names or ALL:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            rows += ALL[name]()
        except Skipped as error:
            skipped[name] = str(error)
    show = _as_json if chosen.json else _as_table
    print(show(rows, skipped))
    return 0


def _machine() -> dict[str, str | float]:
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else -1.0
    return {
        "levers": version("levers"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": float(os.cpu_count() or 0),
        "load": load,
    }


def _as_json(rows: list[Row], skipped: dict[str, str]) -> str:
    figures = [{**asdict(row), "ratio": row.ratio} for row in rows]
    return json.dumps({"machine": _machine(), "rows": figures, "skipped": skipped}, indent=2, ensure_ascii=False)


def _as_table(rows: list[Row], skipped: dict[str, str]) -> str:
    lines = [", ".join(f"{name} {value}" for name, value in _machine().items()), ""]
    for row in rows:
        lines.append(f"{row.benchmark}: {row.what}")
        lines.append(f"  {row.measured:12.3f} {row.unit}")
        lines.append(f"  {row.limit:12.3f} {row.unit}: {row.against}")
        times = f"{row.ratio:12.2f}" if row.ratio is not None else f"{'-':>12}"
        lines.append(f"  {times} times; {row.note}")
        lines += [f"  {line}" for line in row.table.splitlines()]
    lines += [f"{name}: skipped, {why}" for name, why in skipped.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
