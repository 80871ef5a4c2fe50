"""The levers, one file each; this list is the only place where all of them are named."""

from levers.errors import Problem, UserError
from levers.lever.cache import CacheLever
from levers.lever.compress import CompressLever
from levers.lever.examples import ExamplesLever
from levers.lever.inline import InlineLever
from levers.lever.instruct import InstructLever
from levers.lever.order import OrderLever
from levers.lever.reason import ReasonLever
from levers.lever.retrieve import RetrieveLever
from levers.lever.sharpen import SharpenLever
from levers.lever.situation import Lever, Piloting, Pulled, Situation
from levers.lever.structure import StructureLever
from levers.lever.tune import TuneLever

LEVERS: tuple[Lever, ...] = (
    InstructLever(),
    StructureLever(),
    ExamplesLever(),
    InlineLever(),
    RetrieveLever(),
    OrderLever(),
    ReasonLever(),
    SharpenLever(),
    TuneLever(),
    CompressLever(),
    CacheLever(),
)


def lever(name: str) -> Lever:
    """Return the lever of that name. Raises UserError naming those there are."""
    for each in LEVERS:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in LEVERS)
    raise UserError(Problem(file="levers pull", field="LEVER", found=repr(name), expected=f"one of {known}"))


__all__ = ["LEVERS", "Lever", "Piloting", "Pulled", "Situation", "lever"]
