"""The losses of a domain classifier and of two heads, in NumPy."""

import numpy as np
import pytest

from tftransfer.losses import ClassBalanceLoss
from tftransfer.losses import ClassifierDiscrepancyLoss
from tftransfer.losses import ConfusionLoss
from tftransfer.losses import DomainLoss
from tftransfer.losses import domain_accuracy

SOURCE = np.array([[-2.0], [0.5], [1.0]])
TARGET = np.array([3.0])


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def test_each_domain_counts_half_whatever_its_rows():
    expected = -(log_sigmoid(-SOURCE).mean() + log_sigmoid(TARGET).mean()) / 2
    assert float(DomainLoss()(SOURCE, TARGET)) == pytest.approx(expected, rel=1e-6)


def test_rows_may_have_weights():
    weights = np.array([3.0, 0.0, 0.0]), np.array([1.0])
    expected = -(log_sigmoid(2.0) + log_sigmoid(3.0)) / 2
    found = DomainLoss()(SOURCE, TARGET, weights)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_confusion_is_the_cross_entropy_with_undecided():
    def undecided(x):
        return -(log_sigmoid(x) + log_sigmoid(-x)).mean() / 2

    expected = (undecided(SOURCE) + undecided(TARGET)) / 2
    assert float(ConfusionLoss()(SOURCE, TARGET)) == pytest.approx(expected, rel=1e-6)
    assert float(ConfusionLoss()([0.0], [0.0])) == pytest.approx(np.log(2))


def test_accuracy_counts_each_domain_half():
    assert float(domain_accuracy(SOURCE, TARGET)) == pytest.approx((1 / 3 + 1) / 2)


def test_discrepancy_is_the_mean_over_rows_and_classes():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 3))
    each = [np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (a, b)]
    expected = np.abs(each[0] - each[1]).mean()
    assert float(ClassifierDiscrepancyLoss()(a, b)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shares", [[1 / 3, 1 / 3, 1 / 3], [0.7, 0.3, 0.0]])
def test_balance_is_the_divergence_of_the_mean_prediction_from_the_shares(shares):
    logits = np.random.default_rng(0).normal(size=(5, 3))
    rows = [np.exp(x) / np.exp(x).sum() for x in logits]
    means = [sum(row[c] for row in rows) / 5 for c in range(3)]
    expected = sum(s * np.log(s / q) for s, q in zip(shares, means) if s)
    found = float(ClassBalanceLoss()(shares, logits))
    assert found == pytest.approx(expected, rel=1e-4)
    assert np.isfinite(float(ClassBalanceLoss()(shares, 1e4 * logits)))


@pytest.mark.parametrize(
    ("shares", "options"),
    [(np.ones(2) / 2, {}), (np.ones(3) / 3, {"sample_weight": np.ones(5)})],
)
def test_balance_refuses_other_classes_and_weights(shares, options):
    with pytest.raises(ValueError, match=r"(?s)Expected shares.*Received.*\(5, 3\)"):
        ClassBalanceLoss()(shares, np.zeros((5, 3)), **options)


def test_accuracy_without_rows_of_one_domain_is_that_of_the_other():
    assert float(domain_accuracy(np.zeros((0, 1)), TARGET)) == 1
    assert float(domain_accuracy(SOURCE, np.zeros((0, 1)))) == pytest.approx(1 / 3)
    assert float(domain_accuracy(np.zeros((0, 1)), np.zeros((0, 1)))) == 0
