"""NPairsLoss: each anchor's positive among all of the batch (Sohn, 2016)."""

import keras
from keras import ops

from tftransfer.core import register


@register
class NPairsLoss(keras.losses.Loss):
    """Cross-entropy of finding an anchor's own positives in the batch.

    loss = mean over i of -sum over j of q_ij log softmax_j(s_ij), with s = `y_pred` and
    q_ij = 1 / (number of rows of i's class) where i and j are of one class, else 0.
    With one row per class it is the paper's loss; its penalty on lengths is the
    caller's to add. Equal to tensorflow-addons' `NpairsLoss`.

    A `sample_weight` weighs the anchors; one of weight 0 still has its positive among
    the others' negatives. Under `tf.distribute` the rows are a replica's own.

    Args:
        name: Name of the loss.
        **kwargs: `reduction` and `dtype`.

    Call arguments:
        y_true: Class labels (n,) or (n, 1), integers below 2^24, of anchor i and its
            positive i.
        y_pred: Similarities (n, n), anchors by positives: inner products `anchors @
            positives.T`.

    Returns:
        A scalar of 0 or more, float32.

    Raises:
        ValueError: When `y_pred` is not square with a row for each label.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import NPairsLoss
        >>> round(float(NPairsLoss()([0, 1], np.eye(2))), 4)  # log(1 + 1 / e)
        0.3133

    References:
        Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective,
        NIPS 2016.
    """

    def __init__(self, *, name: str = "n_pairs", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        labels = ops.reshape(y_true, (-1,))
        _check_square(labels, y_pred)
        same = ops.cast(ops.equal(labels[:, None], labels[None, :]), y_pred.dtype)
        shares = same / ops.sum(same, axis=1, keepdims=True)
        return -ops.sum(shares * ops.log_softmax(y_pred, axis=1), axis=1)


def _check_square(labels, similarities):
    shape = tuple(similarities.shape)
    known = {size for size in (*shape, *labels.shape) if size is not None}
    if len(shape) != 2 or len(known) > 1:
        raise ValueError(
            "Expected similarities (n, n) of n labels, `anchors @ positives.T`. "
            f"Received: {shape} of {labels.shape[0]} labels."
        )
