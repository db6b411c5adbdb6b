"""Suppression against loops over pairs of boxes."""

import numpy as np
import pytest

from tftransfer.face.detection.suppression import best_boxes
from tftransfer.face.detection.suppression import overlaps


def overlap(a, b, of_smaller):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    one = (a[2] - a[0]) * (a[3] - a[1])
    other = (b[2] - b[0]) * (b[3] - b[1])
    shared = width * height
    return shared / (min(one, other) if of_smaller else one + other - shared)


def kept_by_loop(boxes, scores, threshold, of_smaller):
    kept = []
    for i in range(len(boxes)):
        better = [
            j
            for j in range(len(boxes))
            if scores[j] > scores[i] or (scores[j] == scores[i] and j > i)
        ]
        if all(overlap(boxes[i], boxes[j], of_smaller) <= threshold for j in better):
            kept.append(i)
    return sorted(kept, key=lambda i: (-scores[i], -i))


def some_boxes(count, seed, side=200):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, side, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 60, (count, 2))], axis=1)
    return boxes, rng.integers(0, 50, count) / 50  # many equal scores


@pytest.mark.parametrize("of_smaller", [False, True])
@pytest.mark.parametrize(("count", "threshold"), [(1, 0.5), (60, 0.5), (400, 0.3)])
def test_equals_a_loop_over_pairs(count, threshold, of_smaller):
    """400 boxes are more than are compared at a time."""
    boxes, scores = some_boxes(count, seed=count)
    found = best_boxes(boxes, scores, threshold, of_smaller=of_smaller)
    assert found.tolist() == kept_by_loop(boxes, scores, threshold, of_smaller)
    assert count == 1 or 0 < len(found) < count


def test_a_suppressed_box_still_suppresses():
    """Three in a chain: greedy suppression would keep the last."""
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]], "float64")
    assert best_boxes(boxes, np.array([0.9, 0.8, 0.7]), 0.5).tolist() == [0]


def test_no_boxes():
    assert best_boxes(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


def test_a_box_without_area_overlaps_nothing():
    boxes = np.array([[0, 0, 4, 4], [1, 1, 1, 3], [2, 2, 2, 2]], "float64")
    assert not overlaps(boxes, boxes)[:, 1:].any()
    assert len(best_boxes(boxes, np.array([0.9, 0.8, 0.7]), 0.0)) == 3
