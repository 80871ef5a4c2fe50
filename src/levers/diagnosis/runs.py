"""Run probes on cases, each set of probes once per case."""

from collections.abc import Sequence

from levers.diagnosis.probes import apply_probes
from levers.diagnosis.records import ProbeName, Tried
from levers.stack import Stack
from levers.task.records import DevCase
from levers.trial.bench import Bench
from levers.trial.records import Outcome, Trial

Probes = frozenset[ProbeName]
NOTHING: Probes = frozenset()


class Runs:
    """The experiments of one diagnosis: outcomes by set of probes and case, in the order they were run."""

    def __init__(self, bench: Bench, stack: Stack, trial: Trial) -> None:
        """Start from the stack's own trial, which is the run with no probe."""
        self.bench = bench
        self.stack = stack
        self._kept: dict[Probes, dict[str, Outcome]] = {NOTHING: {outcome.case: outcome for outcome in trial.outcomes}}

    def run(self, probes: Probes, cases: Sequence[DevCase], what: str) -> dict[str, Outcome]:
        """Return the outcomes of these cases under these probes; only what was not run yet is run."""
        kept = self._kept.setdefault(probes, {})
        missing = [case for case in cases if case.id not in kept]
        if missing:
            ordered = tuple(sorted(probes))
            changed = apply_probes(self.stack, ordered, missing, self.bench.task, self.bench.library.evidence)
            kept.update((outcome.case, outcome) for outcome in self.bench.outcomes(changed, missing, what))
        return {case.id: kept[case.id] for case in cases}

    def tried(self, case: str) -> tuple[Tried, ...]:
        """Return every experiment on one case, in the order they were run."""
        return tuple(
            Tried(
                probes=tuple(sorted(probes)),
                passed=outcomes[case].passed,
                score=outcomes[case].score,
                answer=outcomes[case].answer.text,
            )
            for probes, outcomes in self._kept.items()
            if case in outcomes
        )
