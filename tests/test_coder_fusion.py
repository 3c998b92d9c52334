"""Fusion and confidence: weights that validation asks for, and probabilities that mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thce.coder import calibrate, fusion
from thce.coder.fusion import EMPTY, MODEL, NAMED, PRIOR, UNNAMED, Fusion, combine, highest
from thce.coder.several import MEASURES
from thce.coder.several import load as load_several
from thce.errors import UserError
from thce.files import write_json

pytestmark = pytest.mark.unit

ROWS, LABELS = 400, 6


def drawn(sharpness: float, seed: int, truth: np.ndarray) -> np.ndarray:
    """Log-probabilities that lean to the truth, as sharp as told: overconfident where `sharpness` exceeds 1."""
    noise = np.random.default_rng(seed).normal(size=(ROWS, LABELS))
    noise[np.arange(ROWS), truth] += 1.5
    # a label with one more standard normal and a lead of 1.5 is right with softmax(1.5 x score)
    return combine({MODEL: noise * 1.5 * sharpness}, {MODEL: 1.0}, 0.0)


TRUTH = np.random.default_rng(0).integers(0, LABELS, ROWS)
GOLD = [[int(label)] for label in TRUTH]


def test_a_fused_row_is_a_distribution_and_the_bias_moves_no_code_alone() -> None:
    scores = drawn(1.0, 1, TRUTH)
    plain = combine({MODEL: scores}, {MODEL: 0.7}, 0.0)
    moved = combine({MODEL: scores}, {MODEL: 0.7}, 2.0)
    assert np.allclose(np.exp(plain).sum(axis=1), 1) and np.allclose(np.exp(moved).sum(axis=1), 1)
    shift = moved - plain
    assert np.allclose(shift[:, -1:] - shift[:, :-1], 2.0)


@given(st.lists(st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 0.5]), min_size=1, max_size=12), st.integers(1, 14))
def test_the_highest_come_first_and_of_equal_ones_the_first(scores: list[float], count: int) -> None:
    best = highest(np.array(scores), count).tolist()
    assert best == sorted(range(len(scores)), key=lambda number: (-scores[number], number))[:count]


def test_ruled_out_codes_stay_ruled_out() -> None:
    scores = np.log(np.array([0.5, 0.3, 0.2]))
    scores[1] = -np.inf
    fused = Fusion({MODEL: 1.0, PRIOR: 2.0}, 0.5, (), 0.0).fuse({MODEL: scores, PRIOR: scores})
    assert fused[1] == -np.inf and np.exp(fused).sum() == pytest.approx(1)


def test_an_overconfident_source_is_cooled_and_a_useless_one_dropped() -> None:
    sharp = drawn(4.0, 1, TRUTH)
    useless = drawn(1.0, 2, np.random.default_rng(5).integers(0, LABELS, ROWS))
    weights, bias = calibrate.fit_weights({MODEL: sharp, PRIOR: useless}, np.eye(LABELS, dtype=bool)[TRUTH])
    assert 0.15 < weights[MODEL] < 0.4
    assert weights[PRIOR] < 0.15
    assert abs(bias) < 1


def test_two_independent_sources_are_better_than_either() -> None:
    sources = {MODEL: drawn(1.0, 1, TRUTH), PRIOR: drawn(1.0, 2, TRUTH)}
    found = calibrate.fit_mode(sources, GOLD, 0.9).metrics
    assert found["accuracy"]["fused"] > max(found["accuracy"][MODEL], found["accuracy"][PRIOR])
    assert found["log_loss"]["fused"] < min(found["log_loss"][MODEL], found["log_loss"][PRIOR])


def test_confidence_is_calibrated_and_the_threshold_keeps_its_promise() -> None:
    fitted = calibrate.fit_mode({MODEL: drawn(3.0, 1, TRUTH)}, GOLD, 0.9)
    assert fitted.metrics["calibration"]["ece_after"] < 0.06
    assert fitted.metrics["precision"] >= 0.9 and 0 < fitted.metrics["coverage"] < 1


def test_an_isotonic_curve_rises_and_never_says_never() -> None:
    at = np.linspace(0, 1, 50)
    curve = calibrate.isotonic(at, at > 0.6)
    values = [value for _, value in curve]
    assert values == sorted(values) and values[0] > 0 and values[-1] < 1
    mapped = Fusion({MODEL: 1.0}, 0.0, curve, 0.5)
    assert mapped.confidence(0.0) < 0.1 < 0.9 < mapped.confidence(1.0)


def test_the_threshold_takes_rows_of_equal_confidence_together() -> None:
    sure = np.array([0.9, 0.8, 0.8, 0.7])
    assert calibrate.least_confidence(sure, np.array([True, True, False, True]), 0.5) == pytest.approx(0.7, abs=1e-5)
    assert calibrate.least_confidence(sure, np.array([True, True, False, False]), 0.9) == pytest.approx(0.9, abs=1e-5)
    assert calibrate.least_confidence(sure, np.zeros(4, bool), 0.9) > 1


def test_the_threshold_takes_off_one_standard_error() -> None:
    sure = np.linspace(1.0, 0.5, 100)
    right = np.arange(100) % 20 != 19  # 95 of 100, whatever the confidence
    assert calibrate.least_confidence(sure, right, 0.95) > sure[25]
    assert calibrate.least_confidence(sure, right, 0.92) == pytest.approx(0.5, abs=1e-5)  # 0.95 less 0.022


def test_each_ground_keeps_the_promise_by_itself() -> None:
    stands = np.array([NAMED] * 100 + [UNNAMED] * 100 + [EMPTY] * 5)
    sure = np.concatenate([np.linspace(0.5, 1.0, 100), np.linspace(0.5, 1.0, 100), np.full(5, 0.9)])
    right = np.concatenate([np.ones(100, bool), np.arange(100) >= 60, np.ones(5, bool)])
    overall, found = calibrate._thresholds(sure, right, stands, 0.9)
    assert set(found) == {NAMED, UNNAMED}  # five rows are too few for a threshold of their own
    assert found[UNNAMED] > found[NAMED] == overall
    kept = (stands == UNNAMED) & (sure >= found[UNNAMED])
    assert right[kept].mean() >= 0.9 and kept.sum() > 40
    assert calibrate._thresholds(sure, np.zeros(205, bool), stands, 0.9)[1][UNNAMED] > 1


def test_an_answer_is_asked_for_the_confidence_of_its_ground() -> None:
    one = Fusion({}, 0.0, (), 0.8, {}, {NAMED: 0.6})
    assert (one.least(NAMED), one.least(UNNAMED)) == (0.6, 0.8)


def test_the_calibration_error_is_the_mean_gap() -> None:
    sure, right = np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, False, False, False])
    assert calibrate.expected_error(sure, right) == pytest.approx((0.8 + 0.2) / 4)
    assert calibrate.expected_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


def test_without_fusion_the_model_stands_alone() -> None:
    assert calibrate.source_names(True, False) == (MODEL,)
    assert PRIOR in calibrate.source_names(False, True)


def test_a_calibration_of_an_earlier_version_says_how_to_mend_it(tmp_path: Path) -> None:
    part = {"weights": {MODEL: 1.0}, "none_bias": 0.0, "curve": [], "threshold": 0.5, "grounds": {}}
    several = {"weights": dict.fromkeys(MEASURES, 1.0), "bias": 0.0, "least": 0.5}
    older = several | {"weights": {"piece": 1.0, "model": 1.0, "words": 1.0}, "longest": 40, "doubt": 1.01}
    for stored in (part, part | {"thresholds": {}, "several": several}, part | {"thresholds": {}, "several": older}):
        write_json(tmp_path / fusion.SETTINGS, {"params": {}, "direct": stored})
        with pytest.raises(UserError, match=r"coder\.json: lacks `(thresholds|longest|listed)`; run `dvc repro calibrate`"):
            fusion.load(tmp_path)
            load_several(tmp_path)


def test_a_folder_without_calibration_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make repro"):
        fusion.load(tmp_path)
