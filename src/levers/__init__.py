"""levers: customise a language model for a team's task by evidence.

The verbs of the command line are functions here; each opens what it needs when it is called:

    project = levers.load("support")
    result = levers.run(project)
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from levers.errors import LeversError, Problem, UserError
    from levers.loop import Checked, Project, Run
    from levers.plan import Advice, Circumstances, Plan
    from levers.stack import Answer, Stack
    from levers.trial import Trial
    from levers.verbs import (
        advise,
        ask,
        bench,
        check,
        diagnose,
        distill,
        import_project,
        index,
        init,
        ledger,
        lint,
        load,
        merge,
        pilot,
        plan,
        pull,
        report,
        run,
        search,
        trial,
        watch,
    )

# Name to the module that defines it: loaded on first use, so that `import levers` stays light. The rest are verbs.
_HOMES = {
    "Advice": "levers.plan",
    "Answer": "levers.stack",
    "Checked": "levers.loop",
    "Circumstances": "levers.plan",
    "LeversError": "levers.errors",
    "Plan": "levers.plan",
    "Problem": "levers.errors",
    "Project": "levers.loop",
    "Run": "levers.loop",
    "Stack": "levers.stack",
    "Trial": "levers.trial",
    "UserError": "levers.errors",
}

__all__ = [
    "Advice",
    "Answer",
    "Checked",
    "Circumstances",
    "LeversError",
    "Plan",
    "Problem",
    "Project",
    "Run",
    "Stack",
    "Trial",
    "UserError",
    "__version__",
    "advise",
    "ask",
    "bench",
    "check",
    "diagnose",
    "distill",
    "import_project",
    "index",
    "init",
    "ledger",
    "lint",
    "load",
    "merge",
    "pilot",
    "plan",
    "pull",
    "report",
    "run",
    "search",
    "trial",
    "watch",
]


class _Package(ModuleType):
    """The package itself. Three verbs, `ledger`, `plan` and `trial`, share their name with a room.

    Importing a room would bind its module over the verb; here the verb stays, and `from levers.trial import …` still
    reaches the room.
    """

    def __getattribute__(self, name: str) -> Any:
        if name in {"ledger", "plan", "trial"}:
            return getattr(import_module("levers.verbs"), name)
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return version("levers")
        if name not in __all__:
            raise AttributeError(f"module 'levers' has no attribute {name!r}")
        return getattr(import_module(_HOMES.get(name, "levers.verbs")), name)

    def __dir__(self) -> list[str]:
        return __all__


sys.modules[__name__].__class__ = _Package
