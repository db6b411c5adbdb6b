import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix
from sklearn.metrics import precision_recall_fscore_support

from tftransfer.report import calibration
from tftransfer.report import wilson_interval
from tftransfer.report.metrics import class_scores
from tftransfer.report.metrics import percent


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (8, 10), (0, 50), (50, 50), (997, 1000)]
)
def test_the_interval_is_scipys(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    found = wilson_interval(successes, trials)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_by_hand():
    """Newcombe, Statistics in Medicine 1998, table I: 81 of 263."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_class_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 4, (2, 200))
    names = ["a", "b", "c", "d"]
    rows = class_scores(confusion_matrix(labels, predicted), names)
    expected = precision_recall_fscore_support(labels, predicted)
    assert [row.name for row in rows] == names
    for row, precision, recall, f1, support in zip(rows, *expected):
        assert (row.precision, row.recall, row.f1) == pytest.approx(
            (precision, recall, f1)
        )
        assert row.support == support
        assert row.predicted == np.sum(predicted == names.index(row.name))


def test_shares_of_nothing_are_nan():
    confusion = np.array([[0, 2, 0], [0, 5, 0], [0, 0, 0]])
    never_found, found, absent = class_scores(confusion, "xyz")
    assert math.isnan(never_found.precision)
    assert (never_found.recall, never_found.f1) == (0, 0)
    assert found.f1 == pytest.approx(10 / 12)
    assert all(map(math.isnan, (absent.precision, absent.recall, absent.f1)))


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_that_of_a_loop(bins):
    rng = np.random.default_rng(0)
    confidence = np.append(rng.uniform(0.2, 1, 400), [0.0, 1.0, 1 / 3, 0.4])
    right = rng.uniform(size=404) < confidence**2
    found = calibration(confidence, right, bins=bins)
    expected = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            i
            for i, value in enumerate(confidence)
            if low < value <= high or (number == 0 and value == 0)
        ]
        assert found.counts[number] == len(inside)
        if not inside:
            assert np.isnan(found.accuracy[number])
            continue
        stated = sum(confidence[i] for i in inside) / len(inside)
        observed = sum(bool(right[i]) for i in inside) / len(inside)
        assert found.confidence[number] == pytest.approx(stated)
        assert found.accuracy[number] == pytest.approx(observed)
        expected += len(inside) / 404 * abs(observed - stated)
    assert found.error == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(found.edges, np.linspace(0, 1, bins + 1))


def test_a_perfectly_calibrated_model_has_no_error():
    assert calibration(np.ones(5, "float32"), np.ones(5, bool)).error == 0
    assert calibration(np.ones(5), np.zeros(5, bool)).error == 1
    assert calibration(np.zeros(0), np.zeros(0, bool)).error == 0


def test_percent():
    assert [percent(share) for share in (0.957, 1.0, math.nan)] == [
        "95.7%",
        "100.0%",
        "-",
    ]
