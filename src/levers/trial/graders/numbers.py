"""The check of numbers."""

from decimal import Decimal

from levers.task.records import GraderSpec
from levers.trial.graders.contract import Verdict
from levers.trial.text import clip, first_number


def check_numeric(spec: GraderSpec, text: str, accepted: tuple[str, ...]) -> Verdict:
    """Pass when the first number is within `tolerance` (absolute, default 0) of an accepted one; units are ignored."""
    wanted = [first_number(each) for each in accepted]
    if None in wanted:
        raise ValueError(f"an expected answer holds no number: {', '.join(clip(each) for each in accepted)}")
    found = first_number(text)
    if found is None:
        return Verdict.of(False, f'no number in "{clip(text)}"')
    tolerance = Decimal(str(spec.tolerance or 0))
    near = any(abs(found - each) <= tolerance for each in wanted if each is not None)
    return Verdict.of(near, f"expected {' or '.join(str(each) for each in wanted)} ± {tolerance}, found {found}")
