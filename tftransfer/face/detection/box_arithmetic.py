"""Boxes of MTCNN: of windows, shifted by a net, made square, clipped. No TensorFlow.

A box is left, top, right, bottom in pixels. Where an offset is a share of a box's side,
the side counts the pixel at both ends, as in the published code.
"""

import numpy as np


def window_boxes(
    rows: np.ndarray, columns: np.ndarray, offsets: np.ndarray, scale: float
) -> np.ndarray:
    """Return the boxes that the proposal net means by its cells.

    Args:
        rows: int (n,), of the cells.
        columns: int (n,).
        offsets: (n, 4), shares of the window's side of 11 pixels.
        scale: Of the pyramid's level: its pixels per pixel of the picture.

    Returns:
        float64 (n, 4), in pixels of the picture.
    """
    corner = 2.0 * np.stack([columns, rows, columns, rows], axis=1)
    corner += [1, 1, 12, 12]
    return (corner + 11.0 * offsets) / scale


def shifted(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return boxes moved by `offsets` (n, 4), in shares of their width and height."""
    return boxes + offsets * np.tile(_sides(boxes), 2)


def placed_landmarks(boxes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return landmarks in pixels.

    Args:
        boxes: (n, 4), of the crops that the output net saw.
        shares: (n, 10), five x and then five y, in shares of the crop's side.

    Returns:
        float64 (n, 5, 2).
    """
    points = np.stack([shares[:, :5], shares[:, 5:]], axis=2)
    return points * _sides(boxes)[:, None] + boxes[:, None, :2] - 1


def squares(boxes: np.ndarray) -> np.ndarray:
    """Return squares of the longer side around the same centres.

    Example:
        >>> squares(np.array([[0.0, 0.0, 4.0, 8.0]]))
        array([[-2.,  0.,  6.,  8.]])
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def clipped(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return boxes inside the picture: x in [0, width - 1], y in [0, height - 1]."""
    return np.clip(boxes, 0, [width - 1, height - 1, width - 1, height - 1])


def _sides(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2:] - boxes[:, :2] + 1
