"""Where verification accepts as many wrong pairs as it rejects right ones.

No TensorFlow here.
"""

import numpy as np


def equal_error(similarities, same) -> float:
    """Return the error rate at the threshold where both kinds are nearest to equal.

    Args:
        similarities: (n,), larger for more alike.
        same: (n,) booleans, both values present.

    Returns:
        The mean there of the share of other people's pairs accepted and of one
        person's pairs rejected, in [0, 1].

    Example:
        >>> equal_error([0.9, 0.2, 0.8, 0.1], [True, True, False, False])
        0.5
    """
    similarities, same = np.asarray(similarities), np.asarray(same, bool)
    order = np.argsort(-similarities, kind="stable")
    ranked, same = similarities[order], same[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # ties together
    false_accepts = np.append(0, np.cumsum(~same)[ends]) / np.sum(~same)
    false_rejects = 1 - np.append(0, np.cumsum(same)[ends]) / np.sum(same)
    nearest = np.argmin(np.abs(false_accepts - false_rejects))
    return float(false_accepts[nearest] + false_rejects[nearest]) / 2
