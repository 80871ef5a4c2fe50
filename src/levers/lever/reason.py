"""reason: let the model think, vote or check before it answers; the reasoning is hidden, paid for, and timed."""

from typing import Any

from pydantic import Field

from levers.diagnosis import AT_ONCE, Need, ProbeName
from levers.economics import CostFigure
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote
from levers.lever.room import room_of_needs
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import Variant, best_of, parse
from levers.plan import Quote
from levers.stack import Reason

VOTES = 5  # samples of a vote; self-consistency gains most over the first few (Wang et al. 2023, figure 2)
LEAST = 0.05  # of the cases: every answer is paid for twice or more, so a few cases do not pay
CURES = ("consistency", "reasoning", "capability", "unexplained")  # needs that no material mends


class Settings(Record):
    """Which ways; with none set, all that fit are tried on dev. `samples` above 1 is a vote; `budget` is in tokens."""

    think: bool | None = None
    verify: bool | None = None
    samples: int | None = Field(default=None, ge=1, le=40)
    budget: int = Field(default=256, ge=16)


class ReasonLever:
    """Buys accuracy with more tokens: chain of thought, verify-then-answer, self-consistency."""

    name = "reason"
    probes: tuple[ProbeName, ...] = ()
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ()

    def quote(self, situation: Situation) -> Quote:
        """Quote from the needs that no material mends: right only at times, right in a stronger model, or unexplained.

        Right at times is measured by the diagnosis' samples; the others are the most that thinking could mend.
        """
        room = room_of_needs(situation, _cures)
        calls = float(VOTES if _wavers(situation) else 2)
        median = situation.trial.latency["total"].p50_ms
        terms = Terms(
            answers=", ".join(CURES),
            settings={},
            calls=calls,
            room=room,
            added_ms=CostFigure(
                value=median * (calls - 1),
                unit="ms",
                provenance="assumed",
                source=f"this trial's median for each of {calls - 1:g} more calls, one after the other",
            ),
            blocked=_blocked(situation, room.unlocks, calls),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Add the way of reasoning that measures best on dev."""
        chosen = parse(Settings, self.name, settings)
        if situation.stack.model.id in AT_ONCE:
            found = f"{situation.stack.model.id}, which was taught to answer at once"
            raise UserError(
                Problem(file="levers.yaml", field="models.answer", found=found, expected="a model that reasons")
            )
        ways = _ways(situation, chosen)
        variants: list[Variant] = [(label, situation.stack.with_part(part)) for label, part in ways]
        stack, notes = best_of(situation, self.name, variants)
        label = next(label for label, each in variants if each is stack)
        return Pulled(
            stack=stack,
            changed=f"{label} before each answer; what is thought is kept in the trace and never shown",
            material="the model's own tokens",
            notes=notes,
        )


def _ways(situation: Situation, chosen: Settings) -> list[tuple[str, Reason]]:
    if chosen.think is not None or chosen.verify is not None or chosen.samples is not None:
        part = Reason(
            think=bool(chosen.think),
            verify=bool(chosen.verify),
            samples=chosen.samples or 1,
            budget=chosen.budget,
        )
        named = [("thought", part.think), (f"a vote of {part.samples}", part.samples > 1), ("a check", part.verify)]
        label = " and ".join(name for name, there in named if there)
        if not label:
            raise UserError(Problem(file="levers pull reason", field="think", expected="think, verify or samples"))
        return [(label, part)]
    ways = [("thought", Reason(think=True, budget=chosen.budget)), ("a check", Reason(verify=True))]
    if _wavers(situation):
        ways.append((f"a vote of {VOTES}", Reason(samples=VOTES)))
    return ways


def _wavers(situation: Situation) -> bool:
    found = situation.diagnosis.needs.get("consistency")
    return found is not None and found.share >= LEAST


def _cures(need: Need) -> bool:
    return need.name in CURES


def _blocked(situation: Situation, share: float, calls: float) -> str:
    if situation.stack.part("reason"):
        return "the stack reasons already"
    if situation.stack.model.id in AT_ONCE:
        return f"{situation.stack.model.id} was taught to answer at once; a model that reasons would have to answer"
    if share < LEAST:
        few = f"{share:.1%} of the cases fail with everything given"
        return f"{few}; under {LEAST:.0%}, {calls:g} calls an answer do not pay"
    targets, trial = situation.bench.task.config.targets, situation.trial
    cost = trial.cost_per_answer
    if targets.cost_per_answer is not None and cost is not None and cost * calls > targets.cost_per_answer:
        return f"{calls:g} calls an answer cost ${cost * calls:.2g}, over the target of ${targets.cost_per_answer:.2g}"
    slow = trial.latency["total"].p95_ms * calls
    if targets.p95_ms is not None and slow > targets.p95_ms:
        return f"{calls:g} calls an answer take {slow:,.0f} ms at p95, over the target of {targets.p95_ms:,.0f} ms"
    return ""
