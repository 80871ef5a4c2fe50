"""Cases that share a source, and answers that were sampled more than once: errors that count what is independent.

Ten questions about one document are not ten independent cases. Treated as such they make intervals too narrow, up to
several times (Miller 2024, "Adding error bars to evals").
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from levers.trial.paired import one_sided, tango, tango_z
from levers.trial.records import Clustered, Interval, Margin, Repeated
from levers.trial.statistics import ALPHA, Z_POWER, wilson_of
from levers.trial.student import t_cdf, t_quantile


def clustered(values: Sequence[float], clusters: Sequence[Hashable]) -> Clustered:
    """Mean of values that come in clusters, with the cluster-robust standard error (Liang and Zeger 1986).

    se² = G/(G - 1) · Σ over clusters (Σ in cluster (x - mean))² / n², the usual small-sample correction; interval and
    p-value (against a mean of 0) by t with G - 1 degrees of freedom. With one cluster nothing can be said: the interval
    is everything. Where the clusters agree, their spread tells nothing, and the values' own error stands in its place.
    Where all values are equal, t has nothing to go by: then 1 - 0.05^(1/G), the rule of three over the G clusters,
    bounds what was not seen, for values from 0 to 1, and the p-value is the largest with one of them 0 instead:
    all cases rising is as sure as all but one, and no surer.
    Raises ValueError without values or when the two differ in length.
    """
    found = np.asarray(values, dtype=np.float64)
    if not found.size or len(found) != len(clusters):
        raise ValueError(f"{len(found)} values in {len(clusters)} clusters")
    mean, sums = float(found.mean()), _sums(found - found.mean(), clusters)
    groups, n = len(sums), len(found)
    if groups < 2:
        return Clustered(clusters=groups, mean=mean, error=math.inf, interval=_ALL, p_value=1.0)
    error = math.sqrt(groups / (groups - 1) * float((sums**2).sum())) / n
    if error < _NONE:
        error = float(found.std(ddof=1)) / math.sqrt(n)
    if error < _NONE:
        half, p_value = 1 - ALPHA ** (1 / groups), _but_one(found, clusters) if abs(mean) > _NONE else 1.0
    else:
        half, p_value = t_quantile(1 - ALPHA / 2, groups - 1) * error, 2 * (1 - t_cdf(abs(mean) / error, groups - 1))
    interval = Interval(low=mean - half, high=mean + half)
    return Clustered(clusters=groups, mean=mean, error=error, interval=interval, p_value=p_value)


def _but_one(equal: NDArray[np.float64], clusters: Sequence[Hashable]) -> float:
    """Return the largest p-value of equal values with one of them, of whichever cluster, at 0."""
    names, found = list(clusters), []
    for name in dict.fromkeys(names):
        changed = equal.copy()
        changed[names.index(name)] = 0.0
        found.append(clustered(changed.tolist(), clusters).p_value)
    return max(found)


def shared(values: Sequence[float], sources: Sequence[str]) -> Clustered | None:
    """Cluster values by their sources; None when no two share one, or when all do and nothing can be said."""
    groups = len(set(sources))
    return clustered(values, sources) if 1 < groups < len(sources) else None


def shared_share(passed: Sequence[bool], sources: Sequence[str]) -> Clustered | None:
    """Do what `shared` does for a share: its interval is Wilson's, over as many cases as would have the same error.

    p(1 - p)/se² of them, never fewer than the clusters nor more than the cases, with t of G - 1 degrees of freedom in
    the place of the normal quantile (Korn and Graubard 1998 use both for survey shares). Near 0 and 1, and with few
    sources, the plain interval covers too little: 87 % with 5 sources of 8 cases at 80 %, where this one has 99 %.
    """
    found = shared([float(each) for each in passed], sources)
    if found is None:
        return None
    n, share = len(passed), found.mean
    cases = share * (1 - share) / found.error**2 if found.error > _NONE else 0.0
    interval = wilson_of(share, min(max(cases, found.clusters), n), t_quantile(1 - ALPHA / 2, found.clusters - 1))
    return found.model_copy(update={"interval": interval})


def margin_clustered(found: Margin, differences: Sequence[float], grouped: Clustered) -> Margin:
    """Return a margin test's stricter side: its own, or one over as many cases as would have the clusters' error.

    For passes Tango's statistic over var/se² cases, never fewer than the clusters nor more than the cases, against t
    with G - 1 degrees of freedom; for credit one-sided t tests with the clusters' error. Of stacks worse by the margin
    6 to 8 % are let through with 30 sources of 5 cases and 9 to 11 % with 10 or 15 sources, where cases counted alone
    let 15 to 25 % through.
    """
    values, groups, margin = np.asarray(differences, dtype=np.float64), grouped.clusters, found.margin
    n, mean = len(values), grouped.mean
    cases = min(max(float(values.var()) / grouped.error**2, groups), n) if grouped.error > _NONE else float(groups)
    if found.measure == "pass":
        gained, lost = (float((values * sign > 0).sum()) * cases / n for sign in (1, -1))
        p_worse = 1 - t_cdf(tango_z(gained, lost, cases, -margin), groups - 1)
        p_better = t_cdf(tango_z(gained, lost, cases, margin), groups - 1)
        interval = tango(gained, lost, cases, 1 - 2 * ALPHA)
    else:
        p_worse, p_better, interval = one_sided(mean, grouped.error, groups, margin)
    if mean > 0:  # what rules out a loss rules out one by the margin
        p_worse = min(p_worse, grouped.p_value / 2)
    else:
        p_better = min(p_better, grouped.p_value / 2)
    return found.model_copy(
        update={
            "interval": Interval(
                low=min(found.interval.low, interval.low), high=max(found.interval.high, interval.high)
            ),
            "p_worse": max(found.p_worse, p_worse),
            "p_better": max(found.p_better, p_better),
            "required_cases": math.ceil(found.required_cases * n / cases),
            "sources": groups,
        }
    )


def detectable_clustered(found: Clustered) -> float:
    """Smallest mean difference that so many clusters, spread like these, could show with 80 % power at 5 %, at most 1.

    (t with G - 1 degrees of freedom at 97.5 % + 0.84) · standard error. Where all are equal, `clustered`'s bound.
    """
    if found.error < _NONE:
        return min(1.0, found.interval.high - found.mean)
    return min(1.0, (t_quantile(1 - ALPHA / 2, found.clusters - 1) + Z_POWER) * found.error)


def repeated(samples: Sequence[Sequence[float]]) -> Repeated:
    """Mean over cases that were each answered several times (temperature > 0), and where its uncertainty comes from.

    `between` is the variance of the cases' true means, `within` that of one answer around its case's mean (analysis of
    variance, method of moments; `between` never under 0). More samples shrink only the second: with k of them per case
    the error is √((between + within/k)/n). The interval is by t over the cases' means.
    Raises ValueError unless there are at least two cases and every case has the same number of samples.
    """
    if len(samples) < 2 or len({len(each) for each in samples}) != 1 or not samples[0]:
        raise ValueError("repeated sampling needs at least two cases and the same number of samples for each")
    table = np.asarray(samples, dtype=np.float64)
    n, k = table.shape
    means = table.mean(axis=1)
    within = float(table.var(axis=1, ddof=1).mean()) if k > 1 else 0.0
    spread = float(means.var(ddof=1))
    mean, error = float(means.mean()), math.sqrt(spread / n)
    half = t_quantile(1 - ALPHA / 2, n - 1) * error
    return Repeated(
        cases=n,
        samples=k,
        mean=mean,
        error=error,
        interval=Interval(low=mean - half, high=mean + half),
        between=max(0.0, spread - within / k),
        within=within,
        unstable=int(((means > 0) & (means < 1)).sum()),
    )


_NONE = 1e-12  # errors and means below this are rounding
_ALL = Interval(low=-math.inf, high=math.inf)


def _sums(values: NDArray[np.float64], clusters: Sequence[Hashable]) -> NDArray[np.float64]:
    places = {cluster: place for place, cluster in enumerate(dict.fromkeys(clusters))}
    sums: NDArray[np.float64] = np.bincount([places[each] for each in clusters], weights=values).astype(np.float64)
    return sums
