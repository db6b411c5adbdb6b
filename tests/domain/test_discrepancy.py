import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from tftransfer.domain import importance_weights
from tftransfer.domain import median_bandwidth
from tftransfer.domain import name_that_dataset
from tftransfer.domain import proxy_a_distance
from tftransfer.domain import squared_mmd

_MULTIPLIERS = (0.25, 0.5, 1.0, 2.0, 4.0)


def _samples(n=13, m=10, d=3, shift=0.7):
    generator = np.random.default_rng(0)
    return generator.normal(size=(n, d)), generator.normal(shift, size=(m, d))


def _k(a, b, bandwidth, multipliers=_MULTIPLIERS):
    return sum(np.exp(-np.sum((a - b) ** 2) / (bandwidth * c)) for c in multipliers)


def _looped(X, Z, estimator, bandwidth, multipliers=_MULTIPLIERS):
    def mean(A, B, same):
        values = [
            _k(a, b, bandwidth, multipliers)
            for i, a in enumerate(A)
            for j, b in enumerate(B)
            if not (same and i == j)
        ]
        return np.mean(values)

    own = estimator == "unbiased"
    return mean(X, X, own) + mean(Z, Z, own) - 2 * mean(X, Z, False)


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize("multipliers", [_MULTIPLIERS, (1.0,), (0.3, 1.7)])
@pytest.mark.parametrize("block", [4, 1024])
def test_quadratic_estimators_equal_double_loops(
    estimator, multipliers, block, monkeypatch
):
    monkeypatch.setattr("tftransfer.domain.discrepancy._BLOCK", block)
    X, Z = _samples()
    received = squared_mmd(
        X, Z, estimator=estimator, bandwidth=1.3, multipliers=multipliers
    )
    expected = _looped(X, Z, estimator, 1.3, multipliers)
    np.testing.assert_allclose(received, expected, rtol=1e-10)


def test_linear_estimator_equals_a_loop_over_disjoint_quadruples():
    X, Z = _samples()
    values = []
    for i in range(5):
        x1, x2, z1, z2 = X[2 * i], X[2 * i + 1], Z[2 * i], Z[2 * i + 1]
        values.append(
            _k(x1, x2, 1.3) + _k(z1, z2, 1.3) - _k(x1, z2, 1.3) - _k(x2, z1, 1.3)
        )
    received = squared_mmd(X, Z, estimator="linear", bandwidth=1.3)
    np.testing.assert_allclose(received, np.mean(values), rtol=1e-12)


def test_equal_samples_have_no_biased_discrepancy():
    X, _ = _samples()
    assert abs(squared_mmd(X, X, estimator="biased")) < 1e-12


@pytest.mark.parametrize("estimator", ["unbiased", "linear"])
def test_unbiased_estimators_are_zero_in_the_mean(estimator):
    generator = np.random.default_rng(0)
    values = [
        squared_mmd(
            *generator.normal(size=(2, 20, 2)), estimator=estimator, bandwidth=2.0
        )
        for _ in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_median_bandwidth_is_the_median_of_all_pairs():
    X, Z = _samples()
    rows = np.vstack([X, Z])
    squares = [
        np.sum((rows[i] - rows[j]) ** 2) for i in range(len(rows)) for j in range(i)
    ]
    assert median_bandwidth(X, Z) == pytest.approx(np.median(squares))
    few = median_bandwidth(*_samples(3000, 3000), max_rows=800)
    assert few == pytest.approx(median_bandwidth(*_samples(1000, 1000)), rel=0.1)
    with pytest.raises(ValueError, match="rows that differ"):
        median_bandwidth(np.ones((3, 2)), np.ones((3, 2)))


def test_no_square_matrix_in_memory():
    X, Z = _samples(6000, 6000)
    tracemalloc.start()
    squared_mmd(X, Z, bandwidth=1.0, multipliers=(1.0,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6  # the matrix would be 288 MB


def test_proxy_a_distance():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 4))
    assert proxy_a_distance(X, generator.normal(9, size=(30, 4))) == 2.0
    # Unequal sizes of one domain are no distance.
    assert proxy_a_distance(X, generator.normal(size=(30, 4))) < 0.5
    near, far = (generator.normal(size=(100, 4)) + at for at in (0.5, 1.5))
    assert 0 < proxy_a_distance(X, near) < proxy_a_distance(X, far) < 2


def test_domains_of_equal_means_are_not_below_zero():
    # Held-out means are opposite to trained ones: every fold is worse than chance.
    X, Z = np.random.default_rng(0).normal(size=(2, 40, 30))
    assert proxy_a_distance(X - X.mean(axis=0), Z - Z.mean(axis=0)) == 0.0


def test_proxy_a_distance_is_that_of_a_loop_over_folds():
    X, Z = _samples(40, 60)
    rows, domains = np.vstack([X, Z]), np.repeat([0, 1], [40, 60])
    wrong = np.zeros(100)
    folds = StratifiedKFold(4, shuffle=True, random_state=7)
    for train, test in folds.split(rows, domains):
        mean, std = rows[train].mean(axis=0), rows[train].std(axis=0)
        model = LogisticRegression(class_weight="balanced")
        model.fit((rows[train] - mean) / std, domains[train])
        wrong[test] = model.predict((rows[test] - mean) / std) != domains[test]
    error = (wrong[:40].mean() + wrong[40:].mean()) / 2
    received = proxy_a_distance(X, Z, folds=4, random_state=7)
    assert received == pytest.approx(2 * (1 - 2 * error))


def test_clear_errors():
    X, Z = _samples()
    with pytest.raises(ValueError, match=r"one of.*Received: 'exact'"):
        squared_mmd(X, Z, estimator="exact")
    with pytest.raises(ValueError, match=r"same features. Received"):
        squared_mmd(X, Z[:, :2])
    with pytest.raises(ValueError, match="`bandwidth`"):
        squared_mmd(X, Z, bandwidth=0.0)
    with pytest.raises(ValueError, match="`X_target` of shape"):
        proxy_a_distance(X, None)
    with pytest.raises(ValueError, match="`multipliers` or more"):
        squared_mmd(X, Z, multipliers=[])


class _Table(np.ndarray):
    """Rows with the one attribute of a data frame that is read."""

    columns = ()


def _table(rows, names):
    table = rows.view(_Table)
    table.columns = names
    return table


def test_columns_in_another_order_are_no_distance():
    X, Z = _samples()
    names = [f"x{i}" for i in range(X.shape[1])]
    first, same = _table(X, names), _table(Z, names)
    turned = _table(Z[:, ::-1], names[::-1])
    assert squared_mmd(first, same) == squared_mmd(X, Z)
    for measure in (squared_mmd, proxy_a_distance, importance_weights):
        with pytest.raises(ValueError, match="X_target to have the columns of X_so"):
            measure(first, turned)
    with pytest.raises(ValueError, match="X of 'b' to have the columns of X of 'a'"):
        name_that_dataset({"a": first, "b": turned})
