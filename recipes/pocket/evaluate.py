"""Measures a pocket folder and prints JSON: reading, refusing, formats, imitation, honesty, tuning, tokens.

    python recipes/pocket/evaluate.py FOLDER
    python recipes/pocket/evaluate.py FOLDER --only reading,formats --limit 50
    python recipes/pocket/evaluate.py FOLDER --out figures.json      # goes on where a killed run stopped

squad2_dev, xquad and hwu64 are evaluation material: nothing here is trained on, but the 200 examples of `tuning`,
which come from a training-marked set and whose adapter is thrown away.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from evaluation import reading as reads
from evaluation.asking import open_folder, prompt, texts
from evaluation.formats import FORMATS, formats
from evaluation.house_format import tuning
from evaluation.imitation import imitation
from evaluation.material import xquad
from evaluation.reading import Reader
from evaluation.scoring import read_scores, share
from evaluation.tokens import round_trip

Part = Callable[[Reader, Path], dict[str, Any]]
PARTS: dict[str, Part] = {
    "reading": lambda reader, _: reads.reading(reader),
    "distractors": lambda reader, _: reads.distractors(reader),
    "refusals": lambda reader, _: reads.refusals(reader),
    "honesty": lambda reader, _: reads.honesty(reader),
    "formats": lambda reader, _: formats(reader.model, reader.limit),
    "imitation": lambda reader, _: imitation(reader.model, reader.limit),
    "closed_book": lambda reader, _: reads.closed_book(reader),
    "tuning": lambda reader, folder: tuning(folder, reader.limit),
    "tokens": lambda reader, folder: round_trip(folder, reader.limit),
}


def quick_evaluation(folder: Path) -> dict[str, Any]:
    """Return the figures on a small sample, for a look while training goes on."""
    began, rows = time.time(), xquad()[:120]
    model = open_folder(folder)
    reader = Reader(model, 40)
    plain = [prompt(reads.SYSTEM, [(row.title, row.passage)], row.question) for row in rows]
    requests = [FORMATS["json"][number % len(FORMATS["json"])] for number in range(40)]
    shaped = [
        prompt(request.system, [(row.title, row.passage)], row.question, tokens=56)
        for request, row in zip(requests, rows, strict=False)
    ]
    replies = texts(model.answer(shaped))
    obeyed = [request.obeyed(reply, 1) for request, reply in zip(requests, replies, strict=True)]
    return {
        "xquad": read_scores(texts(model.answer(plain)), [row.answers for row in rows]),
        "json": {"obeyed": share(obeyed), "n": len(obeyed)},
        "refusals": reads.refusals(reader),
        "closed_book": reads.closed_book(reader),
        "seconds": round(time.time() - began, 1),
    }


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    return names


def _kept(path: Path | None, heading: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that an earlier run of the same weights and limit left."""
    if path is None or not path.exists():
        return {}
    figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return figures["parts"] if {key: figures.get(key) for key in heading} == heading else {}


def measure(folder: Path, names: list[str], limit: int | None, out: Path | None) -> dict[str, Any]:
    """Measure the named parts; those that stand in `out` already are left as they are."""
    reader = Reader(open_folder(folder), limit)
    heading = {"model": reader.model.id.partition("@")[2], "limit": limit}
    parts = _kept(out, heading)
    for name in names:
        if name in parts:
            continue
        begun = time.perf_counter()
        parts[name] = PARTS[name](reader, folder)
        parts[name]["wall_seconds"] = round(time.perf_counter() - begun, 1)
        print(f"{name}: {parts[name]['wall_seconds']} s", file=sys.stderr, flush=True)
        if out is not None:
            partial = out.with_name(out.name + ".partial")
            partial.write_text(json.dumps(heading | {"parts": parts}, indent=1) + "\n", encoding="utf-8")
            os.replace(partial, out)
    return heading | {"threads": torch.get_num_threads(), "load": round(os.getloadavg()[0], 1), "parts": parts}


def main() -> None:
    """Read the command line, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", type=_names, default=list(PARTS), help=f"parts, by commas: {', '.join(PARTS)}")
    parser.add_argument("--limit", type=int, default=None, help="most questions of each set; all by default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None, help="file to keep figures in, part by part")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures = measure(arguments.folder.resolve(), arguments.only, arguments.limit, arguments.out)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
