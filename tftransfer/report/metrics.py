"""Numbers of a classifier's report: intervals, per-class scores, calibration."""

import dataclasses
import math

import numpy as np

_Z95 = 1.959963984540054


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, fit for few trials and shares near 1.

    Args:
        successes: How often it was so, 0 to `trials`.
        trials: How often it could have been.

    Returns:
        (low, high), both in [0, 1]; (0, 1) without trials.

    Example:
        >>> [round(bound, 4) for bound in wilson_interval(90, 100)]
        [0.8256, 0.9448]

    References:
        Wilson, Probable inference, the law of succession, and statistical inference,
        JASA, 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    share, z2 = successes / trials, _Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _Z95 * spread / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclasses.dataclass(frozen=True)
class ClassScores:
    """Scores of one class; NaN where a share has nothing to be a share of.

    Attributes:
        name: The class.
        support: Pictures of the class.
        predicted: Pictures that were taken for it.
        precision: Share of `predicted` that are of the class.
        recall: Share of `support` that were found.
        f1: Harmonic mean of the two; 0 when one picture was missed and none found.
    """

    name: str
    support: int
    predicted: int
    precision: float
    recall: float
    f1: float


def class_scores(confusion: np.ndarray, class_names) -> list[ClassScores]:
    """Return the scores of every class.

    Args:
        confusion: (classes, classes) counts, rows true, columns predicted.
        class_names: One name per class.
    """
    rows = []
    for number, name in enumerate(class_names):
        hits = int(confusion[number, number])
        support = int(confusion[number].sum())
        predicted = int(confusion[:, number].sum())
        rows.append(
            ClassScores(
                name=name,
                support=support,
                predicted=predicted,
                precision=_share(hits, predicted),
                recall=_share(hits, support),
                f1=_share(2 * hits, support + predicted),
            )
        )
    return rows


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How far stated confidence and observed accuracy agree, in bins of equal width.

    Attributes:
        edges: (bins + 1,) confidence at the bins' borders, 0 to 1.
        counts: (bins,) pictures per bin.
        confidence: (bins,) mean confidence; NaN in an empty bin.
        accuracy: (bins,) share right; NaN in an empty bin.
        error: Expected calibration error in [0, 1].
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float


def calibration(
    confidence: np.ndarray, correct: np.ndarray, *, bins: int = 15
) -> Calibration:
    """Bin predictions by confidence; ECE = sum_b n_b / n |accuracy_b - confidence_b|.

    Args:
        confidence: (n,) probability of the predicted class, in [0, 1].
        correct: (n,) booleans.
        bins: Number of bins, the paper's 15.

    References:
        Guo et al., On Calibration of Modern Neural Networks, ICML 2017,
        arXiv:1706.04599.
    """
    confidence = np.asarray(confidence, "float64")
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.where(counts > 0, counts, np.nan)
    stated = np.bincount(place, confidence, bins) / filled
    observed = np.bincount(place, np.asarray(correct, "float64"), bins) / filled
    gaps = np.nan_to_num(np.abs(observed - stated))
    error = float((counts * gaps).sum() / max(1, counts.sum()))
    return Calibration(np.linspace(0, 1, bins + 1), counts, stated, observed, error)


def percent(share: float) -> str:
    """Return 0.957 as "95.7%", a dash for NaN."""
    return "-" if math.isnan(share) else f"{share:.1%}"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
