"""The loop: trial, diagnosis, plan, pull, trial, verdict; until the targets are met or nothing pays.

The loop itself is a pure replay: every piece that takes time is kept in the run's folder as soon as it is whole, so a
run that was killed walks through what is finished and goes on where it stopped, to the same end.
"""

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version

from levers.diagnosis import Diagnosis, ProbeName, apply_probes, diagnose
from levers.errors import UserError
from levers.ledger import digest
from levers.lever import LEVERS, Piloting, Pulled, Situation, lever
from levers.loop.memo import Memo
from levers.loop.openings import record_opening
from levers.loop.project import Project
from levers.loop.records import SEED, Measured, Opening, Run, Step, attempts
from levers.loop.savings import judge_saving
from levers.loop.targets import reached
from levers.loop.verdict import Judged, Opener, deciding, judge, refuse
from levers.plan import Plan, Quote, choose
from levers.stack import Stack
from levers.task import Partition
from levers.trial import as_dev, compare
from levers.trial.records import Comparison, Trial

MOST_STEPS = 12
REACH: tuple[ProbeName, ...] = ("format", "knowledge", "instruction")  # what is given when a pull's reach is compared
RUNS = "runs"

OnStep = Callable[[Step], None]


class Loop:
    """One run in progress: where it stands, and the memo of what is finished."""

    def __init__(self, project: Project, on_step: OnStep | None = None, pilots: bool = False) -> None:
        """Start, or go on with, the run that the project's content names; `pilots`: try a tuning on parts first."""
        self.project = project
        self.id = project.run_id()
        self.folder = project.task.state / RUNS / self.id
        self.memo = Memo(self.folder / "kept", lambda: project.workshop.outages)
        self.openings: list[Opening] = []
        self.steps: list[Step] = []
        self.tested: list[float] = []  # raw p-values of the pulls; one that was refused tested nothing
        self._pilots = pilots
        self._on_step = on_step or (lambda step: None)

    def run(self) -> Run:
        """Run to the end and return what was found."""
        start = self.project.start()
        current, measured = start, Measured(dev=self.trial(start, "dev"), edge=self._edge(start))
        self._add(
            Step(number=0, lever="start", stack=start, measured=measured, verdict="start", why="the plain prompt")
        )
        stopped = f"{MOST_STEPS} steps were made"
        while True:
            found, plan = self._think(current, measured.dev)
            chosen = plan.chosen
            if self._done(measured):
                stopped = "all targets are met"
                break
            if chosen is None:
                stopped = "no lever pays any more"
                break
            if len(self.steps) > MOST_STEPS:
                break
            pulled = self._pull(current, measured.dev, found, chosen)
            judged = self._judge(current, measured, pulled, chosen)
            self._add(self._step(chosen, pulled, judged, found, plan))
            if pulled.stack != current:
                self.tested.append(deciding(judged.dev_pass, judged.dev_score).strict_p)
            if judged.accepted:
                current, measured = pulled.stack, judged.measured
            elif measured.test is None and current.digest in {opening.stack for opening in self.openings}:
                measured = measured.model_copy(update={"test": self.trial(current, "test")})
        return self._close(current, measured, found, plan, stopped)

    def trial(self, stack: Stack, partition: Partition) -> Trial:
        """Measure a stack over a partition, once per run; opening test is written down before it is opened."""
        self.project.keep(stack)
        name = f"trial-{stack.digest}-{partition}"

        def make() -> Trial:
            if partition == "test":
                record_opening(self.project.task, self.id, stack)
            return self.project.bench.trial(stack, partition, f"trial on {partition}")

        return self.memo.keep(name, Trial, make)

    def _edge(self, stack: Stack) -> Trial | None:
        return self.trial(stack, "edge") if self.project.task.partition("edge") else None

    def _think(self, stack: Stack, dev: Trial) -> tuple[Diagnosis, Plan]:
        found = self.memo.keep(
            f"diagnosis-{stack.digest}", Diagnosis, lambda: diagnose(self.project.bench, stack, as_dev(dev))
        )
        situation = self._situation(stack, dev, found)
        plan = self._plan(situation)
        chosen = plan.chosen
        if self._pilots and chosen and chosen.pilot is None and isinstance(first := lever(chosen.lever), Piloting):
            with suppress(UserError):  # what keeps the parts from being tuned refuses the pull too, and is told there
                first.pilot(situation, chosen.settings)
            plan = self._plan(situation)
        return found, plan

    def _plan(self, situation: Situation) -> Plan:
        quotes = [each.quote(situation) for each in LEVERS]
        answers_per_day = self.project.task.config.traffic.answers_per_day
        return choose(situation.stack.digest, quotes, attempts(self.steps), answers_per_day)

    def _situation(self, stack: Stack, dev: Trial, found: Diagnosis) -> Situation:
        return Situation(
            bench=self.project.bench.dev,
            workshop=self.project.workshop,
            stack=stack,
            trial=as_dev(dev),
            diagnosis=found,
            attempts=attempts(self.steps),
            index=lambda: self.project.index_for(stack),
        )

    def _pull(self, stack: Stack, dev: Trial, found: Diagnosis, chosen: Quote) -> Pulled:
        name = f"pull-{stack.digest}-{chosen.lever}-{digest(chosen.settings, 8)}"
        situation = self._situation(stack, dev, found)
        try:
            return self.memo.keep(name, Pulled, lambda: lever(chosen.lever).pull(situation, chosen.settings))
        except UserError as error:  # not kept: what is mended is pulled when the run goes on
            return Pulled(stack=stack, changed="nothing", material="", refused=" ".join(str(error).split()))

    def _judge(self, current: Stack, measured: Measured, pulled: Pulled, chosen: Quote) -> Judged:
        number, candidate = len(self.steps), pulled.stack
        start_edge = self.steps[0].measured.edge

        def test(stack: Stack, reason: str) -> Trial:
            self._open(number, stack, reason)
            return self.trial(stack, "test")

        opener = Opener(
            reach=lambda: self._reach(current, candidate, chosen.lever),
            before_test=lambda: measured.test or test(current, "the stack the step started from"),
            after_test=lambda: test(candidate, "a pull that dev kept"),
            before_edge=lambda: measured.edge,
            after_edge=lambda: self._edge(candidate),
        )
        after = self.trial(candidate, "dev")
        if pulled.refused or pulled.worse:
            why = f"it cannot be pulled: {pulled.refused}" if pulled.refused else f"worse {'; '.join(pulled.worse)}"
            return refuse(measured.dev, after, self.tested, why)
        if chosen.saves is not None:
            return judge_saving(measured, after, start_edge, opener)
        return judge(measured, after, self.tested, start_edge, opener)

    def _reach(self, current: Stack, candidate: Stack, name: str) -> Comparison | None:
        """Compare two stacks on dev with everything given that this lever does not bring itself."""
        others = tuple(probe for probe in REACH if probe not in lever(name).probes)
        if not others:
            return None
        return compare(self._given(current, others), self._given(candidate, others), "pass")

    def _given(self, stack: Stack, probes: tuple[ProbeName, ...]) -> Trial:
        bench = self.project.bench
        what = "given " + " + ".join(probes)

        def make() -> Trial:
            cases = bench.task.partition("dev")
            return bench.trial(apply_probes(stack, probes, cases, bench.task, bench.library), "dev", what)

        return self.memo.keep(f"reach-{stack.digest}-{'-'.join(probes)}", Trial, make)

    def _step(self, chosen: Quote, pulled: Pulled, judged: Judged, found: Diagnosis, plan: Plan) -> Step:
        return Step(
            number=len(self.steps),
            lever=chosen.lever,
            settings=chosen.settings,
            stack=pulled.stack,
            measured=judged.measured,
            diagnosis=found,
            plan=plan,
            dev_pass=judged.dev_pass,
            dev_score=judged.dev_score,
            test_pass=judged.test_pass,
            test_score=judged.test_score,
            edge_pass=judged.edge_pass,
            reach=judged.reach,
            p_value=judged.p_value,
            tries=len(self.tested) + 1,
            verdict="accepted" if judged.accepted else "rejected",
            why=judged.why,
            changed=pulled.changed,
            material=pulled.material,
            notes=pulled.notes,
        )

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self._on_step(step)

    def _open(self, step: int, stack: Stack, reason: str) -> None:
        """Note that test is opened for a stack; what was opened before is known and not opened again."""
        if all(opening.stack != stack.digest for opening in self.openings):
            self.openings.append(Opening(step=step, stack=stack.digest, reason=reason))

    def _done(self, measured: Measured) -> bool:
        targets = reached(self.project.task.config.targets, measured)
        return bool(targets) and all(target.met for target in targets)

    def _close(self, stack: Stack, measured: Measured, found: Diagnosis, plan: Plan, stopped: str) -> Run:
        if measured.test is None:
            self._open(len(self.steps) - 1, stack, "to report the end")
            measured = measured.model_copy(update={"test": self.trial(stack, "test")})
        start = self.steps[0]
        opened = {opening.stack for opening in self.openings}
        if start.measured.test is None and start.stack.digest in opened:
            test = self.trial(start.stack, "test")
            self.steps[0] = start.model_copy(update={"measured": start.measured.model_copy(update={"test": test})})
        self.project.keep(stack, use=True)
        targets = reached(self.project.task.config.targets, measured)
        return Run(
            id=self.id,
            task=self.project.task.digest,
            name=self.project.task.config.name,
            model=stack.model.id,
            seed=SEED,
            levers_version=version("levers"),
            steps=tuple(self.steps),
            openings=tuple(self.openings),
            stack=stack,
            final=measured,
            after=found,
            closing=plan,
            targets=targets,
            targets_met=all(target.met for target in targets),
            stopped=stopped,
            seconds=self.memo.seconds,
            report=f".levers/{RUNS}/{self.id}/report.html",
        )
