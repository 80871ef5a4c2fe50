"""Run a stack over cases and derive the figures: quality, score, usage, cost, latency."""

from collections.abc import Callable, Sequence

import numpy as np

from levers.economics.usage import Usage
from levers.errors import LeversError
from levers.stack.records import Answer, Question
from levers.task.records import Case, GraderSpec, Task
from levers.trial.graders import grade
from levers.trial.records import Grade, Latency, Outcome, Trial
from levers.trial.statistics import wilson

Answerer = Callable[[Sequence[Question]], list[Answer]]
"""A stack at work: questions in, as many answers out, in the same order."""
CostOf = Callable[[Usage], float]
"""USD that a usage costs."""

_AT_ONCE = 32  # questions per call of the answerer: enough for a batch, few enough for progress to move


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

    `stack` is the stack's digest; `on_progress` hears (done, total).
    Raises LeversError when the cases do not make a trial or the answerer does not answer what it was asked.
    """
    _check_cases(cases)
    outcomes: list[Outcome] = []
    for start in range(0, len(cases), _AT_ONCE):
        part = cases[start : start + _AT_ONCE]
        answers = answerer([question(case) for case in part])
        if [answer.id for answer in answers] != [case.id for case in part]:
            raise LeversError(f"the stack answered {len(answers)} of {len(part)} questions, or in another order")
        outcomes += [judge(task, case, answer, cost_of) for case, answer in zip(part, answers, strict=True)]
        if on_progress:
            on_progress(len(outcomes), len(cases))
    return summarise(task, cases, outcomes, stack=stack, cost_source=cost_source)


def question(case: Case) -> Question:
    """What a stack is asked for a case: never the expected answer or the evidence."""
    return Question(id=case.id, input=case.input, user=case.user)


def judge(task: Task, case: Case, answer: Answer, cost_of: CostOf | None = None) -> Outcome:
    """Grade one answer with every grader of the task.

    An outcome passes when something was scored and all that was scored passes: an answer nobody could grade is no pass.
    """
    specs = task.config.graders
    grades = [grade(spec, case, answer, task.schemas) for spec in specs]
    names = grader_names(specs)
    named = tuple(each.model_copy(update={"grader": name}) for each, name in zip(grades, names, strict=True))
    credits = [each.credit for each in named if each.credit is not None]
    return Outcome(
        case=case.id,
        passed=bool(credits) and all(each.passed for each in named if each.credit is not None),
        score=sum(credits) / len(credits) if credits else 0.0,
        grades=named,
        answer=answer,
        cost=None if cost_of is None else cost_of(answer.usage),
    )


def grader_names(specs: Sequence[GraderSpec]) -> list[str]:
    """Name the graders for reports; a second of the same name becomes `regex #2`."""
    names: list[str] = []
    for index, spec in enumerate(specs):
        earlier = sum(each.name == spec.name for each in specs[:index])
        names.append(f"{spec.name} #{earlier + 1}" if earlier else spec.name)
    return names


def summarise(
    task: Task, cases: Sequence[Case], outcomes: Sequence[Outcome], *, stack: str, cost_source: str = "unknown"
) -> Trial:
    """Derive a trial's figures from its outcomes, which stand in the cases' order.

    The cost is the mean over answers, None unless every answer has one.
    """
    _check_cases(cases)
    if [outcome.case for outcome in outcomes] != [case.id for case in cases]:
        raise LeversError("the outcomes are not those of the cases")
    passed = sum(outcome.passed for outcome in outcomes)
    costs = [outcome.cost for outcome in outcomes if outcome.cost is not None]
    return Trial(
        stack=stack,
        task=task.digest,
        partition=cases[0].partition,
        outcomes=tuple(outcomes),
        quality=passed / len(outcomes),
        interval=wilson(passed, len(outcomes)),
        score=sum(outcome.score for outcome in outcomes) / len(outcomes),
        usage=sum((outcome.answer.usage for outcome in outcomes), Usage()),
        cost_per_answer=sum(costs) / len(costs) if len(costs) == len(outcomes) else None,
        cost_source=cost_source,
        latency=latencies([outcome.answer for outcome in outcomes]),
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


def _check_cases(cases: Sequence[Case]) -> None:
    if not cases:
        raise LeversError("a trial needs at least one case", "look at the golden set's partitions: `levers check`")
    if len({case.id for case in cases}) < len(cases):
        raise LeversError("two cases of a trial have the same id", "give every case its own id")
    if len({case.partition for case in cases}) > 1:
        raise LeversError("a trial is over one partition", "run one trial per partition")
