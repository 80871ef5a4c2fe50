"""Headroom: what a set of probes, pulled perfectly, would gain over all measured cases."""

from collections.abc import Sequence

from levers.diagnosis.records import Headroom, ProbeName
from levers.diagnosis.runs import NOTHING, Probes, Runs
from levers.task.records import DevCase
from levers.trial.statistics import paired_bootstrap

# The sets of probes that a lever can stand for; every lever names one of these as what it would do if it were perfect.
SETS: tuple[tuple[ProbeName, ...], ...] = (
    ("format",),
    ("knowledge",),
    ("format", "instruction"),
    ("format", "instruction", "tone"),
)


def measure_headroom(
    runs: Runs,
    probes: tuple[ProbeName, ...],
    cases: Sequence[DevCase],
    failing: Sequence[DevCase],
    needed: dict[str, Probes],
) -> Headroom | None:
    """Measure one set of probes on the failing cases; cases that pass already count as neither gained nor lost.

    Failing cases that no probe may be tried on gain nothing. None where the cap ended the asking before all were asked.
    """
    before = runs.run(NOTHING, cases, "as it is")
    after = runs.run(frozenset(probes), failing, "probe " + " + ".join(probes))
    if len(after) < len(failing):
        return None
    passes = [float(after[case.id].passed) if case.id in after else 0.0 for case in cases]
    scores = [after[case.id].score - before[case.id].score if case.id in after else 0.0 for case in cases]
    unlocked = sum(bool(set(probes) & needed.get(case.id, frozenset())) for case in failing)
    return Headroom(
        probes=probes,
        gain=sum(passes) / len(cases),
        interval=paired_bootstrap(passes),
        score_gain=sum(scores) / len(cases),
        score_interval=paired_bootstrap(scores),
        unlocks=unlocked / len(cases),
    )
