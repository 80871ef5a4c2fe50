"""Climb: add probes until a case passes. Prune: take each away again; what a case can do without, it did not need."""

from collections.abc import Callable, Mapping, Sequence

from levers.diagnosis.records import ProbeName
from levers.diagnosis.runs import Probes, Runs
from levers.task.records import DevCase
from levers.trial.records import Outcome

# Cheap explanations first: a case that one probe cures is not tried with two. Steps repeat no work: Runs remembers.
LADDER: tuple[Probes, ...] = (
    frozenset({"format"}),
    frozenset({"knowledge"}),
    frozenset({"format", "instruction"}),
    frozenset({"format", "knowledge"}),
    frozenset({"format", "knowledge", "instruction"}),
    frozenset({"format", "instruction", "tone"}),
    frozenset({"format", "knowledge", "instruction", "tone"}),
)
ALL = LADDER[-1]
# Dear explanations are dropped first, so that what remains is the smallest and cheapest set.
PRUNE_ORDER: tuple[ProbeName, ...] = ("tone", "instruction", "knowledge", "format")


Run = Callable[[Probes, Sequence[DevCase], str], Mapping[str, Outcome]]
"""Runs a set of probes on cases; the text names the work in the progress display."""


def climb(run: Run, failing: Sequence[DevCase], ladder: Sequence[Probes] = LADDER) -> dict[str, Probes]:
    """Return the first set of probes on the ladder under which each case passes; cases that none cures are absent."""
    cured: dict[str, Probes] = {}
    for probes in ladder:
        still = [case for case in failing if case.id not in cured]
        if not still:
            break
        outcomes = run(probes, still, "probe " + " + ".join(sorted(probes)))
        cured.update((case.id, probes) for case in still if case.id in outcomes and outcomes[case.id].passed)
    return cured


def prune(run: Run, failing: Sequence[DevCase], cured: dict[str, Probes]) -> dict[str, Probes]:
    """Return for each cured case the probes that it cannot do without; a case that a cap cut short is absent."""
    needed = dict(cured)
    for name in PRUNE_ORDER:
        groups: dict[Probes, list[DevCase]] = {}
        for case in failing:
            probes = needed.get(case.id, frozenset())
            if name in probes and len(probes) > 1:
                groups.setdefault(probes, []).append(case)
        for probes, cases in groups.items():
            less = _without(probes, name)
            outcomes = run(less, cases, f"without {name}")
            for case in cases:
                if case.id not in outcomes:
                    del needed[case.id]
                elif _dispensable(name, probes, outcomes[case.id]):
                    needed[case.id] = probes - {name}
    return needed


def try_showing(runs: Runs, failing: Sequence[DevCase], needed: dict[str, Probes]) -> None:
    """Run shown answers alone on cases that need form or rules only: showing often does as well as telling."""
    told = [case for case in failing if needed.get(case.id, ALL) <= {"format", "instruction"}]
    runs.run(frozenset({"tone"}), told, "probe tone")


def ties(runs: Runs, case: DevCase, needed: Probes) -> tuple[tuple[ProbeName, ...], ...]:
    """Return the other sets of probes that made the case pass, no larger than the needed one, the smallest first.

    Only what was run is looked at. A set that holds a smaller one that also cures says nothing more.
    """
    cures = [
        probes
        for probes, outcome in runs.sets_run(case.id).items()
        if probes and outcome.passed and probes != needed and len(probes) <= len(needed)
    ]
    least = [probes for probes in cures if not any(other < probes for other in (*cures, needed))]
    return tuple(sorted((tuple(sorted(probes)) for probes in least), key=lambda probes: (len(probes), probes)))


def _without(probes: Probes, name: ProbeName) -> Probes:
    # A label is imposed through the schema, so "instruction" brings the format along: to see whether the format itself
    # was needed, both are taken away and only the form of the answer is looked at.
    return probes - {"format", "instruction"} if name == "format" and "instruction" in probes else probes - {name}


def _dispensable(name: ProbeName, probes: Probes, outcome: Outcome) -> bool:
    if name == "format" and "instruction" in probes:
        return outcome.scored and all(
            grade.passed is not False for grade in outcome.grades if grade.version.startswith("schema@")
        )
    return outcome.passed
