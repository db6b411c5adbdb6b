"""Maps of unequal sizes brought to the smaller one."""

import numpy as np
from keras import ops


def pool_to_smaller(first, second) -> tuple:
    """Average the larger of two maps in each direction down to the smaller one.

    Args:
        first: (batch, height, width) or (batch, height, width, channels), of static
            height and width.
        second: The same, perhaps of another size.

    Returns:
        Both with the smaller height and the smaller width of the two.

    Raises:
        ValueError: When a height or width is not known before the step runs.

    Example:
        >>> a, b = pool_to_smaller(np.zeros((1, 6, 5)), np.zeros((1, 4, 5)))
        >>> a.shape == b.shape == (1, 4, 5)
        True
    """
    check_known_size(first)
    check_known_size(second)
    for axis in (1, 2):
        size = min(first.shape[axis], second.shape[axis])
        first, second = _pooled(first, axis, size), _pooled(second, axis, size)
    return first, second


def check_known_size(maps) -> None:
    """Raise ValueError unless maps (batch, height, width, ...) have a static size."""
    if None in tuple(maps.shape)[1:3]:
        raise ValueError(
            "Expected maps of a height and width that are known before the step runs. "
            f"Received: {tuple(maps.shape)}. Batch pictures of one size, and give them "
            "a static shape where `tf.data` has lost it: `tf.ensure_shape`."
        )


def _pooled(x, axis: int, size: int):
    length = x.shape[axis]
    if length == size:
        return x
    weights = ops.cast(_averaging(length, size), x.dtype)
    if length % size == 0:
        shape = list(x.shape)
        shape[0] = -1
        shape[axis : axis + 1] = [size, length // size]
        return ops.mean(ops.reshape(x, shape), axis=axis + 1)
    return ops.moveaxis(ops.tensordot(x, weights, axes=[[axis], [0]]), -1, axis)


def _averaging(length: int, size: int) -> np.ndarray:
    """Return the (length, size) matrix of means over windows as even as can be."""
    weights = np.zeros((length, size), "float32")
    for i in range(size):
        start, stop = i * length // size, -(-(i + 1) * length // size)
        weights[start:stop, i] = 1 / (stop - start)
    return weights
