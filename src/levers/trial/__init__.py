"""Run a stack over cases, grade its answers, compare two trials on the same cases."""

from levers.trial.clusters import clustered, repeated
from levers.trial.compare import compare, compare_grader, within_margin
from levers.trial.graders import BATCHED, GRADERS, Kit, grade, grade_all, grader_version
from levers.trial.graders.live import grade_live, scores_live
from levers.trial.measure import Answerer, CostOf, grader_names, judge, latencies, question, run_trial, summarise
from levers.trial.paired import margin_n, margin_of_means, margin_of_passes, newcombe, newcombe_paired, tango
from levers.trial.records import (
    Agreement,
    Clustered,
    Comparison,
    Grade,
    GraderNote,
    Interval,
    Latency,
    Margin,
    Outcome,
    Repeated,
    Trial,
)
from levers.trial.sequential import means_anytime, passes_anytime, share_anytime
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
    "BATCHED",
    "GRADERS",
    "Agreement",
    "Answerer",
    "Clustered",
    "Comparison",
    "CostOf",
    "Grade",
    "GraderNote",
    "Interval",
    "Kit",
    "Latency",
    "Margin",
    "Outcome",
    "Repeated",
    "Trial",
    "clustered",
    "compare",
    "compare_grader",
    "detectable_difference",
    "grade",
    "grade_all",
    "grade_live",
    "grader_names",
    "grader_version",
    "holm",
    "judge",
    "latencies",
    "margin_n",
    "margin_of_means",
    "margin_of_passes",
    "mcnemar_exact",
    "means_anytime",
    "newcombe",
    "newcombe_paired",
    "paired_bootstrap",
    "passes_anytime",
    "permutation_p",
    "question",
    "repeated",
    "required_n",
    "run_trial",
    "scores_live",
    "share_anytime",
    "summarise",
    "tango",
    "wilson",
    "within_margin",
]
