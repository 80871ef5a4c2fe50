"""The training mixture: example number i of a seed is always the same example.

An example is a chat (system, user, assistant, …), of which the last reply is learnt, with the places where parts of
that reply stand in the prompt (the copy head is told where to look).
"""

import random
from typing import NamedTuple

from forms import Example
from gaps import gap_task
from labels import about_task, resemblance_task
from readings import form_task, reading_task, shown_reading, support_task, unanswerable_task
from small_tasks import classify, closed_book, copy_exactly, extract_entities, extract_slots, few_shot, fields_of_page
from written import written_task

WEIGHTS = {
    "reading": 0.34,
    "written": 0.38,
    "unanswerable": 0.04,
    "gap": 0.01,
    "form": 0.07,
    "shown": 0.03,
    "about": 0.04,
    "resemblance": 0.02,
    "support": 0.03,
    "rest": 0.04,
}
OTHERS = {
    "written": written_task,
    "gap": gap_task,
    "unanswerable": unanswerable_task,
    "form": form_task,
    "shown": shown_reading,
    "about": about_task,
    "resemblance": resemblance_task,
    "support": support_task,
}
REST = (
    (closed_book, 2),
    (classify, 2),
    (extract_slots, 2),
    (extract_entities, 1),
    (few_shot, 4),
    (copy_exactly, 1),
    (fields_of_page, 2),
)


class Drawn(NamedTuple):
    """An example and the kind of task it came from."""

    kind: str
    example: Example


def draw(seed: int, index: int, progress: float) -> Drawn:
    """Return example `index` of the mixture; `progress` (0 to 1) lengthens passages as training goes on."""
    rng = random.Random(f"{seed}/{index}")
    family = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if family == "reading":
        return Drawn(family, reading_task(rng, progress))
    if family in OTHERS:
        return Drawn(family, OTHERS[family](rng))
    maker = rng.choices([task for task, _ in REST], [weight for _, weight in REST])[0]
    return Drawn(maker.__name__, maker(rng))
