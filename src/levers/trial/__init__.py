"""Run a stack over cases, grade its answers, compare two trials on the same cases."""

from levers.trial.compare import compare, compare_grader
from levers.trial.graders import GRADERS, grade
from levers.trial.measure import Answerer, CostOf, grader_names, judge, latencies, question, run_trial, summarise
from levers.trial.records import Comparison, Grade, Interval, Latency, Outcome, Trial
from levers.trial.statistics import (
    detectable_difference,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    permutation_p,
    required_n,
    wilson,
)

__all__ = [
    "GRADERS",
    "Answerer",
    "Comparison",
    "CostOf",
    "Grade",
    "Interval",
    "Latency",
    "Outcome",
    "Trial",
    "compare",
    "compare_grader",
    "detectable_difference",
    "grade",
    "grader_names",
    "holm",
    "judge",
    "latencies",
    "mcnemar_exact",
    "paired_bootstrap",
    "permutation_p",
    "question",
    "required_n",
    "run_trial",
    "summarise",
    "wilson",
]
