"""PCA-whitening of unit vectors for retrieval: L2 -> PCA-whiten -> L2."""

import numpy as np


class PCAWhitening:
    """x -> L2(diag(1 / sqrt(variance)) components (L2(x) - mean)).

    Fitted on L2-normalised rows; the covariance has n - 1 in its denominator. Fewer
    directions than asked are kept when the data do not have them.

    Args:
        n_components: Number of directions kept, 1 or more.

    Attributes:
        mean_: Mean of the unit rows, `(features,)`.
        components_: Orthonormal directions, largest variance first,
            `(n_components, features)`.
        explained_variance_: Variance along each, `(n_components,)`.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 8))
        >>> PCAWhitening(4).fit(rows).transform(rows).shape
        (50, 4)

    References:
        Jegou and Chum, Negative evidences and co-occurrences in image retrieval: the
        benefit of PCA and whitening, ECCV 2012.
    """

    def __init__(self, n_components: int):
        self.n_components = n_components

    def fit(self, X) -> "PCAWhitening":
        """Learn mean and directions from `X`, `(n, features)`, n of 2 or more.

        Raises:
            ValueError: When there are fewer than 2 rows, or all are equal.
        """
        rows = l2_normalize(X).astype(np.float64)
        if len(rows) < 2:
            raise ValueError(
                f"Expected 2 or more rows to fit the whitening. Received: {len(rows)}."
            )
        self.mean_ = rows.mean(axis=0)
        variances, directions = _principal_axes(rows - self.mean_)
        floor = 1e-7 * max(variances[0], 0.0)  # float32 features carry no more
        kept = min(self.n_components, int(np.sum(variances > floor)))
        if kept == 0:
            raise ValueError(
                "Expected rows that differ, to fit the whitening. Received: "
                f"{len(rows)} equal rows."
            )
        self.components_ = directions[:kept].astype(np.float32)
        self.explained_variance_ = variances[:kept].astype(np.float32)
        self.mean_ = self.mean_.astype(np.float32)
        return self

    def transform(self, X) -> np.ndarray:
        """Return whitened unit rows, float32 `(n, kept components)`."""
        centred = l2_normalize(X) - self.mean_
        return l2_normalize(
            centred @ self.components_.T / np.sqrt(self.explained_variance_)
        )


def l2_normalize(X) -> np.ndarray:
    """Return rows of unit Euclidean length, float32; zero rows stay zero."""
    rows = np.asarray(X, dtype=np.float32)
    # In double: the squares of small rows vanish in float32.
    squares = np.einsum("...i,...i->...", rows, rows, dtype=np.float64)
    norms = np.sqrt(squares)[..., None].astype(np.float32)
    return rows / np.maximum(norms, np.finfo(np.float32).tiny)


def _principal_axes(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The smaller of the two Gram matrices: (features, features) or (n, n).
    n, features = centred.shape
    if features <= n:
        values, vectors = np.linalg.eigh(centred.T @ centred / (n - 1))
        return values[::-1], vectors.T[::-1]
    values, vectors = np.linalg.eigh(centred @ centred.T / (n - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    axes = vectors.T @ centred
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    return values, axes / np.maximum(lengths, np.finfo(float).tiny)
