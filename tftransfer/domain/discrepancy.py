"""How far two domains are apart: MMD and the proxy A-distance, on arrays."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import StratifiedKFold
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tftransfer.domain.inputs import check_choice
from tftransfer.domain.inputs import check_count
from tftransfer.domain.inputs import check_real
from tftransfer.domain.inputs import check_two_domains

_BLOCK = 1024  # rows: a block of distances takes 8 MiB
_ESTIMATORS = ("biased", "unbiased", "linear")
_DAN_MULTIPLIERS = (0.25, 0.5, 1.0, 2.0, 4.0)


def squared_mmd(
    X_source,
    X_target,
    *,
    estimator: str = "unbiased",
    bandwidth: float | str = "median",
    multipliers: Iterable[float] = _DAN_MULTIPLIERS,
) -> float:
    """Estimate the squared maximum mean discrepancy of two samples.

    MMD^2 = E k(x, x') + E k(z, z') - 2 E k(x, z), with k(x, z) = sum over
    `multipliers` of exp(-||x - z||^2 / (multiplier `bandwidth`)). Kernel values are
    made block by block: 16,000 rows take megabytes.

    Args:
        X_source: `(n, d)`, 2 rows or more.
        X_target: `(m, d)`, 2 rows or more.
        estimator: "biased" averages over all pairs, a row with itself included, and is
            never below 0; "unbiased" leaves those out and may be; "linear" averages
            over disjoint quadruples (rows 2 i and 2 i + 1 of both, as many as the
            smaller sample has), unbiased, in linear time, with more variance. It
            assumes rows in random order.
        bandwidth: Above 0, in squared distances; or "median", `median_bandwidth`.
        multipliers: Above 0; the default is DAN's.

    Returns:
        The estimate, in [0, 2 len(multipliers)] but for the noise of "unbiased" and
        "linear".

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X, near, far = rng.normal([[0]] * 99), rng.normal(size=(80, 1)), [[9], [8]]
        >>> squared_mmd(X, near) < squared_mmd(X, far)
        True

    References:
        Gretton, Borgwardt, Rasch, Schoelkopf and Smola, A kernel two-sample test, JMLR
        13, 2012: equation 3 ("unbiased"), 5 ("biased", squared) and section 6
        ("linear"). Sum of kernels: Long et al., DAN, ICML 2015, arXiv:1502.02791.
    """
    X, Z = check_two_domains(X_source, X_target)
    check_choice("estimator", estimator, _ESTIMATORS)
    if isinstance(bandwidth, str):
        check_choice("bandwidth", bandwidth, ("median",))
        bandwidth = median_bandwidth(X, Z)
    bandwidth = check_real("bandwidth", bandwidth, above=True)
    widths = [bandwidth * check_real("multipliers", m, above=True) for m in multipliers]
    if not widths:
        raise ValueError("Expected one of `multipliers` or more. Received: none.")
    widths.sort(reverse=True)
    if estimator == "linear":
        return _linear_time(X, Z, widths)
    n, m = len(X), len(Z)
    cross = _kernel_sum(X, Z, widths) / (n * m)
    within_x, within_z = _twice_off_diagonal(X, widths), _twice_off_diagonal(Z, widths)
    if estimator == "unbiased":
        return within_x / (n * (n - 1)) + within_z / (m * (m - 1)) - 2 * cross
    diagonal = len(widths)
    within_x, within_z = within_x / n + diagonal, within_z / m + diagonal
    return within_x / n + within_z / m - 2 * cross


def median_bandwidth(
    X_source, X_target, *, max_rows: int = 2000, random_state=0
) -> float:
    """Return the median squared distance between rows of both domains together.

    Args:
        X_source: `(n, d)`.
        X_target: `(m, d)`.
        max_rows: Above this many rows in both together, a random choice of as many is
            taken.
        random_state: Seed of that choice.

    Raises:
        ValueError: When all rows are equal.

    Example:
        >>> median_bandwidth([[0.0], [1.0]], [[2.0], [3.0]])
        2.5
    """
    X, Z = check_two_domains(X_source, X_target)
    check_count("max_rows", max_rows, 2)
    rows = np.vstack([X, Z])
    if len(rows) > max_rows:
        generator = np.random.default_rng(random_state)
        rows = rows[generator.choice(len(rows), max_rows, replace=False)]
    squares = pdist(rows, "sqeuclidean")
    middle = float(np.median(squares)) or float(np.mean(squares))
    if middle == 0:
        raise ValueError(
            "Expected rows that differ, to find a bandwidth. Received: "
            f"{len(rows)} equal rows."
        )
    return middle


def proxy_a_distance(
    X_source, X_target, *, C: float = 1.0, folds: int = 5, random_state=0
) -> float:
    """Measure how well a linear classifier tells two domains apart.

    2 (1 - 2 err), err the held-out error of logistic regression on z-scored features,
    the mean of both domains' errors, so that unequal sizes do not pass for distance,
    and at most 1/2. Every row is held out once. Domains z-scored each by itself
    (`DomainScaler`) have equal means and are at distance 0 by any linear classifier:
    measure before, or on embedded rows.

    Args:
        X_source: `(n, d)`, `folds` rows or more.
        X_target: `(m, d)`, `folds` rows or more.
        C: Inverse strength of the L2 penalty, above 0.
        folds: Number of folds, 2 or more.
        random_state: Seed of the folds.

    Returns:
        In [0, 2]: 2 where the domains are told apart without error, about 0 where they
        are the same.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> proxy_a_distance(rng.normal(size=(40, 2)), 9 + rng.normal(size=(50, 2)))
        2.0

    References:
        Ben-David, Blitzer, Crammer and Pereira, Analysis of representations for domain
        adaptation, NIPS 2006.
    """
    X, Z = check_two_domains(X_source, X_target)
    check_count("folds", folds, 2, min(len(X), len(Z)))
    domains = np.repeat([0, 1], [len(X), len(Z)])
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=C, class_weight="balanced", max_iter=1000),
    )
    split = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    predicted = cross_val_predict(model, np.vstack([X, Z]), domains, cv=split)
    error = 1 - balanced_accuracy_score(domains, predicted)
    return float(2 * (1 - 2 * min(error, 0.5)))  # below chance, chance is better


def _kernel(squares: np.ndarray, widths: list[float]) -> np.ndarray:
    # Bandwidths come largest first; half of one is a square of its kernel.
    values = np.exp(squares / -widths[0])
    total = values.copy()
    for before, width in pairwise(widths):
        if before == 2 * width:
            np.square(values, out=values)
        else:
            np.exp(squares / -width, out=values)
        total += values
    return total


def _kernel_sum(X: np.ndarray, Z: np.ndarray, widths: list[float]) -> float:
    total = 0.0
    for rows in _blocks(X):
        for others in _blocks(Z):
            squares = euclidean_distances(X[rows], Z[others], squared=True)
            total += _kernel(squares, widths).sum(dtype=np.float64)
    return float(total)


def _twice_off_diagonal(X: np.ndarray, widths: list[float]) -> float:
    # The sum over pairs of different rows; blocks below the diagonal are mirrored.
    total = 0.0
    for rows in _blocks(X):
        part = X[rows]
        total += 2 * _kernel_sum(part, X[rows.stop :], widths)
        own = _kernel(euclidean_distances(part, squared=True), widths)
        np.fill_diagonal(own, 0.0)
        total += own.sum(dtype=np.float64)
    return float(total)


def _linear_time(X: np.ndarray, Z: np.ndarray, widths: list[float]) -> float:
    pairs = min(len(X), len(Z)) // 2
    x, z = X[: 2 * pairs], Z[: 2 * pairs]
    x1, x2, z1, z2 = x[::2], x[1::2], z[::2], z[1::2]

    def values(a, b):
        return _kernel(np.sum((a - b) ** 2, axis=1), widths)

    return float(
        np.mean(values(x1, x2) + values(z1, z2) - values(x1, z2) - values(x2, z1))
    )


def _blocks(X: np.ndarray) -> list[slice]:
    return [slice(i, min(i + _BLOCK, len(X))) for i in range(0, len(X), _BLOCK)]
