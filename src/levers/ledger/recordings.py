"""Recordings: what a ledger keeps, as lines of JSON to hand on; whatever looks like a key is taken out.

One line is {"key": digest of model and ask, "value": what was kept}. A recording replays elsewhere without a key and
without a network.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from levers.errors import Problem, UserError
from levers.ledger.files import write_atomic
from levers.ledger.replay import Replay

SCRUBBED = "[key removed]"
# Shapes of keys that providers publish (secret scanners look for the same), and of bearer tokens in headers. None
# stands within a word, but behind an escape in JSON as text; a key of sk- holds a digit, as hyphened words seldom do.
_SHAPES = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
    r"(?:sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{30,}|xox[abprs]-[A-Za-z0-9-]{10,}|(?i:bearer\s+)[A-Za-z0-9._~+/-]{16,}=*)"
)
_NAMES = re.compile(r"(?:API_KEY|TOKEN|SECRET)$")
_LONG_ENOUGH = 8  # a shorter value of an environment variable is a word that may stand anywhere


def export(replay: Replay, path: Path, environment: Mapping[str, str] | None = None) -> int:
    """Write everything kept to `path`, keys scrubbed; return the number of lines."""
    secrets = secrets_of(os.environ if environment is None else environment)
    lines = [
        json.dumps({"key": key, "value": scrub(value, secrets)}, ensure_ascii=False) for key, value in replay.items()
    ]
    write_atomic(path, "".join(f"{line}\n" for line in lines))
    return len(lines)


def load(replay: Replay, path: Path) -> int:
    """Add a recording to a ledger; return how many values are new. What is kept already stays as it is.

    Raises:
        UserError: the file cannot be read, or lines are no recording; all of them are named, and nothing is added.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        raise UserError(Problem(file=str(path), found=why, expected="a recording: lines of JSON")) from error
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = _read(line)
        if isinstance(found, str):
            expected = '{"key": "sha256-…", "value": {…}}'
            problems.append(Problem(file=str(path), line=number, found=found, expected=expected))
        else:
            values.setdefault(*found)
    if problems:
        raise UserError(problems)
    return replay.put(values)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of environment variables that are named like keys."""
    return tuple(
        value for name, value in environment.items() if _NAMES.search(name.upper()) and len(value) >= _LONG_ENOUGH
    )


def scrub(value: Any, secrets: tuple[str, ...] = ()) -> Any:
    """Return a JSON value with every key in its texts replaced."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, SCRUBBED)
        return _SHAPES.sub(SCRUBBED, value)
    if isinstance(value, dict):
        return {scrub(key, secrets): scrub(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [scrub(item, secrets) for item in value]
    return value


def _read(line: str) -> tuple[str, Any] | str:
    try:
        entry = json.loads(line)
    except ValueError as error:
        return f"no JSON: {error}"
    if not isinstance(entry, dict) or set(entry) != {"key", "value"}:
        return f"{line[:60]}"
    if not isinstance(entry["key"], str) or not entry["key"].startswith("sha256-"):
        return f"key {json.dumps(entry['key'])[:60]}"
    return entry["key"], entry["value"]
