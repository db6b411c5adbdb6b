"""ClassBalanceLoss: classes that a sample's mean prediction leaves out."""

import keras
from keras import ops

from tftransfer.core import register


@register
class ClassBalanceLoss(keras.losses.Loss):
    """Divergence of a sample's mean prediction from the shares of its classes.

    loss = KL(shares || mean over rows of softmax(logits)), in nats: 0 where the rows
    together give each class its share, large where one class takes all of them.

    Args:
        name: Name of the loss.
        reduction: As in every Keras loss.

    Call arguments:
        y_true: The shares (classes,), which add up to 1: 1 / classes each, where
            nothing else is known.
        y_pred: Logits (batch, classes).

    Returns:
        A scalar, float32, 0 or more.

    Raises:
        ValueError: When shares and logits have other classes, or a `sample_weight`
            comes.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import ClassBalanceLoss
        >>> one_each = np.array([[9.0, 0.0], [0.0, 9.0]])
        >>> round(float(ClassBalanceLoss()([0.5, 0.5], one_each)), 4)
        0.0

    References:
        Saito et al., Maximum Classifier Discrepancy for Unsupervised Domain Adaptation,
        CVPR 2018, arXiv:1712.02560, whose code adds -mean(log(mean prediction)), the
        same up to a constant.
    """

    def __init__(self, *, name="class_balance", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)

    def __call__(self, y_true, y_pred, sample_weight=None):
        shapes = tuple(ops.shape(y_true)), tuple(ops.shape(y_pred))
        if sample_weight is not None or shapes[0] != shapes[1][1:]:
            weighted = "" if sample_weight is None else " and a `sample_weight`"
            raise ValueError(
                "Expected shares (classes,) and logits (batch, classes), the rows "
                f"together, without weights. Received: {shapes[0]} and {shapes[1]}"
                f"{weighted}."
            )
        return super().__call__(y_true, y_pred)

    def call(self, y_true, y_pred):
        shares = ops.cast(y_true, "float32")
        log = ops.log_softmax(ops.cast(y_pred, "float32"))
        rows = ops.cast(ops.shape(y_pred)[0], "float32")
        means = ops.logsumexp(log, axis=0) - ops.log(rows)
        # A class without a share counts 0, whose logarithm must not.
        known = ops.log(ops.where(shares > 0, shares, 1.0))
        return ops.reshape(ops.sum(shares * (known - means)), (1,))
