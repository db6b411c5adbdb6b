"""Rows that arrive in pieces, kept in one array whose memory does not double."""

import numpy as np


class RowStore:
    """One float32 array filled from the front; made whole at once when `rows` is known.

    Args:
        rows: Number of rows to come, an upper bound, or None when unknown: the array
            then grows by halves.

    Example:
        >>> store = RowStore(3)
        >>> store.append(np.ones((2, 4)))
        >>> store.result().shape
        (2, 4)
    """

    def __init__(self, rows: int | None = None):
        self._rows = rows
        self._array = None
        self._filled = 0

    def append(self, rows: np.ndarray) -> None:
        """Copy `rows`, `(n, ...)`, behind what is there."""
        end = self._filled + len(rows)
        if self._array is None:
            capacity = max(self._rows or 0, end)
            self._array = np.empty((capacity, *rows.shape[1:]), np.float32)
        elif end > len(self._array):
            grown = max(end, len(self._array) * 3 // 2)
            array = np.empty((grown, *rows.shape[1:]), np.float32)
            array[: self._filled] = self._array[: self._filled]
            self._array = array
        self._array[self._filled : end] = rows
        self._filled = end

    def result(self) -> np.ndarray:
        """Return the filled rows, float32 `(n, ...)`.

        Raises:
            ValueError: When no row ever came.
        """
        if self._array is None:
            raise ValueError("Expected at least one picture. Received none.")
        if self._filled == len(self._array):
            return self._array
        # A view keeps the spare rows alive; they cost memory only when many.
        spare = len(self._array) - self._filled
        rows = self._array[: self._filled]
        return rows if spare <= 64 else rows.copy()
