"""Take over what a team has in another tool: questions, documents and checks become a levers project.

Adding a format is a reader, from a path to an `Imported`, and a line in `READERS`.
"""

from collections.abc import Callable
from pathlib import Path

from levers.task.importers.autorag import read_autorag
from levers.task.importers.beir import read_beir
from levers.task.importers.chats import read_openai, read_tensorzero
from levers.task.importers.goldens import read_deepeval, read_ragas
from levers.task.importers.otel import read_otel
from levers.task.importers.promptfoo import read_promptfoo
from levers.task.importers.records import Imported
from levers.task.importers.write import Written, write_project

Reader = Callable[[Path], Imported]

READERS: dict[str, Reader] = {
    "promptfoo": read_promptfoo,
    "autorag": read_autorag,
    "ragas": read_ragas,
    "deepeval": read_deepeval,
    "beir": read_beir,
    "openai": read_openai,
    "tensorzero": read_tensorzero,
    "otel": read_otel,
}

__all__ = ["READERS", "Imported", "Reader", "Written", "write_project"]
