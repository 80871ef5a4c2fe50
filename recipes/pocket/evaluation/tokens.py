"""The tokenizer's round trip: every text of every data set, to ids and back, must be the same text."""

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sources import data_folder
from transformers import AutoTokenizer

from levers.model.pocket import register

PIECE = 20_000  # characters read and checked at once
BATCH = 64


def _pieces(path: Path, most: int | None, size: int) -> Iterator[str]:
    """Yield a file's text piece by piece, as it stands (JSON with its escapes); nothing where it is no UTF-8 text."""
    opener: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8", newline="") as stream:
        count = 0
        while (most is None or count < most) and (piece := stream.read(size)):
            yield piece
            count += 1


def round_trip(folder: Path, limit: int | None = None, piece: int = PIECE) -> dict[str, Any]:
    """Check all files under the data folder; `limit` is the most pieces of each, of `piece` characters."""
    register()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    files = characters = 0
    failed: list[str] = []
    binary: list[str] = []
    for path in sorted(path for path in data_folder().rglob("*") if path.is_file()):
        name = str(path.relative_to(data_folder()))
        try:
            for batch in _batches(_pieces(path, limit, piece)):
                ids = tokenizer(batch, add_special_tokens=False)["input_ids"]
                back = [tokenizer.decode(each, clean_up_tokenization_spaces=False) for each in ids]
                characters += sum(map(len, batch))
                failed += [name for old, new in zip(batch, back, strict=True) if old != new]
        except UnicodeDecodeError:
            binary.append(name)
        else:
            files += 1
    return {
        "exact": not failed,
        "files": files,
        "characters": characters,
        "failed": sorted(set(failed)),
        "not_text": binary,
    }


def _batches(pieces: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
