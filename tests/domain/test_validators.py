import warnings

import numpy as np
import pytest
from scipy.special import softmax

from tftransfer.domain import dev_risk
from tftransfer.domain import importance_weights
from tftransfer.domain import oracle_accuracy
from tftransfer.domain import reweighted_risk
from tftransfer.domain import soft_neighbourhood_density
from tftransfer.domain import target_entropy
from tftransfer.domain import validators


def _probabilities(m=11, classes=4, seed=0):
    logits = np.random.default_rng(seed).normal(size=(m, classes))
    return softmax(2 * logits, axis=1)


def test_entropy_equals_a_loop():
    rows = _probabilities()
    expected = np.mean([-sum(p * np.log(p) for p in row) for row in rows])
    assert target_entropy(rows) == pytest.approx(expected)
    assert target_entropy(np.eye(3)) == 0
    assert target_entropy(np.full((5, 4), 0.25)) == pytest.approx(np.log(4))


@pytest.mark.parametrize("block", [3, 1024])
def test_snd_equals_a_loop(block, monkeypatch):
    monkeypatch.setattr(validators, "_BLOCK", block)
    rows = _probabilities()
    entropies = []
    for i, row in enumerate(rows):
        unit = row / np.linalg.norm(row)
        others = [r / np.linalg.norm(r) for j, r in enumerate(rows) if j != i]
        shares = softmax(np.array([unit @ other for other in others]) / 0.05)
        entropies.append(-np.sum(shares * np.log(shares)))
    received = soft_neighbourhood_density(rows)
    assert received == pytest.approx(np.mean(entropies))


def test_snd_prefers_dense_clusters():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 25)
    sharp = softmax(9 * np.eye(4)[labels] + generator.normal(size=(100, 4)), axis=1)
    loose = softmax(3 * generator.normal(size=(100, 4)), axis=1)
    assert soft_neighbourhood_density(sharp) > soft_neighbourhood_density(loose)


def test_weights_are_the_ratio_of_densities():
    generator = np.random.default_rng(0)
    X, X_target = generator.normal(size=(4000, 1)), generator.normal(1, size=(2000, 1))
    weights = importance_weights(X, X_target)
    truth = np.exp(X[:, 0] - 0.5)  # N(1, 1) over N(0, 1)
    assert np.median(np.abs(np.log(weights / truth))) < 0.1
    assert weights.mean() == pytest.approx(1, abs=0.1)
    asked = importance_weights(X, X_target, X=np.array([[0.5], [1.5]]))
    np.testing.assert_allclose(asked, [1, np.e], rtol=0.1)


def test_separate_domains_leave_finite_weights():
    X = np.random.default_rng(0).normal(size=(40, 2))
    assert np.all(np.isfinite(importance_weights(X, X + 1e6)))


def test_weights_of_equal_domains_stay_near_one():
    # 60 features and 50 rows: a domain classifier with a fixed C = 1 overfits.
    X, X_target = np.random.default_rng(0).normal(size=(2, 50, 60))
    weights = importance_weights(X, X_target)
    assert np.abs(weights - 1).max() < 1
    assert np.abs(importance_weights(X, X_target, C=1.0) - 1).max() > 5


def test_risks_equal_their_formulas():
    generator = np.random.default_rng(0)
    losses, weights = generator.random(30), generator.random(30) * 2
    weighted = [loss * weight for loss, weight in zip(losses, weights)]
    assert reweighted_risk(losses, weights) == pytest.approx(np.mean(weighted))
    covariance = np.cov(weighted, weights)[0, 1]
    eta = -covariance / np.var(weights, ddof=1)
    expected = np.mean(weighted) + eta * np.mean(weights) - eta
    assert dev_risk(losses, weights) == pytest.approx(expected)


def test_reweighting_finds_the_targets_risk_and_dev_has_less_variance():
    # The loss grows with x and the target lies at larger x.
    generator = np.random.default_rng(0)
    plain, iwv, dev = [], [], []
    for _ in range(300):
        x = generator.normal(size=100)
        losses = 1 / (1 + np.exp(-x))
        weights = np.exp(x - 0.5)
        plain.append(losses.mean())
        iwv.append(reweighted_risk(losses, weights))
        dev.append(dev_risk(losses, weights))
    truth = np.mean(1 / (1 + np.exp(-generator.normal(1, size=200_000))))
    assert abs(np.mean(plain) - truth) > 0.15
    assert abs(np.mean(iwv) - truth) < 0.02
    assert abs(np.mean(dev) - truth) < 0.02
    assert np.std(dev) < 0.5 * np.std(iwv)


def test_the_oracle_takes_labels_in_a_column():
    y, answers = np.arange(20) % 5, np.zeros(20)
    for labels in (y, y[:, None]):
        for predicted in (answers, answers[:, None]):
            assert oracle_accuracy(labels, predicted) == 0.2
    assert oracle_accuracy(y[:, None], y) == 1.0
    with pytest.raises(ValueError, match="1d array"):
        oracle_accuracy(np.eye(5)[y], y)


def test_clear_errors():
    with pytest.raises(ValueError, match=r"rows sum to 1.*Apply a softmax"):
        target_entropy([[2.0, -1.0]])
    with pytest.raises(ValueError, match="rows sum to 1"):
        soft_neighbourhood_density(np.ones((4, 3)))
    with pytest.raises(ValueError, match="one shape"):
        dev_risk([0.0, 1.0], [1.0])


def test_dev_with_weights_that_differ_by_rounding_is_the_plain_mean():
    assert dev_risk([0, 1, 1], [0.1 + 0.2, 0.3, 0.3]) == pytest.approx(0.2)
    generator = np.random.default_rng(0)
    weights = 0.9 * (1 + 1e-9 * generator.normal(size=50))
    losses = generator.random(50)
    assert dev_risk(losses, weights) == pytest.approx(0.9 * losses.mean())


def test_domains_apart_are_warned_of_and_near_ones_are_not():
    X = np.random.default_rng(0).normal(size=(80, 2))
    with pytest.warns(UserWarning, match="Choose by 'information'"):
        importance_weights(X, X + 50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importance_weights(X, X[::2] + 0.1)


def test_labels_of_two_kinds_are_not_compared():
    with pytest.raises(ValueError, match=r"text and numbers, .*'0'.* beside"):
        oracle_accuracy(["0", "1"], [0, 1])
