"""Penalties on weights: L2-SP (Li, Grandvalet & Davoine, 2018)."""

import keras
from keras import ops

from tftransfer.core import register


@register
class L2SPLoss(keras.losses.Loss):
    """Half the squared distance of weights from their starting point.

    loss = 1/2 * sum_i ||w_i - w0_i||^2, a sum over all elements as in the paper, where
    the factor (alpha there) is the term's weight in the method that uses it.

    Call arguments:
        y_true: The starting weights w0, a list of tensors.
        y_pred: The current weights w, a list of tensors of the same shapes.

    Returns:
        A scalar of 0 or more.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import L2SPLoss
        >>> float(L2SPLoss()([np.zeros((2, 2))], [np.ones((2, 2))]))
        2.0

    References:
        Li, Grandvalet & Davoine, Explicit Inductive Bias for Transfer Learning with
        Convolutional Networks, ICML 2018, arXiv:1802.01483.
    """

    def __init__(self, reduction="sum_over_batch_size", name="l2_sp", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Weights of several shapes cannot pass through Loss.__call__, which reduces
        # per leaf; the scalar goes through it, for its scaling under tf.distribute.
        total = ops.zeros((1,), "float32")
        for start, now in zip(y_true, y_pred, strict=True):
            gap = ops.cast(now, "float32") - ops.cast(start, "float32")
            total = total + 0.5 * ops.sum(ops.square(gap))
        return super().__call__(ops.zeros_like(total), total, sample_weight)

    def call(self, y_true, y_pred):
        return y_pred
