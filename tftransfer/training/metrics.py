"""Accuracy that takes integer and one-hot labels alike."""

import keras
from keras import ops

from tftransfer.core import register


@register
class LabelAccuracy(keras.metrics.Mean):
    """Share of pictures whose largest logit is the label's.

    Keras picks the form of "accuracy" once; training on mixed labels (MixUp) and
    validating on integers needs both. A mixed label counts as its largest part.

    Args:
        name: Name in the logs.
        **kwargs: As `keras.metrics.Mean`.

    Call arguments:
        y_true: (batch,) or (batch, 1) integers, or (batch, num_classes).
        y_pred: Logits or probabilities (batch, num_classes).
    """

    def __init__(self, name: str = "accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.convert_to_tensor(y_true)
        if len(y_true.shape) > 1 and y_true.shape[-1] > 1:
            y_true = ops.argmax(y_true, axis=-1)
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        right = ops.equal(labels, ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
        super().update_state(ops.cast(right, "float32"), sample_weight)
