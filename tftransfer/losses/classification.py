"""Cross-entropy for integer and for mixed labels."""

import keras
from keras import ops

from tftransfer.core import register


@register
class ClassificationLoss(keras.losses.Loss):
    """Cross-entropy on logits for labels of either form, with label smoothing.

    Args:
        num_classes: Number of classes.
        smoothing: Mass spread evenly over all classes, in [0, 1).

    Call arguments:
        y_true: (batch,) or (batch, 1) integers, or (batch, num_classes) distributions.
        y_pred: Logits (batch, num_classes).

    Returns:
        The mean over the batch.
    """

    def __init__(self, num_classes, smoothing=0.0, name="cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        if len(y_true.shape) < 2 or y_true.shape[-1] == 1:
            y_true = ops.one_hot(
                ops.cast(ops.reshape(y_true, (-1,)), "int32"), self.num_classes
            )
        y_true = ops.cast(y_true, y_pred.dtype)
        y_true = (1 - self.smoothing) * y_true + self.smoothing / self.num_classes
        return -ops.sum(y_true * ops.log_softmax(y_pred), axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "smoothing": self.smoothing,
        }
