"""Every error levers raises on purpose.

LeversError            carries a hint
├── UserError          the user must mend something: a list of problems, exit code 2
├── MissingExtra       an optional dependency is absent: the hint is the install command
├── ModelError         a model or its server is broken (after retries)
└── BudgetError        a spending cap was reached
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One thing the user must mend: where it is, what was found, what was expected, what to do."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int | None = None
    field: str | None = None
    found: str = ""
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """One readable line, then the hint on its own."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = [f"{place}: {self.field}" if self.field else place]
        if self.found:
            parts.append(f"found {self.found}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        text = ": ".join([parts[0], ", ".join(parts[1:])]) if len(parts) > 1 else parts[0]
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class LeversError(Exception):
    """Base of all errors levers raises on purpose; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the message and the hint apart, so that a caller can show them as it likes."""
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        """Message, then the hint on its own line."""
        message = super().__str__()
        return f"{message}\n  hint: {self.hint}" if self.hint else message


class UserError(LeversError):
    """The user must mend something; `problems` names all of it at once."""

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        """Take one problem or many."""
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MissingExtra(LeversError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Name the package that is missing and the extra that brings it."""
        super().__init__(f"{package} is not installed", f'pip install "levers[{extra}]"')


class ModelError(LeversError):
    """A model or its server is broken: retries are spent, or the answer cannot be read."""


class BudgetError(LeversError):
    """The spending cap was reached before the work was done."""
