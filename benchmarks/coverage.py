"""How often every 95 % interval holds the truth, and how often tests cry wolf, by simulation.

Coverage between 94 and 96 % is what a 95 % interval promises. Wilson's and Newcombe's are summed exactly over all
outcomes and averaged over true shares; the others are drawn. The limit is the promise, so a ratio of 1 is right.
"""

import math
import os
from collections.abc import Callable

import numpy as np

from benchmarks import Row
from levers.trial import clustered, newcombe, newcombe_paired, paired_bootstrap, repeated, share_anytime, tango, wilson
from levers.trial.clusters import shared_share
from levers.trial.paired import margin_of_passes
from levers.trial.sequential import means_anytime, passes_anytime

RUNS = int(os.environ.get("LEVERS_COVERAGE_RUNS", "4000"))
PROMISE = 0.95
TABLES = ((0.4, 0.2, 0.1, 0.3), (0.3, 0.15, 0.05, 0.5), (0.6, 0.1, 0.1, 0.2), (0.2, 0.3, 0.02, 0.48))


def measure() -> list[Row]:
    """Simulate every interval and every test that may be looked at often."""
    rows = [
        _row("Wilson, 20 to 200 cases, true shares from 5 to 95 %, exact", _wilson(), PROMISE),
        _row("Newcombe, two shares of 40 and 60 cases, exact", _newcombe(), PROMISE),
        _row("Newcombe, paired, 119 cases", _paired(lambda row: newcombe_paired(*row)), PROMISE),
        _row("Tango, paired, 119 cases", _paired(lambda row: tango(row[1], row[2], sum(row))), PROMISE),
        _row("BCa bootstrap, mean credit of 119 cases", _bootstrap(), PROMISE),
        _row("clustered, 30 sources of 5 cases", _clustered(), PROMISE),
        _row("share, 5 sources of 8 cases, 80 % pass", _shared(5, 8, 0.8), PROMISE),
        _row("share, 10 sources of 5 cases, 90 % pass", _shared(10, 5, 0.9), PROMISE),
        _row("share, 30 sources of 5 cases, 80 % pass", _shared(30, 5, 0.8), PROMISE),
        _row("repeated, 40 cases of 3 samples", _repeated(), PROMISE),
        _row("share watched at every of 200 looks (95 % is the least)", _watched(), PROMISE),
    ]
    wolf = "5 %: no more than that may be wrong"
    for what, share in (("margin test at the margin", _margin()), ("passes", _peeking(passes_anytime, 1.0))):
        rows.append(_row(f"false alarms, {what}", share, 0.05, wolf))
    rows.append(_row("false alarms, mean credit, looked at after every case", _peeking(means_anytime, 0.5), 0.05, wolf))
    return rows


def _row(what: str, found: float, promised: float, against: str = "95 %: what the interval promises") -> Row:
    note = f"{100 * found:.2f} %; {RUNS:,} runs where it is drawn"
    return Row("coverage", what, found, against, promised, "share", note)


def _binomial(n: int, share: float) -> np.ndarray:
    counts = np.arange(n + 1)
    logs = np.array([math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in counts])
    return np.exp(logs + counts * math.log(share) + (n - counts) * math.log1p(-share))


def _wilson() -> float:
    held = []
    for n in (20, 50, 100, 200):
        intervals = [wilson(k, n) for k in range(n + 1)]
        for share in np.linspace(0.05, 0.95, 181):
            inside = np.array([each.low <= share <= each.high for each in intervals])
            held.append(float(_binomial(n, share)[inside].sum()))
    return float(np.mean(held))


def _newcombe() -> float:
    n1, n2 = 40, 60
    known = [[newcombe((a, b), (n1, n2)) for b in range(n2 + 1)] for a in range(n1 + 1)]
    low = np.array([[each.low for each in row] for row in known])
    high = np.array([[each.high for each in row] for row in known])
    shares = np.linspace(0.05, 0.95, 19)
    held = [
        float((np.outer(_binomial(n1, p1), _binomial(n2, p2)) * ((low <= p2 - p1) & (p2 - p1 <= high))).sum())
        for p1 in shares
        for p2 in shares
    ]
    return float(np.mean(held))


def _paired(interval: Callable) -> float:
    held, known = [], {}
    for seed, table in enumerate(TABLES):
        truth = table[1] - table[2]
        for row in map(tuple, np.random.default_rng(seed).multinomial(119, table, size=RUNS).tolist()):
            if row not in known:
                known[row] = interval(row)
            held.append(known[row].low <= truth <= known[row].high)
    return float(np.mean(held))


def _bootstrap() -> float:
    generator, held = np.random.default_rng(3), 0
    values, shares = np.array([-0.5, -0.25, 0, 0.25, 0.5, 1]), [0.05, 0.1, 0.5, 0.1, 0.15, 0.1]
    truth = float(values @ shares)
    for seed in range(RUNS):
        found = paired_bootstrap(generator.choice(values, p=shares, size=119).tolist(), seed)
        held += found.low <= truth <= found.high
    return held / RUNS


def _clustered() -> float:
    generator, held = np.random.default_rng(2), 0
    clusters = np.repeat(np.arange(30), 5).tolist()
    for _ in range(RUNS):
        values = np.repeat(generator.normal(0.1, 0.3, 30), 5) + generator.normal(0, 0.2, 150)
        found = clustered(values.tolist(), clusters).interval
        held += found.low <= 0.1 <= found.high
    return held / RUNS


def _shared(sources: int, each: int, share: float) -> float:
    """Draw each source's own share from a beta distribution; two cases of one source correlate by 0.5."""
    generator, held = np.random.default_rng(5), 0
    names = np.repeat(np.arange(sources), each).astype(str).tolist()
    for _ in range(RUNS):
        shares = np.repeat(generator.beta(share, 1 - share, sources), each)
        found = shared_share((generator.random(sources * each) < shares).tolist(), names)
        held += found is not None and found.interval.low <= share <= found.interval.high
    return held / RUNS


def _repeated() -> float:
    generator, held = np.random.default_rng(8), 0
    for _ in range(RUNS):
        shares = generator.beta(2, 1, 40)
        found = repeated((generator.random((3, 40)) < shares).T.astype(float).tolist()).interval
        held += found.low <= 2 / 3 <= found.high
    return held / RUNS


def _watched() -> float:
    generator, held, runs = np.random.default_rng(6), 0, max(200, RUNS // 4)
    known: dict[tuple[int, int], bool] = {}
    for _ in range(runs):
        inside = True
        for n, successes in enumerate(np.cumsum(generator.random(200) < 0.7).tolist(), start=1):
            if (successes, n) not in known:
                found = share_anytime(successes, n)
                known[successes, n] = found.low <= 0.7 <= found.high
            inside &= known[successes, n]
        held += inside
    return held / runs


def _margin() -> float:
    drawn = np.random.default_rng(5).multinomial(200, [0.1, 0.2, 0.7], size=RUNS).tolist()
    return sum(margin_of_passes(gained, lost, 200, 0.1).not_worse for gained, lost, _ in drawn) / RUNS


def _peeking(test: Callable, scale: float) -> float:
    generator, wrong, runs = np.random.default_rng(1), 0, max(200, RUNS // 4)
    for _ in range(runs):
        drawn = generator.choice([-1, 0, 1], p=[0.2, 0.6, 0.2], size=300)
        changes = drawn.tolist() if scale == 1.0 else (scale * drawn).tolist()
        wrong += list(test(changes))[-1] < 0.05
    return wrong / runs
