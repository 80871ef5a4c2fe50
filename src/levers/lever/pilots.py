"""Pilots of a tuning: what growing parts of the examples reach on dev, kept for the plan's quote.

Where pilots were made, their forecast stands in the quote in the place of the field's rule of thumb.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from levers.ledger import digest, write_atomic
from levers.lever.situation import Situation
from levers.plan import GateCheck
from levers.stack import Stack
from levers.stack.workshop import ADAPTERS
from levers.task.records import Task
from levers.tuning import Progress, Recipe, Sample, fit
from levers.tuning.pilot import Piloted, pilot

PILOTS = "pilots"


def run_pilots(
    situation: Situation,
    taught: tuple[Sequence[Sample], Sequence[Sample]],
    held: Sequence[Sample],
    recipe: Callable[[int], Recipe],
    shares: Sequence[float],
) -> Piloted:
    """Tune on nested parts of the samples, measure each on dev, and keep what came of it.

    Args:
        situation: the stack to tune and the bench to measure on.
        taught: what the whole tuning would learn from, and what it would rehearse; a part rehearses its share.
        held: what decides which epoch is kept.
        recipe: how to tune on so many samples: a part is tuned as it would be if it were all there is.
        shares: the parts, four different sizes at least.
    """
    stack, bench = situation.stack, situation.bench
    samples, rehearsed = taught
    whole = recipe(len(samples))
    folder = situation.workshop.state / ADAPTERS

    def learn(places: Sequence[int]) -> float:
        def tell(now: Progress) -> None:
            bench.progress(f"pilot on {len(places)}", now.step, now.steps)

        part = [samples[place] for place in sorted(places)]
        part += rehearsed[: round(len(rehearsed) * len(part) / len(samples))]
        how = recipe(len(places))
        fitted = fit(stack.model.id, part, held, how, folder, on_progress=tell, root=bench.task.root)
        model = stack.model.model_copy(update={"adapter": fitted.adapter.name})
        tuned = stack.model_copy(update={"model": model})
        return bench.trial(tuned, "dev", f"pilot on {len(places)}").quality

    found = Piloted(
        stack=stack.digest,
        how=whole.method,
        examples=len(samples),
        untuned=situation.trial.quality,
        points=pilot(len(samples), len(bench.task.partition("dev")), learn, shares, whole.seed),
        target=bench.task.config.targets.quality,
    )
    write_atomic(_file(situation.workshop.state, stack, bench.task), found.model_dump_json())
    return found


def known_pilots(state: Path, stack: Stack, task: Task) -> Piloted | None:
    """Return what pilots of this stack for this very task measured, None where none were made."""
    file = _file(state, stack, task)
    if not file.is_file():
        return None
    return Piloted.model_validate_json(file.read_text(encoding="utf-8"))


def pilot_gates(found: Piloted) -> tuple[GateCheck, ...]:
    """Return a row for how many examples gain anything, which blocks, and one for how many reach the target."""
    sizes = [point.examples for point in found.points]
    whole, twice = found.whole, found.twice
    said = (
        f"pilot: {found.how} on {min(sizes)} to {max(sizes)} examples; all {found.examples} would reach "
        f"{whole.right:.0%} of dev ({whole.low:.0%} to {whole.high:.0%}), twice as many {twice.right:.0%} "
        f"({twice.low:.0%} to {twice.high:.0%}), untuned {found.untuned:.0%}"
    )
    rows = [_row(found, "a gain, by the pilot", found.untuned, said, blocks=True)]
    if found.target is not None:
        rows.append(_row(found, f"{found.target:.0%} of dev, by the pilot", found.target, "pilot", blocks=False))
    return tuple(rows)


def _row(found: Piloted, goal: str, share: float, source: str, blocks: bool) -> GateCheck:
    """Set the examples there are against those a share needs: at best, and most likely."""
    wanted = found.needed(share)
    likely = wanted.examples or found.furthest
    least = min(likely, wanted.low or found.furthest)
    beyond = "" if wanted.examples else f"; {found.furthest:,} would not do"
    span = f"; at best {least:,}, at worst {f'{wanted.high:,}' if wanted.high else 'more than can be foreseen'}"
    bound = least if blocks else likely  # what blocks is given the benefit of the doubt
    return GateCheck(
        goal=goal,
        have=found.examples,
        need=likely if found.examples >= likely else bound,
        usual=likely,
        unit="examples",
        met=found.examples >= bound,
        source=f"{source}{beyond}{span}",
        blocks=blocks,
    )


def _file(state: Path, stack: Stack, task: Task) -> Path:
    return state / PILOTS / f"{digest([stack, task.digest])}.json"
