"""Non-maximum suppression as MTCNN's published code does it. No TensorFlow here.

A box goes where a better one overlaps it too much, even when that one goes itself:
chains of neighbours end in one box, where greedy suppression keeps every other one.
"""

import numpy as np

_ROWS = (
    256  # boxes compared with all others at a time: memory is this times their count
)


def best_boxes(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, *, of_smaller: bool = False
) -> np.ndarray:
    """Return which boxes no better box overlaps by more than `threshold`.

    Boxes are compared only where they share rows of the picture: 20,000 boxes of faces
    of one size take a second, not a minute.

    Args:
        boxes: (n, 4) left, top, right, bottom.
        scores: (n,), higher is better; of equals the last, as in `mtcnn`.
        threshold: Largest overlap allowed, in [0, 1].
        of_smaller: Whether the overlap is the intersection over the smaller box's area,
            instead of over the union's.

    Returns:
        int (k,), places in `boxes`, best first.

    Example:
        >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 29, 29]], "float32")
        >>> best_boxes(boxes, np.array([0.8, 0.9, 0.7]), 0.5)
        array([1, 2])
    """
    order = np.argsort(scores, kind="stable")[::-1]
    boxes = np.asarray(boxes, "float64")[order]
    by_top = np.argsort(boxes[:, 1], kind="stable")
    tops, bottoms = boxes[by_top, 1], boxes[by_top, 3]
    kept = np.ones(len(boxes), bool)
    for start in range(0, len(boxes), _ROWS):
        some = by_top[start : start + _ROWS]
        before = np.searchsorted(tops, bottoms[start : start + _ROWS].max())
        others = by_top[:before][bottoms[:before] > tops[start]]
        share = overlaps(boxes[some], boxes[others], of_smaller=of_smaller)
        beaten = (share > threshold) & (others < some[:, None])
        kept[some] = ~beaten.any(axis=1)
    return order[kept]


def overlaps(
    first: np.ndarray, second: np.ndarray, *, of_smaller: bool = False
) -> np.ndarray:
    """Return the overlap of each of (n, 4) boxes with each of (m, 4), as (n, m).

    Intersection over union, or over the smaller area; 0 where a box has no area.

    Example:
        >>> overlaps(np.array([[0, 0, 4, 4]]), np.array([[0, 0, 4, 2], [4, 0, 8, 4]]))
        array([[0.5, 0. ]])
    """
    first, second = first.T[:, :, None], second.T[:, None, :]
    width = np.minimum(first[2], second[2]) - np.maximum(first[0], second[0])
    height = np.minimum(first[3], second[3]) - np.maximum(first[1], second[1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    one, other = ((b[2] - b[0]) * (b[3] - b[1]) for b in (first, second))
    whole = np.minimum(one, other) if of_smaller else one + other - shared
    return np.divide(shared, whole, out=np.zeros(shared.shape), where=shared > 0)
