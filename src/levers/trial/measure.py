"""Run a stack over cases and derive the figures: quality, score, usage, cost, latency."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from levers.economics.usage import Usage
from levers.errors import LeversError
from levers.stack.records import Answer, Question
from levers.task.records import Case, GraderSpec, Task
from levers.trial.clusters import shared_share
from levers.trial.graders import BATCHED, Kit, grade, grade_all
from levers.trial.records import Grade, GraderNote, Latency, Outcome, Trial
from levers.trial.statistics import wilson

Answerer = Callable[[Sequence[Question]], Iterable[Answer]]
"""A stack at work: questions in, an answer to each out, in any order and as soon as each is there."""
CostOf = Callable[[Usage], float]
"""USD that a usage costs."""


def run_trial(
    task: Task,
    cases: Sequence[Case],
    answerer: Answerer,
    *,
    stack: str,
    cost_of: CostOf | None = None,
    cost_source: str = "unknown",
    on_progress: Callable[[int, int], None] | None = None,
) -> Trial:
    """Ask every case, grade every answer, sum up. All cases must be of one partition.

    `stack` is the stack's digest; `on_progress` hears (done, total). The graders get no models or documents; a `Bench`
    gives them those of the project.
    Raises LeversError when the cases do not make a trial or the answerer does not answer what it was asked.
    """
    check_cases(cases)
    outcomes = Judge(task, Kit(schemas=task.schemas, root=task.root), cost_of).outcomes(cases, answerer, on_progress)
    return summarise(task, cases, outcomes, stack=stack, cost_source=cost_source)


@dataclass(frozen=True)
class Judge:
    """Asks cases and grades what comes back, with all graders of a task."""

    task: Task
    kit: Kit
    cost_of: CostOf | None = None

    def outcomes(
        self, cases: Sequence[Case], answerer: Answerer, on_progress: Callable[[int, int], None] | None = None
    ) -> list[Outcome]:
        """Return the outcomes in the cases' order. What can be graded by itself is graded while other answers come."""
        wanted = {case.id: case for case in cases}
        answers: dict[str, Answer] = {}
        grades: dict[str, list[Grade | None]] = {}
        for answer in answerer([question(case) for case in cases]):
            if answer.id not in wanted or answer.id in answers:
                raise LeversError(f"the stack answered {answer.id!r}, which was not asked or is answered already")
            answers[answer.id] = answer
            grades[answer.id] = self._alone(wanted[answer.id], answer)
            if on_progress:
                on_progress(len(answers), len(cases))
        if len(answers) < len(cases):
            raise LeversError(f"the stack answered {len(answers)} of {len(cases)} questions")
        self._together(cases, answers, grades)
        return [self._outcome(case, answers[case.id], grades[case.id]) for case in cases]

    def outcome(self, case: Case, answer: Answer) -> Outcome:
        """Grade one answer."""
        grades = {case.id: self._alone(case, answer)}
        self._together([case], {case.id: answer}, grades)
        return self._outcome(case, answer, grades[case.id])

    def _alone(self, case: Case, answer: Answer) -> list[Grade | None]:
        specs = self.task.config.graders
        return [None if spec.kind in BATCHED else grade(spec, case, answer, self.kit) for spec in specs]

    def _together(
        self, cases: Sequence[Case], answers: dict[str, Answer], grades: dict[str, list[Grade | None]]
    ) -> None:
        for place, spec in enumerate(self.task.config.graders):
            if spec.kind in BATCHED:
                pairs = [(case, answers[case.id]) for case in cases]
                for case, found in zip(cases, grade_all(spec, pairs, self.kit), strict=True):
                    grades[case.id][place] = found

    def _outcome(self, case: Case, answer: Answer, grades: Sequence[Grade | None]) -> Outcome:
        names = grader_names(self.task.config.graders)
        named = tuple(
            each.model_copy(update={"grader": name})
            for each, name in zip(grades, names, strict=True)
            if each is not None
        )
        credits = [each.credit for each in named if each.credit is not None]
        failed = any(each.passed is False for each in named)
        scored = bool(credits) and not any(each.crashed for each in named)  # a loss must not keep failures alone
        return Outcome(
            case=case.id,
            passed=scored and not failed,
            score=sum(credits) / len(credits) if scored else 0.0,
            grades=named,
            answer=answer,
            cost=None if self.cost_of is None else self.cost_of(answer.usage),
            scored=scored,
            source=case.source,
        )


def question(case: Case) -> Question:
    """What a stack is asked for a case: never the expected answer or the evidence."""
    return Question(id=case.id, input=case.input, user=case.user)


def judge(task: Task, case: Case, answer: Answer, cost_of: CostOf | None = None) -> Outcome:
    """Grade one answer with every grader of the task, without models or documents.

    An outcome passes when something was scored and all that was scored passes: an answer nobody could grade is no pass,
    and no failure either.
    """
    return Judge(task, Kit(schemas=task.schemas, root=task.root), cost_of).outcome(case, answer)


def grader_names(specs: Sequence[GraderSpec]) -> list[str]:
    """Name the graders for reports; a second of the same name becomes `regex #2`."""
    names: list[str] = []
    for index, spec in enumerate(specs):
        earlier = sum(each.name == spec.name for each in specs[:index])
        names.append(f"{spec.name} #{earlier + 1}" if earlier else spec.name)
    return names


def summarise(
    task: Task,
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
    *,
    stack: str,
    cost_source: str = "unknown",
    notes: Mapping[str, GraderNote] | None = None,
) -> Trial:
    """Derive a trial's figures from its outcomes, which stand in the cases' order.

    The cost is the mean over answers, None unless every answer has one. `notes` say what the graders are.
    Raises LeversError when not a single answer could be scored: a quality of nothing is not zero.
    """
    check_cases(cases)
    if [outcome.case for outcome in outcomes] != [case.id for case in cases]:
        raise LeversError("the outcomes are not those of the cases")
    scored = [outcome for outcome in outcomes if outcome.scored]
    if not scored:
        why = next((each.why for outcome in outcomes for each in outcome.grades if each.why), "there are no graders")
        raise LeversError(f"no grader could score any of the {len(outcomes)} answers", f"the first reason: {why}")
    passed = sum(outcome.passed for outcome in scored)
    costs = [outcome.cost for outcome in outcomes if outcome.cost is not None]
    return Trial(
        stack=stack,
        task=task.digest,
        partition=cases[0].partition,
        outcomes=tuple(outcomes),
        quality=passed / len(scored),
        interval=wilson(passed, len(scored)),
        score=sum(outcome.score for outcome in scored) / len(scored),
        usage=sum((outcome.answer.usage for outcome in outcomes), Usage()),
        cost_per_answer=sum(costs) / len(costs) if len(costs) == len(outcomes) else None,
        cost_source=cost_source,
        latency=latencies([outcome.answer for outcome in outcomes]),
        unscored=len(outcomes) - len(scored),
        clustered=shared_share([outcome.passed for outcome in scored], [outcome.source for outcome in scored]),
        graders={} if notes is None else dict(notes),
    )


def latencies(answers: Sequence[Answer]) -> dict[str, Latency]:
    """Median and 95th percentile (linear between ranks) per step, in the order steps first appear, then "total".

    A step counts for the answers that took it; one that an answer took twice counts with its sum.
    """
    seconds: dict[str, list[float]] = {}
    for answer in answers:
        taken: dict[str, float] = {}
        for step in answer.steps:
            taken[step.name] = taken.get(step.name, 0.0) + step.seconds
        for name, value in taken.items():
            seconds.setdefault(name, []).append(value)
    seconds["total"] = [answer.seconds for answer in answers]
    return {name: _latency(values) for name, values in seconds.items() if values}


def scored(outcome: Outcome, name: str) -> Grade | None:
    """Return that grader's grade when it was scored."""
    found = outcome.grade(name)
    return found if found is not None and found.passed is not None else None


def _latency(seconds: Sequence[float]) -> Latency:
    p50, p95 = np.percentile(np.asarray(seconds) * 1000, [50, 95])
    return Latency(p50_ms=float(p50), p95_ms=float(p95))


def check_cases(cases: Sequence[Case]) -> None:
    """Raise LeversError unless the cases make one trial: at least one, each id once, one partition."""
    if not cases:
        raise LeversError("a trial needs at least one case", "look at the golden set's partitions: `levers check`")
    if len({case.id for case in cases}) < len(cases):
        raise LeversError("two cases of a trial have the same id", "give every case its own id")
    if len({case.partition for case in cases}) > 1:
        raise LeversError("a trial is over one partition", "run one trial per partition")
