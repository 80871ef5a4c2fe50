"""Run probes on cases, each set of probes once per case; stop asking when the spending cap is reached."""

from collections.abc import Mapping, Sequence

from levers.diagnosis.probes import Passages, apply_probes
from levers.diagnosis.records import ProbeName, Tried
from levers.errors import BudgetError
from levers.stack import Stack
from levers.task.records import DevCase
from levers.trial.bench import DevBench
from levers.trial.records import Outcome, Trial

Probes = frozenset[ProbeName]
NOTHING: Probes = frozenset()


class Runs:
    """The experiments of one diagnosis: outcomes by set of probes and case, in the order they were run.

    With `capped`, a spending cap that is reached ends the asking, not the diagnosis: what could not be run is absent
    from the outcomes, and `stopped` says why.
    """

    def __init__(self, bench: DevBench, stack: Stack, trial: Trial, capped: bool = False) -> None:
        """Start from the stack's own trial, which is the run with no probe."""
        self.bench = bench
        self.stack = stack
        self.stopped = ""
        self._capped = capped
        base = {outcome.case: outcome for outcome in trial.outcomes}
        self._kept: dict[frozenset[str], dict[str, Outcome]] = {NOTHING: base}

    def run(self, probes: Probes, cases: Sequence[DevCase], what: str) -> dict[str, Outcome]:
        """Return the outcomes of these cases under these probes; only what was not run yet is run."""
        return self._run(probes, probes, cases, what)

    def arranged(
        self, probes: Probes, cases: Sequence[DevCase], what: str, passages: Passages
    ) -> Mapping[str, Outcome]:
        """Return the outcomes under these probes with the passages given in place of the evidence alone.

        `what` names the arrangement among the experiments.
        """
        return self._run(frozenset({*(probes - {"knowledge"}), what}), probes, cases, what, passages)

    def vary(self, changed: Stack, cases: Sequence[DevCase], what: str) -> Sequence[Outcome]:
        """Return outcomes under a stack that no set of probes names: fewer than asked for when the cap is reached.

        They are kept among the experiments under `what`.
        """
        outcomes = self._asked(changed, cases, what)
        self._kept.setdefault(frozenset({what}), {}).update((outcome.case, outcome) for outcome in outcomes)
        return outcomes

    def _asked(self, changed: Stack, cases: Sequence[DevCase], what: str) -> Sequence[Outcome]:
        if not self._capped:
            return self.bench.outcomes(changed, cases, what)
        try:
            return self.bench.outcomes(changed, cases, what)
        except BudgetError as error:
            self.stopped = self.stopped or str(error).partition("\n")[0]
        # What was paid for before the cap stopped it is in the ledger: asking again one by one costs nothing.
        return [outcome for case in cases for outcome in self._alone(changed, case, what)]

    def sets_run(self, case: str) -> dict[Probes, Outcome]:
        """Return what came of every set of probes that was run on a case; arranged passages are no set."""
        known: frozenset[str] = frozenset({"format", "knowledge", "instruction", "tone"})
        found = {probes: outcomes[case] for probes, outcomes in self._kept.items() if case in outcomes}
        return {_probes(names): outcome for names, outcome in found.items() if names <= known}

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

    def probed(self, probes: Probes, cases: Sequence[DevCase], passages: Passages | None = None) -> Stack:
        """Return the stack with these probes for these cases."""
        return apply_probes(self.stack, sorted(probes), cases, self.bench.task, self.bench.library, passages)

    def _run(
        self,
        key: frozenset[str],
        probes: Probes,
        cases: Sequence[DevCase],
        what: str,
        passages: Passages | None = None,
    ) -> dict[str, Outcome]:
        kept = self._kept.setdefault(key, {})
        missing = [case for case in cases if case.id not in kept]
        if missing:
            changed = self.probed(probes, missing, passages)
            kept.update((outcome.case, outcome) for outcome in self._asked(changed, missing, what))
        return {case.id: kept[case.id] for case in cases if case.id in kept}

    def _alone(self, changed: Stack, case: DevCase, what: str) -> Sequence[Outcome]:
        try:
            return self.bench.outcomes(changed, [case], what)
        except BudgetError:
            return ()


def _probes(names: frozenset[str]) -> Probes:
    return frozenset(name for name in names if name in {"format", "knowledge", "instruction", "tone"})  # type: ignore[misc]
