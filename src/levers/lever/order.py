"""order: put passages, and the question, where this model reads them best: long contexts at their ends."""

from typing import Any, Literal, get_args

from levers.diagnosis import Need, ProbeName
from levers.errors import Problem, UserError
from levers.ledger import Record
from levers.lever.figures import Terms, quote
from levers.lever.room import room_of_needs
from levers.lever.situation import Material, Pulled, Situation
from levers.lever.variants import Variant, best_of, parse
from levers.plan import Quote
from levers.stack import Retrieve
from levers.stack.records import PassageOrder

LEAST_SHOWN = 3  # with fewer there is no middle to get lost in


class Settings(Record):
    """The order of passages, and whether the question comes before them too; None tries all on dev."""

    order: Literal["best first", "best last", "ends"] | None = None
    around: bool | None = None


class OrderLever:
    """Moves what is there; adds nothing but, at most, the question a second time."""

    name = "order"
    probes: tuple[ProbeName, ...] = ()
    settings: type[Record] = Settings
    wants: tuple[Material, ...] = ()

    def quote(self, situation: Situation) -> Quote:
        """Quote from the cases whose evidence was shown, and lay in the middle or drowned among other passages."""
        terms = Terms(
            answers="retrieval (drowned, middle)",
            settings={},
            room=room_of_needs(situation, _misplaced),
            blocked=_blocked(situation),
        )
        return quote(self.name, self.probes, situation, terms)

    def pull(self, situation: Situation, settings: dict[str, Any]) -> Pulled:
        """Take the order that measures best on dev; how the stack is now stands in the notes beside it."""
        chosen = parse(Settings, self.name, settings)
        part = situation.stack.part("retrieve")
        if not isinstance(part, Retrieve):
            raise UserError(Problem(file="levers pull order", field="stack", found="no retrieval", expected="passages"))
        stack, notes = best_of(situation, self.name, _variants(situation, part, chosen))
        now = stack.part("retrieve")
        around = ", the question before and after them" if isinstance(now, Retrieve) and now.around else ""
        shown = now.order if isinstance(now, Retrieve) else ""
        before = (
            f"{_label(part)}: dev {situation.trial.quality:.3f} passing, {situation.trial.score:.3f} credit (as it is)"
        )
        return Pulled(
            stack=stack,
            changed=f"passages stand in the order “{shown}”{around}",
            material="the passages that are found already",
            notes=(before, *notes),
        )


def _variants(situation: Situation, part: Retrieve, chosen: Settings) -> list[Variant]:
    orders = get_args(PassageOrder) if chosen.order is None else (chosen.order,)
    arounds = (False, True) if chosen.around is None else (chosen.around,)
    parts = [part.model_copy(update={"order": order, "around": around}) for order in orders for around in arounds]
    fresh = [each for each in parts if each != part] or [part]
    return [(_label(each), situation.stack.with_part(each)) for each in fresh]


def _label(part: Retrieve) -> str:
    return part.order + (", question on both sides" if part.around else "")


def _misplaced(need: Need) -> bool:
    return need.name == "retrieval" and need.detail in {"drowned", "middle"}


def _blocked(situation: Situation) -> str:
    part = situation.stack.part("retrieve")
    if not isinstance(part, Retrieve):
        return "the stack shows no passages"
    if part.k < LEAST_SHOWN:
        return f"{part.k} of at least {LEAST_SHOWN} passages are shown; there is no middle to get lost in (S3)"
    if part.order != "best first" or part.around:
        return "the order was chosen by measurement already"
    return ""
