"""CORAL: the source recoloured with the target's covariance (Sun 2016).

The shallow method; the loss for deep nets is another.
"""

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from tftransfer.domain.adapter import DomainAdapter
from tftransfer.domain.inputs import check_real


class CORAL(OneToOneFeatureMixin, DomainAdapter):
    """Source rows x -> x C_s^(-1/2) C_t^(1/2); target rows stay as they are.

    C_s and C_t are the covariances (n - 1 in the denominator) of `X` and `X_target`,
    each plus `regularization` times the identity. Of all linear maps A this one
    minimises ||A' C_s A - C_t||_F. Means are left alone, as in the paper: z-score each
    domain first (`DomainScaler`). The matrices are d x d.

    Args:
        regularization: Added to the diagonals, 0 or more; the paper's 1. With 0 the
            source covariance must have full rank.

    Attributes:
        map_: A, `(d, d)`.

    Raises:
        ValueError: In `fit`, when the source covariance is singular and
            `regularization` is 0.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(50, 3)) * [1, 2, 3]
        >>> X_target = rng.normal(size=(40, 3))
        >>> aligned = CORAL(regularization=0).fit_transform(X, X_target=X_target)
        >>> bool(np.allclose(np.cov(aligned.T), np.cov(X_target.T)))
        True

    References:
        Sun, Feng and Saenko, Return of frustratingly easy domain adaptation, AAAI 2016,
        arXiv:1511.05547.
    """

    def __init__(self, regularization=1.0):
        self.regularization = regularization

    def _fit(self, X, y, X_target) -> None:
        shrinkage = check_real("regularization", self.regularization)
        values, vectors = _eigen_covariance(X)
        target_values, target_vectors = _eigen_covariance(X_target)
        floor = len(values) * np.finfo(X.dtype).eps * max(values[-1], 1e-300)
        if not shrinkage and values[0] <= floor:
            rank = int(np.sum(values > floor))
            raise ValueError(
                "Expected a source covariance of full rank for `regularization=0`. "
                f"Received: rank {rank} of {len(values)}, from {len(X)} rows. Use the "
                "paper's `regularization=1`."
            )
        whiten = (vectors / np.sqrt(values + shrinkage)) @ vectors.T
        roots = np.sqrt(target_values + shrinkage)
        self.map_ = (whiten @ (target_vectors * roots)) @ target_vectors.T

    def _map(self, X, domain) -> np.ndarray:
        return X.copy() if domain == "target" else X @ self.map_.astype(X.dtype)


def _eigen_covariance(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Summed in double: a mean of many float32 rows drifts.
    centred = rows - rows.mean(axis=0, dtype=np.float64).astype(rows.dtype)
    covariance = (centred.T @ centred).astype(np.float64) / (len(rows) - 1)
    values, vectors = np.linalg.eigh(covariance)
    return np.maximum(values, 0.0), vectors
