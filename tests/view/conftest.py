"""The run that the tests of the view look at."""

import pytest

from levers.loop.records import Run
from levers.task.records import Case

from . import make


@pytest.fixture(scope="session")
def run() -> Run:
    """A finished run."""
    return make.a_run()


@pytest.fixture(scope="session")
def cases() -> tuple[Case, ...]:
    """The task's cases."""
    return make.cases()
