"""examples: show reviewed answers in the prompt (few-shot): some for all questions, or the nearest to each."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field

from levers.diagnosis import ProbeName
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, gate_check, quote, tokens
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import Variant, climb, parse
from levers.plan import Quote
from levers.stack import Shots, Stack
from levers.stack.shared import is_public
from levers.task.records import Example

TRIED = (3, 6)  # the field shows 3 to 10 examples; a small window holds few beside passages


POOL = 200  # examples that the nearest are looked for among; the stack carries them
LEAST_TONE = 0.1  # of the cases: the tone probe is the nearest examples made perfect; a second pull wants a clear need


class Settings(Record):
    """How many examples are shown; None tries 3 on dev, and 6 if 3 helps; then the other order, and the nearest.

    `nearest` shows each question the examples most like it; then the prompt shares less that a cache could keep.
    """

    k: int | None = Field(default=None, ge=1, le=32)
    nearest: bool | None = None


class ExamplesLever:
    """Shows the house's answers instead of describing them."""

    name = "examples"
    probes: tuple[ProbeName, ...] = ("format", "instruction", "tone")
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ("examples",)

    def quote(self, situation: Situation) -> Quote:
        """Quote from the probe that imposes form and label and shows the answers to the most similar cases."""
        examples = showable(situation)
        shown = pick(examples, max(TRIED))
        added = sum(tokens(each.question) + tokens(each.answer) for each in shown)
        terms = Terms(
            answers="instruction, format, tone",
            settings=_next_settings(situation),
            added_tokens=added,
            gates=(gate_check("few-shot", len(examples)),),
            blocked=_blocked(situation),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Show k examples as earlier turns."""
        chosen = parse(Settings, self.name, settings)
        examples = showable(situation)
        if not examples:
            raise UserError(Problem(file="levers.yaml", field="examples", expected="reviewed examples to show"))
        counts = TRIED if chosen.k is None else (chosen.k,)
        bare, file = situation.stack, situation.bench.task.config.examples
        if chosen.nearest:
            pool = pick(examples, POOL)
            variants = [(f"nearest {k}", bare.with_part(_shots(pool, k))) for k in counts]
            stack, notes = climb(situation, self.name, variants)
        else:
            variants = [(f"k={k}", bare.with_part(_shots(pick(examples, k)))) for k in counts]
            more = _further(examples) if chosen.nearest is None else lambda best: ()
            stack, notes = climb(situation, self.name, variants, more)
        part = stack.part("examples")
        shots = part if isinstance(part, Shots) else Shots(pairs=())
        if shots.nearest:
            changed = f"the {shots.nearest} reviewed examples nearest to each question are shown"
            return Pulled(stack=stack, changed=changed, material=f"{len(shots.pairs)} of {file}", notes=notes)
        lines = ", ".join(str(each.line) for each in pick(examples, len(shots.pairs)))
        changed = f"{len(shots.pairs)} reviewed examples are shown"
        return Pulled(stack=stack, changed=changed, material=f"{file} lines {lines}", notes=notes)


def showable(situation: Situation) -> list[Example]:
    """Return the examples whose evidence everybody may read: what is shown in a prompt is shown to all users."""
    index = situation.index()
    return [each for each in situation.bench.task.examples if is_public(each, index)]


def _shots(examples: Sequence[Example], nearest: int | None = None) -> Shots:
    return Shots(pairs=tuple((each.question, each.answer) for each in examples), nearest=nearest)


def _further(examples: Sequence[Example]) -> Callable[[Stack], list[Variant]]:
    """Return what else to measure once some number of examples helps: the other order, and the nearest."""

    def more(best: Stack) -> list[Variant]:
        part = best.part("examples")
        pairs = part.pairs if isinstance(part, Shots) else ()
        k = len(pairs)
        turned = best.with_part(Shots(pairs=tuple(reversed(pairs))))
        return [(f"k={k}, turned", turned), (f"nearest {k}", best.with_part(_shots(pick(examples, POOL), k)))]

    return more


def _next_settings(situation: Situation) -> dict[str, Any]:
    """Quote the examples for all first; the nearest once those were kept or tried in vain here."""
    part = situation.stack.part("examples")
    here = [each for each in situation.attempts if each.lever == "examples" and each.stack == situation.stack.digest]
    tone = situation.diagnosis.needs.get("tone")
    wanted = tone is not None and tone.share >= LEAST_TONE
    return {"nearest": True} if wanted and (here or (isinstance(part, Shots) and not part.nearest)) else {}


def _blocked(situation: Situation) -> str:
    part = situation.stack.part("examples")
    if not isinstance(part, Shots) or _next_settings(situation):
        return ""
    return "examples are shown already"


def pick(examples: Sequence[Example], k: int) -> list[Example]:
    """Choose k examples: one of each label in turn, the most frequent label first, the shortest example of it first."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(_label(example.answer), []).append(example)
    ordered = sorted(groups.values(), key=lambda group: -len(group))
    for group in ordered:
        group.sort(key=lambda each: (len(each.question) + len(each.answer), each.line))
    chosen: list[Example] = []
    for turn in range(max(map(len, ordered), default=0)):
        chosen.extend(group[turn] for group in ordered if turn < len(group))
    return chosen[:k]


def _label(answer: str) -> str:
    """Group JSON answers by their last text value, where house formats keep the label; plain answers all together."""
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        return ""
    values = [value for value in parsed.values() if isinstance(value, str)] if isinstance(parsed, dict) else []
    return values[-1] if values else ""
