"""How far a score's gain moves with the pictures it is read off: a paired bootstrap.

Two nets are scored on the same rows. Rows are drawn anew, with repeats, for both alike.
"""

import dataclasses

import numpy as np

from tftransfer.domain.validators import neighbourhood_entropies
from tftransfer.domain.validators import row_entropies

DRAWS = 1000
# Of the range that a score can have. Nets of nearly constant answers differ by 1e-10
# in the same direction on every picture, which no drawing anew makes noise.
LEAST = 0.001


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """What one net's scores without target labels are means of.

    Attributes:
        probabilities: (h, classes) of the target's pictures held out.
        mistakes: (n,) 1 where a validation picture of the source is wrong, else 0.
        weights: (n,) of these pictures, as the target has their like.
    """

    probabilities: np.ndarray
    mistakes: np.ndarray
    weights: np.ndarray


def gain_interval(
    name: str, gain: float, before: ScoredRows, after: ScoredRows, seed: int = 0
) -> tuple[float, float]:
    """Return between what values a gain lies in 95 % of the draws.

    Args:
        name: A key of `VALIDATORS`. "information", "entropy" and "snd" draw target
            rows, "snd" with the neighbours that each row has; "iwv" and "dev" source
            rows, with their weights.
        gain: Score of the second net less that of the first; of "entropy" and the risks
            the other way round: above 0 the second is better.
        before: Of the first net.
        after: Of the second.
        seed: Of the draws.
    """
    resample = _RESAMPLED[name]
    rows = len(before.mistakes if name in _OF_SOURCE else before.probabilities)
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(rows, np.full(rows, 1 / rows), size=DRAWS)
    shares = np.vstack([np.full(rows, 1 / rows), counts / rows])
    whole, *drawn = resample(after, shares) - resample(before, shares)
    moved = np.asarray(drawn) - whole
    if name in _LOWER_IS_BETTER:
        moved = -moved
    low, high = np.quantile(moved, [0.025, 0.975])
    return float(gain + low), float(gain + high)


def least_gain(name: str, rows: ScoredRows) -> float:
    """Return the gain below which two nets count as alike, whatever the noise."""
    held, classes = rows.probabilities.shape
    ranges = {"information": np.log(classes), "entropy": np.log(classes)}
    ranges["snd"] = np.log(max(2, held - 1))
    return LEAST * float(ranges.get(name, 1.0))


def _information(rows: ScoredRows, shares: np.ndarray) -> np.ndarray:
    return row_entropies(shares @ rows.probabilities) - _entropy(rows, shares)


def _entropy(rows: ScoredRows, shares: np.ndarray) -> np.ndarray:
    return shares @ row_entropies(rows.probabilities)


def _density(rows: ScoredRows, shares: np.ndarray) -> np.ndarray:
    return shares @ neighbourhood_entropies(rows.probabilities)


def _risk(rows: ScoredRows, shares: np.ndarray) -> np.ndarray:
    return shares @ (rows.weights * rows.mistakes)


def _steadied_risk(rows: ScoredRows, shares: np.ndarray) -> np.ndarray:
    """Return `dev_risk` of each draw, from the moments that it is made of."""
    weights, weighted = rows.weights, rows.weights * rows.mistakes
    risk, mean = shares @ weighted, shares @ weights
    covariance = shares @ (weighted * weights) - risk * mean
    variance = shares @ weights**2 - mean**2
    steep = variance > 1e-12 * mean**2  # a draw of equal weights has rounding there
    eta = -np.where(steep, covariance / np.where(steep, variance, 1.0), 0.0)
    return risk + eta * (mean - 1)


_RESAMPLED = {
    "information": _information,
    "entropy": _entropy,
    "snd": _density,
    "iwv": _risk,
    "dev": _steadied_risk,
}
_OF_SOURCE = ("iwv", "dev")
_LOWER_IS_BETTER = ("entropy", "iwv", "dev")
