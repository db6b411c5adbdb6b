"""Batches of raw RGB pictures from whatever a caller holds, in the order given."""

import math
from collections.abc import Iterator

import numpy as np
import tensorflow as tf


class PictureBatches:
    """Iterates over picture batches, uint8 or float32 `(batch, side, side, 3)`.

    Arrays of the right size are sliced as they are, without a copy and without tf.data;
    all else goes through `tftransfer.data`, which decodes ahead of the computation. A
    dataset of `from_folder` is read again from its `.paths`, so that the rows are those
    of its `.paths` and `.labels`, neither shuffled nor augmented.

    Args:
        data: uint8 or float array `(n, height, width, 3)` or `(n, height, width)` in
            [0, 255], folder, list of picture paths, `tf.data.Dataset` of pictures or
            `(pictures, labels)`, or such a pair.
        image_size: Side in pixels that pictures are brought to.
        batch_size: Pictures per batch, 1 or more; a batched dataset keeps its own.

    Raises:
        ValueError: When `batch_size` is below 1, or the data hold no pictures.
    """

    def __init__(self, data, *, image_size: int, batch_size: int):
        if isinstance(batch_size, bool) or int(batch_size) != batch_size:
            raise ValueError(f"Expected an int `batch_size`. Received: {batch_size!r}.")
        if batch_size < 1:
            raise ValueError(
                f"Expected `batch_size` of 1 or more. Received: {batch_size}."
            )
        data = getattr(data, "paths", data)
        if _is_pair(data):
            data = data[0]
        self.batch_size = int(batch_size)
        self._array = data if _fits(data, image_size) else None
        self._dataset = None
        if self._array is None:
            from tftransfer.data.inputs import as_dataset

            dataset = as_dataset(data, image_size=image_size, batch_size=batch_size)
            self._dataset = dataset.prefetch(tf.data.AUTOTUNE)

    def __len__(self) -> int:
        """Number of batches; raises TypeError when nobody knows it."""
        if self._array is not None:
            return math.ceil(len(self._array) / self.batch_size)
        return len(self._dataset)

    @property
    def cardinality(self) -> int | None:
        """Number of batches, or None when nobody knows it."""
        try:
            return len(self)
        except TypeError:
            return None

    def __iter__(self) -> Iterator:
        if self._array is None:
            for element in self._dataset:
                yield element[0] if isinstance(element, tuple) else element
            return
        for start in range(0, len(self._array), self.batch_size):
            yield self._array[start : start + self.batch_size]


def _is_pair(data) -> bool:
    return (
        isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], np.ndarray)
    )


def _fits(data, image_size: int) -> bool:
    return (
        isinstance(data, np.ndarray)
        and data.dtype in (np.uint8, np.float32)
        and data.shape[1:] == (image_size, image_size, 3)
        and len(data) > 0
    )
