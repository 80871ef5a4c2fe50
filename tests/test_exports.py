"""What `levers` exports, and how light it is to import."""

import subprocess
import sys
import time
from typing import Any

import levers

EXPORTS = """
Advice Answer Checked Circumstances LeversError Plan Problem Project Run Stack Trial UserError __version__
advise ask bench check diagnose distill import_project index init ledger lint load merge pilot plan pull report run
search trial watch
"""
HEAVY = ("torch", "transformers", "lancedb", "numpy", "sentence_transformers", "peft", "openai", "pyarrow", "scipy")


def fresh(code: str) -> str:
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return found.stdout.strip()


def test_the_exports_are_exactly_these() -> None:
    assert sorted(levers.__all__) == sorted(EXPORTS.split())
    assert sorted(dir(levers)) == sorted(levers.__all__)


def test_every_name_resolves_and_has_a_docstring() -> None:
    for name in levers.__all__:
        found: Any = getattr(levers, name)
        assert name == "__version__" or (found.__doc__ and found.__doc__.strip()), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(levers, "training")


def test_importing_loads_nothing_heavy() -> None:
    loaded = fresh(f"import sys, levers; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert loaded == "[]"


def test_importing_takes_less_than_half_a_second() -> None:
    clock = "import time; t = time.process_time(); import levers; print(time.process_time() - t)"
    assert min(float(fresh(clock)) for _ in range(3)) < 0.5


def test_the_command_line_explains_itself_without_the_heavy_libraries() -> None:
    code = f"import sys, levers.cli; print([name for name in {HEAVY!r} if name in sys.modules and name != 'numpy'])"
    started = time.monotonic()
    assert fresh(code) == "[]"
    assert time.monotonic() - started < 60


def test_verbs_stay_functions_when_their_rooms_are_imported() -> None:
    code = (
        "import levers, levers.trial.records, levers.plan.records\n"
        "from levers.trial import Trial as One\n"
        "from levers.plan import Plan as Other\n"
        "import types\n"
        "kinds = {type(levers.trial), type(levers.plan)}\n"
        "print(kinds == {types.FunctionType}, levers.Trial is One, levers.Plan is Other)"
    )
    assert fresh(code) == "True True True"
