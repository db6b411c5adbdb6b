"""Ten-fold verification accuracy, as LFW's View 2 is scored."""

import dataclasses
import math

import numpy as np

from tftransfer.face.scores.verification import checked_pairs
from tftransfer.face.scores.verification import threshold_between


@dataclasses.dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy of each fold at the threshold that the other folds chose.

    Args:
        mean: Of the folds' accuracies, in [0, 1].
        standard_error: Their standard deviation (n - 1) over the root of their number.
        accuracies: float64 (folds,).
        thresholds: float64 (folds,).
    """

    mean: float
    standard_error: float
    accuracies: np.ndarray
    thresholds: np.ndarray

    def __str__(self):
        return f"{100 * self.mean:.2f} ± {100 * self.standard_error:.2f} %"


def ten_fold_accuracy(similarities, same, folds=10) -> FoldAccuracy:
    """Score pairs, each fold by the threshold that is best on the others.

    Args:
        similarities: Of the pairs, (n,); higher is more alike.
        same: Whether each pair shows one person, (n,).
        folds: Number of equal folds of neighbouring pairs, unshuffled, as LFW's
            pairs.txt has them; or the fold of each pair, (n,).

    Returns:
        Mean, standard error, and both numbers of each fold. Of equally good thresholds
        the middle one is taken. Read the mean beside `chance_accuracy(same)`. The
        standard error takes folds for independent; where they share people, as in
        folds of all pairs of a few, it is too small.

    Raises:
        ValueError: When the pairs cannot be cut in `folds`, or other folds than one
            have pairs of one kind only.

    Example:
        >>> same = np.tile([True, False], 50)
        >>> str(ten_fold_accuracy(np.where(same, 0.7, 0.2), same))
        '100.00 ± 0.00 %'

    References:
        Huang, Ramesh, Berg and Learned-Miller, Labeled Faces in the Wild, University of
        Massachusetts Amherst, technical report 07-49, 2007.
    """
    similarities, same = checked_pairs(similarities, same)
    numbers = _fold_of_each(folds, len(same))
    accuracies, thresholds = [], []
    for fold in np.unique(numbers):
        scored = numbers == fold
        threshold = best_threshold(similarities[~scored], same[~scored])
        decided = similarities[scored] >= threshold
        accuracies.append(float(np.mean(decided == same[scored])))
        thresholds.append(threshold)
    error = np.std(accuracies, ddof=1) / math.sqrt(len(accuracies))
    return FoldAccuracy(
        float(np.mean(accuracies)),
        float(error),
        np.array(accuracies),
        np.array(thresholds),
    )


def chance_accuracy(same) -> float:
    """Return the accuracy of one answer for all pairs, the more frequent one.

    0.5 for LFW's lists. Of all pairs of some people nearly all are of two: there a
    recognizer that knows nobody has 90 % and more.

    Args:
        same: Whether each pair shows one person, (n,).

    Example:
        >>> chance_accuracy([True] + 9 * [False])
        0.9
    """
    share = float(np.mean(np.asarray(same, bool)))
    return max(share, 1 - share)


def best_threshold(similarities, same) -> float:
    """Return the threshold of highest accuracy; of several the middle one.

    Never score the pairs with it that chose it: that is an easier number.

    Args:
        similarities: As in `ten_fold_accuracy`.
        same: As in `ten_fold_accuracy`.
    """
    similarities, same = checked_pairs(similarities, same)
    values, first = np.unique(-similarities, return_inverse=True)
    values = np.concatenate([[np.inf], -values])
    # Right decisions when each value and all above it are accepted.
    gained = np.bincount(first, np.where(same, 1, -1), len(values) - 1)
    right = np.concatenate([[0], np.cumsum(gained)])
    best = np.flatnonzero(right == right.max())
    return threshold_between(values, int(best[len(best) // 2]))


def _fold_of_each(folds, pairs: int) -> np.ndarray:
    numbers = np.asarray(folds)
    if numbers.ndim == 0:
        count = int(folds)
        if count < 2 or pairs % count:
            raise ValueError(
                f"Expected 2 `folds` or more that cut {pairs} pairs in equal parts. "
                f"Received: {folds!r}. Give the fold of each pair instead."
            )
        return np.arange(pairs) // (pairs // count)
    if numbers.shape != (pairs,) or len(np.unique(numbers)) < 2:
        raise ValueError(
            f"Expected the fold of each of {pairs} pairs, two or more folds. Received: "
            f"shape {numbers.shape}, {len(np.unique(numbers))} folds."
        )
    return numbers
