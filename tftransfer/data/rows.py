"""Rows that come in pieces, kept in memory where they fit."""

from collections.abc import Iterable

import numpy as np

_MOST_IN_MEMORY = 4 * 2**30  # bytes


def rows_in_memory(pieces: Iterable[np.ndarray], rows: int, dtype: str) -> np.ndarray:
    """Put pieces one after the other into one array.

    Args:
        pieces: Arrays (m, ...) of at most `rows` rows together.
        rows: Number of rows to come.
        dtype: Of the array.

    Returns:
        Array (n, ...) of the rows that came.

    Raises:
        MemoryError: When the array would take more than 4 GiB.
        ValueError: When nothing came.

    Example:
        >>> rows_in_memory([np.zeros((2, 3)), np.ones((1, 3))], 3, "float32").shape
        (3, 3)
    """
    array, start = None, 0
    for piece in pieces:
        if array is None:
            _check_fits(rows * int(np.prod(piece.shape[1:])) * np.dtype(dtype).itemsize)
            array = np.empty((rows, *piece.shape[1:]), dtype)
        array[start : start + len(piece)] = piece
        start += len(piece)
    if array is None:
        raise ValueError("Expected one row or more. Received none.")
    return array[:start]


def _check_fits(size: int) -> None:
    if size > _MOST_IN_MEMORY:
        raise MemoryError(
            f"Expected at most {_MOST_IN_MEMORY / 2**30:.0f} GiB to keep in memory. "
            f"Received: {size / 2**30:.1f} GiB. Name a folder as `cache`, or keep less."
        )
