"""Boxes of MTCNN against arithmetic written out number by number."""

import numpy as np

from tftransfer.face.detection import box_arithmetic

RNG = np.random.default_rng(0)
CORNERS = RNG.uniform(-20, 80, (7, 2))
BOXES = np.concatenate([CORNERS, CORNERS + RNG.uniform(5, 40, (7, 2))], axis=1)
OFFSETS = RNG.normal(0, 0.2, (7, 4))


def test_window_boxes():
    rows, columns = RNG.integers(0, 30, (2, 7))
    found = box_arithmetic.window_boxes(rows, columns, OFFSETS, 0.6)
    for i in range(7):
        # Pixels 1 to 12 of the window, counted from 1: 11 from first to last.
        x, y = 2 * columns[i], 2 * rows[i]
        left, top = x + 1 + 11 * OFFSETS[i, 0], y + 1 + 11 * OFFSETS[i, 1]
        right, bottom = x + 12 + 11 * OFFSETS[i, 2], y + 12 + 11 * OFFSETS[i, 3]
        expected = [left / 0.6, top / 0.6, right / 0.6, bottom / 0.6]
        np.testing.assert_allclose(found[i], expected)


def test_shifted():
    found = box_arithmetic.shifted(BOXES, OFFSETS)
    for i, (left, top, right, bottom) in enumerate(BOXES):
        width, height = right - left + 1, bottom - top + 1
        expected = [
            left + OFFSETS[i, 0] * width,
            top + OFFSETS[i, 1] * height,
            right + OFFSETS[i, 2] * width,
            bottom + OFFSETS[i, 3] * height,
        ]
        np.testing.assert_allclose(found[i], expected)


def test_placed_landmarks():
    shares = RNG.uniform(0, 1, (7, 10))
    found = box_arithmetic.placed_landmarks(BOXES, shares)
    assert found.shape == (7, 5, 2)
    for i, (left, top, right, bottom) in enumerate(BOXES):
        for point in range(5):
            x = left + shares[i, point] * (right - left + 1) - 1
            y = top + shares[i, 5 + point] * (bottom - top + 1) - 1
            np.testing.assert_allclose(found[i, point], [x, y])


def test_squares():
    found = box_arithmetic.squares(BOXES)
    for (left, top, right, bottom), square in zip(BOXES, found):
        side = max(right - left, bottom - top)
        np.testing.assert_allclose(square[2:] - square[:2], [side, side])
        centre = [(left + right) / 2, (top + bottom) / 2]
        np.testing.assert_allclose((square[:2] + square[2:]) / 2, centre)


def test_clipped():
    box = np.array([-3.0, 5.0, 90.0, 31.0])
    assert box_arithmetic.clipped(box, height=30, width=80).tolist() == [0, 5, 79, 29]
