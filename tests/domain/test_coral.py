import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from tests.domain.rows import two_domains
from tftransfer.domain import CORAL


def test_aligned_covariance_is_the_targets():
    X, _, X_target, _ = two_domains()
    aligned = CORAL(regularization=0).fit_transform(X, X_target=X_target)
    np.testing.assert_allclose(np.cov(aligned.T), np.cov(X_target.T), atol=1e-9)


def test_regularised_map_is_the_papers():
    X, _, X_target, _ = two_domains()
    coral = CORAL().fit(X, X_target=X_target)
    source = fractional_matrix_power(np.cov(X.T) + np.eye(6), -0.5)
    target = fractional_matrix_power(np.cov(X_target.T) + np.eye(6), 0.5)
    np.testing.assert_allclose(
        coral.transform(X, domain="source"), X @ source @ target, atol=1e-9
    )
    np.testing.assert_array_equal(coral.transform(X_target), X_target)


def test_equal_domains_move_nothing():
    X, *_ = two_domains()
    np.testing.assert_allclose(CORAL().fit_transform(X, X_target=X), X, atol=1e-9)


def test_singular_source_needs_the_regularisation():
    X, _, X_target, _ = two_domains(d=6)
    X[:, 5] = X[:, 4]
    with pytest.raises(ValueError, match="rank 5 of 6, from 60 rows"):
        CORAL(regularization=0).fit(X, X_target=X_target)
    assert np.all(np.isfinite(CORAL().fit_transform(X, X_target=X_target)))
    with pytest.raises(ValueError, match="`regularization` in"):
        CORAL(regularization=-1.0).fit(X, X_target=X_target)


def test_large_values_in_float32_are_no_singular_source():
    generator = np.random.default_rng(0)
    X, X_target = (
        generator.uniform(0, 255, (40, 90)).astype("float32") for _ in range(2)
    )
    found = CORAL().fit(X, X_target=X_target).map_
    double = CORAL().fit(X.astype(float), X_target=X_target.astype(float)).map_
    np.testing.assert_allclose(found, double, atol=0.02 * np.abs(double).max())
    with pytest.raises(ValueError, match="of 90, from 40 rows"):
        CORAL(0).fit(X, X_target=X_target)


def test_mapped_target_rows_are_the_callers_no_more():
    X, _, X_target, _ = two_domains()
    mapped = CORAL().fit(X, X_target=X_target).transform(X_target)
    mapped[:] = 0
    assert np.any(X_target)
