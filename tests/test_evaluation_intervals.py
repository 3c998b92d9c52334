"""Bootstrap intervals and paired tests."""

from __future__ import annotations

import random

import pytest

from thce.evaluation import intervals

pytestmark = pytest.mark.unit


def test_an_interval_holds_its_value_and_is_the_same_for_the_same_seed() -> None:
    values = [1.0] * 30 + [0.0] * 70
    found = intervals.mean_interval(values, None, 5, 500)
    assert found.value == 0.3 and found.n == 100
    assert found.low < 0.3 < found.high
    assert found == intervals.mean_interval(values, None, 5, 500)
    assert found != intervals.mean_interval(values, None, 6, 500)


def test_the_interval_of_independent_rows_is_about_the_normal_one() -> None:
    found = intervals.mean_interval([1.0, 0.0] * 200, None, 1, 2000)
    half = 1.96 * (0.25 / 400) ** 0.5
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)


def test_rows_of_one_cluster_count_as_one_observation() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = intervals.mean_interval(values, None, 1, 500)
    together = intervals.mean_interval(values, [number // 10 for number in range(100)], 1, 500)
    assert together.value == alone.value and together.n == 100
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_nothing_is_zero_and_equal_values_have_no_width() -> None:
    assert intervals.mean_interval([], None, 1, 100) == (0.0, 0.0, 0.0, 0)
    assert intervals.mean_interval([], [], 1, 100) == (0.0, 0.0, 0.0, 0)
    assert intervals.mean_interval([1.0] * 5, None, 1, 100) == (1.0, 1.0, 1.0, 5)


def test_a_ratio_of_sums() -> None:
    found = intervals.ratio_interval([2.0, 0.0], [3.0, 1.0], None, 1, 200)
    assert found.value == 0.5
    assert intervals.ratio_interval([0.0], [0.0], None, 1, 100)[:3] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("a_only", "b_only", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024), (10, 0, 2 / 1024)],
)
def test_mcnemar(a_only: int, b_only: int, p: float) -> None:
    assert intervals.mcnemar(a_only, b_only) == pytest.approx(p)


def test_scipy_agrees_with_the_exact_test() -> None:
    from scipy.stats import binomtest

    for a_only, b_only in ((3, 11), (20, 31), (7, 6)):
        expected = binomtest(a_only, a_only + b_only, 0.5).pvalue
        assert intervals.mcnemar(a_only, b_only) == pytest.approx(expected, abs=1e-9)


def test_a_clear_difference_is_found_and_none_is_not() -> None:
    better = [True] * 80 + [False] * 20
    worse = [True] * 50 + [False] * 50
    found = intervals.paired(better, worse, None, 1, 1000)
    assert found.difference == pytest.approx(0.3) and found.low > 0 and found.p < 0.01 and found.mcnemar < 0.001
    assert (found.a_only, found.b_only, found.n) == (30, 0, 100)
    same = intervals.paired(better, better, list(range(100)), 1, 1000)
    assert same[:6] == (0.0, 0.0, 0.0, 1.0, 1.0, 0)
    back = intervals.paired(worse, better, None, 1, 1000)
    assert back.difference == -found.difference and back.high < 0


def test_no_rows_tell_nothing_apart() -> None:
    assert intervals.paired([], [], None, 1, 100) == (0.0, 0.0, 0.0, 1.0, 1.0, 0, 0, 0)


def test_the_interval_covers_the_truth_about_95_times_in_100() -> None:
    chance = random.Random(11)
    covered = 0
    for seed in range(200):
        values = [float(chance.random() < 0.4) for _ in range(80)]
        found = intervals.mean_interval(values, None, seed, 300)
        covered += found.low <= 0.4 <= found.high
    assert 178 <= covered <= 199
