"""Does the confidence mean something? Pure functions on (confidence, right)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from thce.evaluation.metrics import mean


class Bin(NamedTuple):
    """One bin of the reliability diagram."""

    n: int
    confidence: float
    accuracy: float


def equal_width(confidence: Sequence[float], right: Sequence[bool], bins: int) -> list[Bin]:
    """Non-empty bins of equal width over 0 to 1; a value on an inner edge belongs to the bin above, 1 to the last."""
    filled: dict[int, list[tuple[float, bool]]] = {}
    for value, hit in zip(confidence, right, strict=True):
        filled.setdefault(min(int(value * bins), bins - 1), []).append((value, hit))
    return [_bin(filled[index]) for index in sorted(filled)]


def equal_mass(confidence: Sequence[float], right: Sequence[bool], bins: int) -> list[Bin]:
    """At most `bins` bins of about equal numbers of rows, by rising confidence: the adaptive form, for skewed confidences.

    Rows of equal confidence stay in one bin: splitting them would sort them by something that has no meaning, and an order
    by outcome would invent a gap.
    """
    rows = sorted(zip(confidence, right, strict=True), key=lambda row: row[0])
    found: list[Bin] = []
    part: list[tuple[float, bool]] = []
    for _, ties in groupby(rows, key=lambda row: row[0]):
        part += ties
        if len(part) * bins >= len(rows):
            found.append(_bin(part))
            part = []
    return [*found, _bin(part)] if part else found


def _bin(rows: Sequence[tuple[float, bool]]) -> Bin:
    return Bin(len(rows), mean([value for value, _ in rows]), mean([hit for _, hit in rows]))


def expected_error(bins: Sequence[Bin]) -> float:
    """ECE: mean over rows of the gap between confidence and accuracy of their bin."""
    total = sum(part.n for part in bins)
    return sum(part.n * abs(part.confidence - part.accuracy) for part in bins) / total if total else 0.0


def brier(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Mean squared gap between confidence and outcome."""
    return mean([(value - hit) ** 2 for value, hit in zip(confidence, right, strict=True)])


def log_loss(confidence: Sequence[float], right: Sequence[bool], floor: float = 1e-6) -> float:
    """Mean negative log-likelihood of the outcome, probabilities kept `floor` away from 0 and 1."""
    kept = [min(max(value, floor), 1 - floor) for value in confidence]
    return mean([-math.log(value if hit else 1 - value) for value, hit in zip(kept, right, strict=True)])


class Point(NamedTuple):
    """One threshold: answer where confidence >= threshold."""

    threshold: float
    coverage: float
    risk: float


def risk_coverage(confidence: Sequence[float], right: Sequence[bool]) -> list[Point]:
    """The error rate among answered rows at every distinct threshold, most confident first."""
    points: list[Point] = []
    done = wrong = 0
    for value, rows in _ties(confidence, right):
        done, wrong = done + len(rows), wrong + rows.count(False)
        points.append(Point(value, done / len(confidence), wrong / done))
    return points


def aurc(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Area under the risk-coverage curve: the risk among the k most confident rows, averaged over k = 1 to n.

    Among rows of equal confidence the order has no meaning; they count with their expected errors.
    """
    risks: list[float] = []
    done = wrong = 0
    for _, rows in _ties(confidence, right):
        errors = rows.count(False)
        risks += [(wrong + errors * step / len(rows)) / (done + step) for step in range(1, len(rows) + 1)]
        done, wrong = done + len(rows), wrong + errors
    return mean(risks)


def coverage_at(confidence: Sequence[float], right: Sequence[bool], precision: float) -> float:
    """The largest share of rows that can be answered with at least this precision; 0 when no threshold reaches it.

    The threshold is read off the same rows, so this is what the ranking allows at best, not what a threshold fitted on
    other rows will give.
    """
    reached = [point.coverage for point in risk_coverage(confidence, right) if 1 - point.risk >= precision - 1e-12]
    return max(reached, default=0.0)


def _ties(confidence: Sequence[float], right: Sequence[bool]) -> list[tuple[float, list[bool]]]:
    rows = sorted(zip(confidence, right, strict=True), key=lambda row: -row[0])
    return [(value, [bool(hit) for _, hit in group]) for value, group in groupby(rows, key=lambda row: row[0])]
