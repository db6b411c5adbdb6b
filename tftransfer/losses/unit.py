"""Vectors of length 1, with gradients that stay finite where there is no direction."""

from keras import ops


def unit_vectors(x, axes=(-1,)):
    """Divide by the L2 norm over `axes`; a vector of zeros stays zero.

    Zeros have no direction, so that their gradient is 0: dividing by a small number
    instead would make it huge, as it is where a head starts from zeros.

    Args:
        x: Float tensor.
        axes: Axes that make up a vector.

    Returns:
        Tensor of the same shape.

    Example:
        >>> import numpy as np
        >>> np.round(unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])), 6).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    # The largest entry first: squares of small numbers vanish.
    largest = ops.stop_gradient(ops.max(ops.abs(x), axis=axes, keepdims=True))
    some = largest > 0
    x = x / ops.where(some, largest, ops.ones_like(largest))
    squared = ops.sum(ops.square(x), axis=axes, keepdims=True)
    length = ops.sqrt(ops.where(some, squared, ops.ones_like(squared)))
    return ops.where(some, x / length, ops.zeros_like(x))
