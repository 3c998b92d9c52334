"""Confidence, risk and coverage, by hand and against scikit-learn."""

from __future__ import annotations

import math
import random

import pytest

from thce.evaluation import calibration
from thce.evaluation.calibration import Bin

pytestmark = pytest.mark.unit


def test_bins_of_equal_width_leave_empty_ones_out() -> None:
    found = calibration.equal_width([0.1, 0.2, 0.9, 1.0], [False, True, True, True], 2)
    assert found == [Bin(2, pytest.approx(0.15), 0.5), Bin(2, pytest.approx(0.95), 1.0)]


def test_a_value_on_an_inner_edge_belongs_to_the_bin_above() -> None:
    assert [part.n for part in calibration.equal_width([0.5, 0.49], [True, True], 2)] == [1, 1]


def test_equally_filled_bins_keep_ties_together() -> None:
    assert calibration.equal_mass([0.5] * 6, [True, False] * 3, 3) == [Bin(6, 0.5, 0.5)]
    found = calibration.equal_mass([0.1, 0.2, 0.3, 0.4], [False, False, True, True], 2)
    assert found == [Bin(2, pytest.approx(0.15), 0.0), Bin(2, pytest.approx(0.35), 1.0)]


def test_what_does_not_fill_a_bin_is_the_last_one() -> None:
    assert [part.n for part in calibration.equal_mass([0.1, 0.2, 0.3, 0.4, 0.5], [True] * 5, 2)] == [3, 2]


@pytest.mark.parametrize(
    ("confidence", "right", "ece"),
    [
        ([0.5, 0.5], [True, False], 0.0),
        ([1.0, 1.0], [True, False], 0.5),
        ([0.2, 0.9], [False, True], (0.2 + 0.1) / 2),
        ([], [], 0.0),
    ],
)
def test_expected_calibration_error(confidence: list[float], right: list[bool], ece: float) -> None:
    assert calibration.expected_error(calibration.equal_width(confidence, right, 10)) == pytest.approx(ece)


def test_brier_and_log_loss_by_hand() -> None:
    assert calibration.brier([0.8, 0.4], [True, False]) == pytest.approx((0.04 + 0.16) / 2)
    assert calibration.log_loss([0.8, 0.4], [True, False]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert calibration.log_loss([1.0], [False]) == pytest.approx(-math.log(1e-6))


def test_risk_at_every_distinct_threshold() -> None:
    found = calibration.risk_coverage([0.9, 0.5, 0.5, 0.1], [True, False, True, False])
    assert found == [(0.9, 0.25, 0.0), (0.5, 0.75, pytest.approx(1 / 3)), (0.1, 1.0, 0.5)]


@pytest.mark.parametrize(
    ("confidence", "right", "area"),
    [
        ([0.9, 0.8], [True, True], 0.0),
        ([0.9, 0.8], [False, False], 1.0),
        ([0.9, 0.8], [True, False], (0 + 1 / 2) / 2),
        ([0.9, 0.8], [False, True], (1 + 1 / 2) / 2),
        ([0.5, 0.5], [True, False], 0.5),  # either order is as likely
        ([], [], 0.0),
    ],
)
def test_area_under_the_risk_coverage_curve(confidence: list[float], right: list[bool], area: float) -> None:
    assert calibration.aurc(confidence, right) == pytest.approx(area)


def test_the_area_over_ties_is_the_mean_over_their_orders() -> None:
    from itertools import permutations

    orders = set(permutations([True, True, False]))
    areas = [calibration.aurc([0.9, 0.8, 0.7, 0.6], [True, *order]) for order in orders]
    assert calibration.aurc([0.9, 0.5, 0.5, 0.5], [True, True, True, False]) == pytest.approx(sum(areas) / len(areas))


@pytest.mark.parametrize(
    ("right", "precision", "coverage"),
    [
        ([True, True, True, False], 0.95, 0.75),
        ([True, True, True, False], 0.75, 1.0),
        ([False, True, True, True], 0.95, 0.0),
        ([False, True, True, True], 0.75, 1.0),  # precision may come back later on the curve
    ],
)
def test_coverage_at_a_precision(right: list[bool], precision: float, coverage: float) -> None:
    assert calibration.coverage_at([0.9, 0.8, 0.7, 0.6], right, precision) == coverage


def test_a_tie_is_answered_as_a_whole_or_not_at_all() -> None:
    assert calibration.coverage_at([0.9, 0.9], [True, False], 0.95) == 0.0
    assert calibration.coverage_at([], [], 0.95) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_scikit_learn_agrees(seed: int) -> None:
    from sklearn import metrics as reference
    from sklearn.calibration import calibration_curve

    chance = random.Random(seed)
    confidence = [chance.random() for _ in range(200)]
    right = [chance.random() < value for value in confidence]
    assert calibration.brier(confidence, right) == pytest.approx(reference.brier_score_loss(right, confidence), abs=1e-9)
    assert calibration.log_loss(confidence, right) == pytest.approx(reference.log_loss(right, confidence), abs=1e-9)
    accuracy, mean = calibration_curve(right, confidence, n_bins=7)
    found = calibration.equal_width(confidence, right, 7)
    assert [part.accuracy for part in found] == pytest.approx(list(accuracy), abs=1e-9)
    assert [part.confidence for part in found] == pytest.approx(list(mean), abs=1e-9)
