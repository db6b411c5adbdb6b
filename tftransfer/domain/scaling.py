"""DomainScaler: each domain z-scored by its own statistics."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from tftransfer.domain.adapter import DomainAdapter
from tftransfer.domain.inputs import DOMAINS


class DomainScaler(OneToOneFeatureMixin, DomainAdapter):
    """(x - mean) / std, with the mean and the std of the row's own domain.

    What the shallow methods' papers do before anything else, and worth more points than
    most of them. The std has n in its denominator; constant features are only centred.

    Attributes:
        mean_: {domain: mean, `(d,)`}.
        scale_: {domain: std, `(d,)`, 1 where it is 0}.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, X_target = rng.normal(size=(20, 3)), rng.normal(5, 2, size=(30, 3))
        >>> scaler = DomainScaler().fit(X, X_target=X_target)
        >>> bool(np.allclose(scaler.transform(X_target).mean(axis=0), 0))
        True
    """

    def _fit(self, X, y, X_target) -> None:
        rows = dict(zip(DOMAINS, (X, X_target)))
        # In double: sums of float32 drift, which looks like a spread.
        self.mean_ = {
            name: part.mean(axis=0, dtype=np.float64) for name, part in rows.items()
        }
        self.scale_ = {name: _nonzero_std(part) for name, part in rows.items()}

    def _map(self, X, domain) -> np.ndarray:
        mean, scale = self.mean_[domain], self.scale_[domain]
        return ((X - mean) / scale).astype(X.dtype)


def _nonzero_std(rows: np.ndarray) -> np.ndarray:
    # Rounding leaves a constant column with a std of some eps.
    std = rows.std(axis=0, dtype=np.float64)
    noise = 10 * np.finfo(np.float64).eps * np.abs(rows).max(axis=0)
    return np.where(std > noise, std, 1.0)
