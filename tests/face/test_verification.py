"""Verification scores equal to NumPy loops, scikit-learn and SciPy."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from tftransfer.face import SimilarityCalibration
from tftransfer.face import best_threshold
from tftransfer.face import equal_error_rate
from tftransfer.face import pairs_needed
from tftransfer.face import roc
from tftransfer.face import tar_at_far
from tftransfer.face import ten_fold_accuracy
from tftransfer.face import threshold_at_far


def _pairs(count=400, *, decimals=2, seed=0, apart=1.5):
    """Draw similarities of two overlapping kinds, with ties."""
    random = np.random.default_rng(seed)
    same = random.random(count) < 0.4
    similarities = random.normal(apart * same) / 4
    return similarities.round(decimals), same


def _rates(similarities, same, threshold):
    accepted = similarities >= threshold
    return accepted[~same].mean(), accepted[same].mean()


def test_roc_is_scikit_learns():
    similarities, same = _pairs()
    curve = roc(similarities, same)
    far, tar, thresholds = metrics.roc_curve(
        same, similarities, drop_intermediate=False
    )
    np.testing.assert_allclose(curve.far, far)
    np.testing.assert_allclose(curve.tar, tar)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert curve.area == pytest.approx(metrics.roc_auc_score(same, similarities))
    for place in range(0, len(thresholds), 7):
        rates = _rates(similarities, same, curve.thresholds[place])
        assert (curve.far[place], curve.tar[place]) == pytest.approx(rates)


def test_equal_error_rate_of_two_normals():
    """Two normals of unit width, 2 apart: Phi(-1) at the middle."""
    grid = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = equal_error_rate(np.r_[grid, grid + 2], np.repeat([False, True], 4000))
    assert found.rate == pytest.approx(stats.norm.cdf(-1), abs=3e-4)
    assert found.threshold == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_equal_error_rate_lies_between_its_neighbours(seed):
    similarities, same = _pairs(60, decimals=1, seed=seed)
    found = equal_error_rate(similarities, same)
    rates = [_rates(similarities, same, t) for t in np.unique(similarities)]
    least = min(max(far, 1 - tar) for far, tar in [*rates, (0, 0), (1, 1)])
    most = max(min(far, 1 - tar) for far, tar in [*rates, (0, 0), (1, 1)])
    assert most - 1e-12 <= found.rate <= least + 1e-12


def test_equal_error_rates_that_are_known():
    assert equal_error_rate([3, 2, 1, 0], [1, 1, 0, 0]).rate == 0
    assert equal_error_rate([0, 1, 2, 3], [1, 1, 0, 0]).rate == 1
    assert equal_error_rate([0.5] * 4, [1, 1, 0, 0]).rate == 0.5
    assert math.isfinite(equal_error_rate([0.5] * 4, [1, 1, 0, 0]).threshold)


@pytest.mark.parametrize("far", [0.0, 0.001, 0.01, 0.05, 0.3, 1.0])
def test_tar_at_far_is_the_best_of_all_thresholds(far):
    similarities, same = _pairs()
    rates = [_rates(similarities, same, t) for t in [*np.unique(similarities), np.inf]]
    expected = max(tar for measured, tar in rates if measured <= far)
    assert tar_at_far(similarities, same, far) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("far", [0.29, 0.1, 0.05])
def test_threshold_at_far(far, seed):
    similarities, same = _pairs(200, seed=seed)
    found = threshold_at_far(similarities, same, far, confidence=0.9)
    measured = _rates(similarities, same, found.threshold)
    assert (found.far, found.tar) == pytest.approx(measured)
    assert found.far <= far + 1e-12
    assert found.tar == pytest.approx(tar_at_far(similarities, same, far))
    false = round(found.far * found.impostor_pairs)
    exact = stats.binomtest(false, found.impostor_pairs).proportion_ci(0.9, "exact")
    assert found.far_interval == pytest.approx((exact.low, exact.high))
    true = round(found.tar * found.genuine_pairs)
    exact = stats.binomtest(true, found.genuine_pairs).proportion_ci(0.9, "exact")
    assert found.tar_interval == pytest.approx((exact.low, exact.high))


def test_an_exact_share_is_reached():
    """0.29 of 100 pairs is 29 pairs, though 0.29 * 100 is less in floating point."""
    similarities = np.r_[np.arange(100.0), np.arange(100.0) + 0.5]
    found = threshold_at_far(similarities, np.repeat([0, 1], 100), 0.29)
    assert found.far == 0.29


def test_thresholds_hold_for_float32_similarities():
    """What rounding to float32 can move is on the same side of the threshold."""
    random = np.random.default_rng(0)
    similarities = random.random(400).astype("float32")
    same = np.arange(400) % 2 == 0
    found = threshold_at_far(similarities, same, 0.25)
    above = similarities >= np.float32(found.threshold)
    assert above[~same].mean() == found.far


def test_a_rate_that_cannot_be_measured_is_refused():
    similarities, same = _pairs(100)
    impostors = int((~same).sum())
    with pytest.raises(ValueError, match=rf"1/{impostors} or more.*1000 such pairs"):
        threshold_at_far(similarities, same, 0.001)
    assert threshold_at_far(similarities, same, 1 / impostors).far <= 1 / impostors


def test_too_few_pairs_are_told():
    similarities, same = _pairs(200)
    assert "3000 pairs of different people" in str(
        threshold_at_far(similarities, same, 0.01)
    )
    similarities, same = _pairs(20_000, decimals=6)
    assert "may be above" not in str(threshold_at_far(similarities, same, 0.1))


@pytest.mark.parametrize("far", [1.0, 0.1, 0.03, 0.001, 1e-6])
def test_pairs_needed_see_thirty_errors(far):
    if far == 1.0:
        with pytest.raises(ValueError, match="below 1"):
            pairs_needed(far)
        return
    assert pairs_needed(far) * far >= 30 - 1e-9
    assert (pairs_needed(far) - 1) * far < 30
    # The rule itself: within 30 %, nine times in ten.
    pairs = pairs_needed(far)
    inside = np.diff(stats.binom.cdf([21, 39], pairs, far))[0]
    assert inside == pytest.approx(0.9, abs=0.02)


def _loop_folds(similarities, same, folds):
    """View 2: the threshold from the other folds, tried one by one."""
    accuracies = []
    for scored in np.array_split(np.arange(len(same)), folds):
        rest = np.setdiff1d(np.arange(len(same)), scored)
        values = np.unique(similarities[rest])
        middles = [values[0] - 1, *(values[1:] + values[:-1]) / 2, values[-1] + 1]
        right = [np.mean((similarities[rest] >= t) == same[rest]) for t in middles]
        best = [t for t, r in zip(middles, right) if r == max(right)]
        accuracies.append(
            {np.mean((similarities[scored] >= t) == same[scored]) for t in best}
        )
    return accuracies


def test_ten_folds():
    similarities, same = _pairs(600)
    found = ten_fold_accuracy(similarities, same)
    possible = _loop_folds(similarities, same, 10)
    assert len(found.accuracies) == len(possible) == 10
    for accuracy, among in zip(found.accuracies, possible, strict=True):
        assert accuracy in among
    assert found.mean == pytest.approx(np.mean(found.accuracies))
    assert found.standard_error == pytest.approx(stats.sem(found.accuracies))
    for fold, threshold in enumerate(found.thresholds):
        scored = slice(60 * fold, 60 * fold + 60)
        decided = similarities[scored] >= threshold
        assert found.accuracies[fold] == np.mean(decided == same[scored])


def test_folds_by_number():
    similarities, same = _pairs(90)
    numbers = np.arange(90) % 3
    order = np.argsort(numbers, kind="stable")
    found = ten_fold_accuracy(similarities, same, numbers)
    sorted_ = ten_fold_accuracy(similarities[order], same[order], 3)
    np.testing.assert_array_equal(found.accuracies, sorted_.accuracies)


def test_a_fold_never_chooses_its_own_threshold():
    """A fold that alone is shifted is scored by the others' threshold."""
    similarities = np.tile([0.8, 0.2], 50)
    similarities[:10] += 10
    found = ten_fold_accuracy(similarities, np.tile([True, False], 50))
    assert found.accuracies.tolist() == [0.5] + [1.0] * 9


@pytest.mark.parametrize("seed", range(3))
def test_best_threshold(seed):
    similarities, same = _pairs(50, seed=seed)
    threshold = best_threshold(similarities, same)
    right = np.mean((similarities >= threshold) == same)
    tried = [*np.unique(similarities), np.inf]
    assert right == max(np.mean((similarities >= t) == same) for t in tried)


@pytest.mark.parametrize("score", [roc, equal_error_rate, ten_fold_accuracy])
def test_bad_pairs(score):
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        score([1, 2, 3], [1, 0, 1, 0])
    with pytest.raises(ValueError, match="finite"):
        score([1, np.nan], [1, 0])
    with pytest.raises(ValueError, match="2 of the same person"):
        score([1, 2], [1, 1])
    with pytest.raises(ValueError, match="booleans"):
        score([1, 2], [1, 2])


def test_bad_folds_and_rates():
    similarities, same = _pairs(90)
    for folds in (1, 7, np.zeros(90), np.arange(3)):
        with pytest.raises(ValueError, match="fold"):
            ten_fold_accuracy(similarities, same, folds)
    for far in (0, 1, -0.1, np.nan):
        with pytest.raises(ValueError, match="far"):
            threshold_at_far(similarities, same, far)


def test_calibration_is_logistic_regression_with_platts_targets():
    similarities, same = _pairs(500)
    found = SimilarityCalibration.fit(similarities, same)
    pairs = np.where(same, same.sum(), (~same).sum())
    target = np.where(same, 1 - 1 / (pairs + 2), 1 / (pairs + 2))
    # A soft target is a row of each class, weighted.
    weights = np.r_[target / pairs, (1 - target) / pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(
            np.tile(similarities, 2)[:, None],
            np.repeat([1, 0], len(same)),
            weights * len(same),
        )
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=1e-3)
    assert found.intercept == pytest.approx(model.intercept_[0], rel=1e-3)
    expected = model.predict_proba(similarities[:, None])[:, 1]
    np.testing.assert_allclose(found.probability(similarities), expected, atol=1e-4)


def test_calibration_finds_the_true_likelihood_ratio():
    """Normals of width s at m1, m0: slope (m1 - m0) / s^2, zero in the middle."""
    random = np.random.default_rng(0)
    similarities = np.r_[random.normal(0.5, 0.2, 4000), random.normal(0, 0.2, 40_000)]
    found = SimilarityCalibration.fit(similarities, np.repeat([1, 0], [4000, 40_000]))
    assert found.slope == pytest.approx(0.5 / 0.04, rel=0.05)
    assert found.log_likelihood_ratio(0.25) == pytest.approx(0, abs=0.1)
    assert found.probability(0.25) == pytest.approx(0.5, abs=0.03)
    assert found.probability(0.25, prior=0.1) == pytest.approx(0.1, abs=0.01)


def test_calibration_of_separate_kinds_is_finite():
    found = SimilarityCalibration.fit([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0])
    assert 0 < found.slope < 100
    with pytest.raises(ValueError, match="distances"):
        SimilarityCalibration.fit([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0])
    with pytest.raises(ValueError, match="prior"):
        found.probability([0.5], prior=1)
