"""Settings of a lever as the command line gives them."""

from typing import Any

from levers.errors import Problem, UserError


def read_settings(pairs: list[str]) -> dict[str, Any]:
    """Read key=value pairs; the lever's own settings record gives the values their types.

    Raises:
        UserError: a pair has no equals sign.
    """
    bad = [pair for pair in pairs if "=" not in pair]
    if bad:
        raise UserError([Problem(file="--set", found=repr(pair), expected="key=value") for pair in bad])
    return dict(pair.split("=", 1) for pair in pairs)
