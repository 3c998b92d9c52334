"""How sure a number is: bootstrap intervals and paired tests, seeded.

Rows that share a wording are not independent: they are resampled together as a cluster (a contrast group, or the rows
with the same phrase). A number is a ratio of sums over clusters, which covers means and F1 alike.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A value with its 95 % percentile bootstrap interval and the number of rows behind it."""

    value: float
    low: float
    high: float
    n: int


def mean_interval(values: Sequence[float], clusters: Sequence[Hashable] | None, seed: int, resamples: int) -> Interval:
    """The mean of `values`; `clusters` names the cluster of each row (None: every row for itself)."""
    return ratio_interval(values, [1.0] * len(values), clusters, seed, resamples)


def ratio_interval(
    numerators: Sequence[float],
    denominators: Sequence[float],
    clusters: Sequence[Hashable] | None,
    seed: int,
    resamples: int,
) -> Interval:
    """Sum of `numerators` over sum of `denominators` (0 where that is 0), with its interval."""
    top, bottom = _by_cluster(numerators, clusters), _by_cluster(denominators, clusters)
    value = _ratio(top.sum(keepdims=True), bottom.sum(keepdims=True))[0]
    if len(top) == 0:
        return Interval(0.0, 0.0, 0.0, 0)
    low, high = _percentiles(_resampled(top, bottom, seed, resamples))
    return Interval(float(value), low, high, len(numerators))


class Paired(NamedTuple):
    """Two systems on the same rows: mean of A minus B with interval, two-sided bootstrap p, and the exact McNemar p.

    `a_only` and `b_only` count rows that only one of them has right.
    """

    difference: float
    low: float
    high: float
    p: float
    mcnemar: float
    a_only: int
    b_only: int
    n: int


def paired(a: Sequence[bool], b: Sequence[bool], clusters: Sequence[Hashable] | None, seed: int, resamples: int) -> Paired:
    """Compare right/wrong of two systems row by row; the bootstrap draws the same rows for both."""
    gap = [float(left) - float(right) for left, right in zip(a, b, strict=True)]
    a_only, b_only = sum(value > 0 for value in gap), sum(value < 0 for value in gap)
    if not gap:
        return Paired(0.0, 0.0, 0.0, 1.0, 1.0, 0, 0, 0)
    top, bottom = _by_cluster(gap, clusters), _by_cluster([1.0] * len(gap), clusters)
    draws = _resampled(top, bottom, seed, resamples)
    low, high = _percentiles(draws)
    # the share of resamples on the far side of 0, counted with one more so that p is never 0
    tail = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (resamples + 1))
    return Paired(sum(gap) / len(gap), low, high, p, mcnemar(a_only, b_only), a_only, b_only, len(gap))


def mcnemar(a_only: int, b_only: int) -> float:
    """Two-sided exact McNemar test: the binomial probability of a split at least as uneven, 1 without discordant rows."""
    n, k = a_only + b_only, min(a_only, b_only)
    if n == 0:
        return 1.0
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def _by_cluster(values: Sequence[float], clusters: Sequence[Hashable] | None) -> Floats:
    if clusters is None:
        return np.asarray(values, dtype=np.float64)
    sums: dict[Hashable, float] = {}
    for cluster, value in zip(clusters, values, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
    return np.asarray(list(sums.values()), dtype=np.float64)


def _resampled(top: Floats, bottom: Floats, seed: int, resamples: int) -> Floats:
    draws = np.random.default_rng(seed).integers(0, len(top), size=(resamples, len(top)))
    return _ratio(top[draws].sum(axis=1), bottom[draws].sum(axis=1))


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)


def _percentiles(draws: Floats) -> tuple[float, float]:
    low, high = np.percentile(draws, [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2])
    return float(low), float(high)
