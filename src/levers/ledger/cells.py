"""Delimited text as rows of cells: one reader for documents, examples and other tools' files."""

import csv
import io
import sys
from collections.abc import Iterator

# Python refuses a cell of more than 131,072 characters, which a document pasted into one passes. What is read here lies
# in memory already, so no cell is too long. The limit is one for the whole process: it is raised, never lowered.
_LONGEST_CELL = min(sys.maxsize, 2**31 - 1)  # a C long, of 32 bits on Windows


class BadCells(Exception):
    """Delimited text breaks off or is quoted wrongly; `line` (from 1) is where the faulty row starts."""

    def __init__(self, reason: str, line: int) -> None:
        """Keep csv's own words and the line."""
        super().__init__(reason)
        self.line = line


def read_cells(text: str, delimiter: str = ",", trim: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line it starts on; `"` quotes. `trim` drops blanks before a cell.

    Raises BadCells, after the rows before it, at a row that cannot be read.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=trim, strict=True)
    start = 1
    try:
        for row in reader:
            line, start = start, reader.line_num + 1
            if any(cell.strip() for cell in row):
                yield line, row
    except csv.Error as error:
        raise BadCells(str(error), start) from error
