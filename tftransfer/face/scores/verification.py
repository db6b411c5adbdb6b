"""Verification scores of pairs: ROC, EER, TAR at a FAR, and the threshold for a FAR.

A pair is accepted as the same person when its similarity is at least the threshold.
FAR: share of pairs of different people that are accepted; TAR: of the same person's.
"""

import dataclasses
import math

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class ROC:
    """What each threshold does to the pairs it was measured on.

    Args:
        thresholds: float64 (t,), falling from infinity; each similarity once.
        far: False-accept rate at each, rising, in [0, 1].
        tar: True-accept rate at each, rising, in [0, 1].
    """

    thresholds: np.ndarray
    far: np.ndarray
    tar: np.ndarray

    @property
    def area(self) -> float:
        """Area under TAR over FAR: 1 is perfect, 0.5 is chance."""
        return float(np.trapezoid(self.tar, self.far))


@dataclasses.dataclass(frozen=True)
class EqualErrorRate:
    """Where as many impostors are accepted as genuine pairs are rejected, in shares.

    Args:
        rate: In [0, 1].
        threshold: Similarity at which it is reached.
    """

    rate: float
    threshold: float


@dataclasses.dataclass(frozen=True)
class ThresholdAtFAR:
    """A threshold for a false-accept rate, and how well it is known.

    Args:
        threshold: Accept similarities of at least this.
        target: The false-accept rate that was asked for.
        far: The one measured at the threshold, at most `target`.
        far_interval: Clopper-Pearson interval of the true rate.
        tar: The true-accept rate measured there.
        tar_interval: Clopper-Pearson interval of the true rate.
        confidence: Of both intervals.
        impostor_pairs: Pairs of different people.
        genuine_pairs: Pairs of the same person.
    """

    threshold: float
    target: float
    far: float
    far_interval: tuple[float, float]
    tar: float
    tar_interval: tuple[float, float]
    confidence: float
    impostor_pairs: int
    genuine_pairs: int

    def __str__(self):
        low, high = self.far_interval
        told = (
            f"threshold {self.threshold:.4f}: FAR {self.far:.2g} on "
            f"{self.impostor_pairs} pairs of different people ({self.confidence:.0%} "
            f"interval {low:.2g} to {high:.2g}), TAR {self.tar:.2%} on "
            f"{self.genuine_pairs} pairs of the same"
        )
        if high > 2 * self.target:
            told += (
                f". The true FAR may be above twice the {self.target:g} asked for: "
                f"{pairs_needed(self.target)} pairs of different people tell it well"
            )
        return told + "."


def roc(similarities, same) -> ROC:
    """Return FAR and TAR at every threshold that makes a difference.

    Args:
        similarities: Of the pairs, (n,); higher is more alike.
        same: Whether each pair shows one person, (n,), booleans or 0 and 1.

    Raises:
        ValueError: When lengths differ, a similarity is not finite, or all pairs are of
            one kind.

    Example:
        >>> curve = roc([0.9, 0.4, 0.5, 0.1], [1, 1, 0, 0])
        >>> curve.tar.tolist(), curve.far.tolist()
        ([0.0, 0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5, 1.0])
    """
    similarities, same = checked_pairs(similarities, same)
    order = np.argsort(-similarities, kind="stable")
    ordered = similarities[order]
    # The last of equal similarities: a threshold takes all of them or none.
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    accepted = np.cumsum(same[order])[last]
    false = last + 1 - accepted
    return ROC(
        np.concatenate([[np.inf], ordered[last]]),
        np.concatenate([[0.0], false / np.sum(~same)]),
        np.concatenate([[0.0], accepted / np.sum(same)]),
    )


def equal_error_rate(similarities, same) -> EqualErrorRate:
    """Return where FAR equals 1 - TAR, between two thresholds in proportion.

    Args:
        similarities: As in `roc`.
        same: As in `roc`.

    Example:
        >>> equal_error_rate([0.9, 0.4, 0.5, 0.1], [1, 1, 0, 0]).rate
        0.5
    """
    curve = roc(similarities, same)
    excess = curve.far - (1 - curve.tar)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    before = after - 1
    share = -excess[before] / (excess[after] - excess[before])
    rate = curve.far[before] + share * (curve.far[after] - curve.far[before])
    low, high = curve.thresholds[after], curve.thresholds[before]
    threshold = low if math.isinf(high) else high + share * (low - high)
    return EqualErrorRate(float(rate), float(threshold))


def tar_at_far(similarities, same, far: float) -> float:
    """Return the true-accept rate at the largest FAR that is at most `far`.

    Args:
        similarities: As in `roc`.
        same: As in `roc`.
        far: In [0, 1]; below one over the pairs of different people it means that none
            is accepted.

    Example:
        >>> tar_at_far([0.9, 0.4, 0.5, 0.1], [1, 1, 0, 0], far=0.1)
        0.5
    """
    curve = roc(similarities, same)
    return float(curve.tar[_place(curve, checked_share("far", far))])


def threshold_at_far(
    similarities, same, far: float, *, confidence: float = 0.95
) -> ThresholdAtFAR:
    """Calibrate the threshold for a false-accept rate on the user's own pairs.

    The lowest threshold whose measured FAR is at most `far`, halfway to the next
    similarity above what it rejects. The intervals take pairs as independent; pairs
    that share people or pictures tell less than as many others.

    Args:
        similarities: As in `roc`.
        same: As in `roc`.
        far: False-accept rate, above 0 and below 1.
        confidence: Of the Clopper-Pearson intervals, in (0, 1).

    Raises:
        ValueError: As `roc`, or when `far` is below one over the pairs of different
            people: such a rate cannot be measured with them.

    Example:
        >>> at = threshold_at_far([0.9, 0.8, 0.3, 0.1], [1, 1, 0, 0], far=0.5)
        >>> round(at.threshold, 2), at.far, at.tar
        (0.2, 0.5, 1.0)

    References:
        Clopper and Pearson, The use of confidence or fiducial limits illustrated in the
        case of the binomial, Biometrika 26(4), 1934. Doddington et al., The NIST
        speaker recognition evaluation, Speech Communication 31, 2000: the rule of 30.
    """
    similarities, same = checked_pairs(similarities, same)
    impostors, genuine = int(np.sum(~same)), int(np.sum(same))
    checked_share("confidence", confidence, open_ends=True)
    if checked_share("far", far, open_ends=True) * impostors < 1 - 1e-9:
        raise ValueError(
            f"Expected a `far` of 1/{impostors} or more: that is one of the "
            f"{impostors} pairs of different people. Received: {far:g}. Give "
            f"{math.ceil(1 / far)} such pairs or more; {pairs_needed(far)} tell the "
            "rate within 30 %."
        )
    curve = roc(similarities, same)
    place = _place(curve, far)
    threshold = threshold_between(curve.thresholds, place)
    false = round(curve.far[place] * impostors)
    true = round(curve.tar[place] * genuine)
    return ThresholdAtFAR(
        threshold,
        float(far),
        false / impostors,
        clopper_pearson(false, impostors, confidence),
        true / genuine,
        clopper_pearson(true, genuine, confidence),
        float(confidence),
        impostors,
        genuine,
    )


def pairs_needed(far: float) -> int:
    """Return how many independent pairs of different people tell a FAR within 30 %.

    Doddington's rule of 30: with 30 errors seen, the true rate is within 30 % of the
    measured one, 9 times in 10.

    Example:
        >>> pairs_needed(0.001)
        30000
    """
    return math.ceil(30 / checked_share("far", far, open_ends=True) - 1e-6)


def clopper_pearson(
    events: int, trials: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the exact interval of a rate of which `events` of `trials` were seen."""
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, events, trials - events + 1) if events else 0.0
    high = 1.0
    if events < trials:
        high = stats.beta.ppf(1 - tail, events + 1, trials - events)
    return float(low), float(high)


def threshold_between(thresholds: np.ndarray, place: int) -> float:
    """Return a threshold that accepts falling `thresholds[: place + 1]`, none after.

    Halfway to the next, so that rounding changes no decision; none is accepted at place
    0, where `thresholds` is infinite.
    """
    if place + 1 == len(thresholds):
        return float(thresholds[place])
    below = float(thresholds[place + 1])
    if place == 0:
        return float(np.nextafter(np.float32(below), np.float32(np.inf)))
    middle = (float(thresholds[place]) + below) / 2
    return middle if middle > below else float(thresholds[place])


def checked_pairs(similarities, same) -> tuple[np.ndarray, np.ndarray]:
    """Return similarities as float64 and `same` as booleans, (n,) each, both kinds.

    Raises:
        ValueError: When they are not.
    """
    similarities, labels = np.asarray(similarities, np.float64), np.asarray(same)
    if similarities.ndim != 1 or labels.shape != similarities.shape:
        raise ValueError(
            "Expected similarities (n,) and as many labels. Received: "
            f"{similarities.shape} and {labels.shape}."
        )
    if not np.isfinite(similarities).all():
        raise ValueError("Expected finite similarities. Received NaN or infinity.")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            "Expected `same` of booleans, or of 0 (different) and 1 (the same person)."
            f" Received: {np.unique(labels)[:5]}."
        )
    labels = labels.astype(bool)
    if labels.all() or not labels.any():
        raise ValueError(
            "Expected pairs of the same person and of different people. Received: "
            f"{len(labels)} pairs, {int(labels.sum())} of the same person."
        )
    return similarities, labels


def checked_share(name: str, value: float, *, open_ends: bool = False) -> float:
    """Return a rate in [0, 1], or (0, 1) with `open_ends`."""
    inside = 0 < value < 1 if open_ends else 0 <= value <= 1
    if not inside:
        ends = "above 0 and below 1" if open_ends else "from 0 to 1"
        raise ValueError(f"Expected `{name}` {ends}. Received: {value!r}.")
    return float(value)


def _place(curve: ROC, far: float) -> int:
    """Return the last threshold whose FAR is at most `far`."""
    return int(np.searchsorted(curve.far, far + 1e-12, side="right")) - 1
