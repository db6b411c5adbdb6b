import numpy as np
import pytest

from tftransfer.features import PCAWhitening
from tftransfer.features.whitening import l2_normalize


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
def test_equals_an_eigendecomposition_in_loops(shape):
    rows = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 4, shape[1])
    unit = np.array([row / np.sqrt(np.sum(row * row)) for row in rows])
    mean = unit.mean(axis=0)
    covariance = sum(np.outer(u - mean, u - mean) for u in unit) / (len(unit) - 1)
    values, vectors = np.linalg.eigh(covariance)
    expected = []
    for u in unit:
        z = [vectors[:, -i] @ (u - mean) / np.sqrt(values[-i]) for i in range(1, 6)]
        expected.append(z / np.linalg.norm(z))
    received = PCAWhitening(5).fit(rows).transform(rows)
    # The sign of each direction is free: compare similarities.
    np.testing.assert_allclose(
        received @ received.T, np.array(expected) @ np.array(expected).T, atol=2e-5
    )


def test_directions_are_orthonormal_and_fewer_where_the_data_lack_them():
    rows = np.random.default_rng(1).normal(size=(40, 3)) @ np.ones((3, 10))
    rows += np.arange(10)
    whitening = PCAWhitening(6).fit(rows)
    kept = len(whitening.components_)
    assert kept < 6
    np.testing.assert_allclose(
        whitening.components_ @ whitening.components_.T, np.eye(kept), atol=1e-5
    )


def test_equal_rows_and_single_rows_raise():
    with pytest.raises(ValueError, match="rows that differ"):
        PCAWhitening(2).fit(np.ones((5, 4)))
    with pytest.raises(ValueError, match="2 or more rows"):
        PCAWhitening(2).fit(np.ones((1, 4)))


def test_zero_rows_stay_zero():
    rows = l2_normalize([[3.0, 4.0], [0.0, 0.0], [1e-30, 0.0]])
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [1, 0]], rtol=1e-6)
