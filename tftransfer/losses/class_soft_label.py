"""ClassSoftLabelLoss: what a class looks like to a teacher (Tzeng, 2015)."""

import keras
import numpy as np
from keras import ops

from tftransfer.core import register
from tftransfer.losses.soft_target import check_temperature


@register
class ClassSoftLabelLoss(keras.losses.Loss):
    """Cross-entropy with the soft label of a picture's class, on softened logits.

    loss = soft_label_weight * -sum_j l_j(y) * log softmax(pred / T)_j
    + label_weight * CE(y, softmax(pred)), with l(y) row y of the `matrix` and T the
    `temperature`. Unlike Hinton's soft targets, every picture of a class has the same
    target, and no teacher runs.

    Args:
        matrix: (label classes, classes), a distribution per row, such as that of
            `tft.distillation.class_soft_labels`, made at the same temperature.
        temperature: T above 0. Defaults to the paper's 2.
        soft_label_weight: Factor of the soft labels, 0 or more; nu in the paper, which
            uses 0.1 beside labels of weight 1.
        label_weight: Factor of the plain cross-entropy with y, 0 or more; above 0 for a
            square `matrix` alone, where y names a class of the logits, too.
        name: Name of the loss.
        **kwargs: `reduction`.

    Call arguments:
        y_true: (batch,) or (batch, 1) integers in [0, label classes).
        y_pred: Logits (batch, classes).

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When the matrix is no list of distributions, a factor is below 0, or
            the logits have another number of classes.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import ClassSoftLabelLoss
        >>> loss = ClassSoftLabelLoss([[0.75, 0.25], [0.5, 0.5]], temperature=1.0)
        >>> round(float(loss(np.array([0]), np.array([[0.0, 0.0]]))), 4)  # log 2
        0.6931

    References:
        Tzeng, Hoffman, Darrell & Saenko, Simultaneous Deep Transfer Across Domains and
        Tasks, ICCV 2015, arXiv:1510.02192.
    """

    def __init__(
        self,
        matrix,
        temperature: float = 2.0,
        *,
        soft_label_weight: float = 1.0,
        label_weight: float = 0.0,
        name="class_soft_label",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        check_temperature(temperature)
        self.matrix = _distributions(matrix)
        self.temperature = temperature
        self.soft_label_weight, self.label_weight = soft_label_weight, label_weight
        self._check_weights()

    def _check_weights(self):
        if min(self.soft_label_weight, self.label_weight) < 0:
            raise ValueError(
                "Expected `soft_label_weight` and `label_weight` of 0 or more. "
                f"Received: {self.soft_label_weight} and {self.label_weight}."
            )
        rows, columns = self.matrix.shape
        if self.label_weight and rows != columns:
            raise ValueError(
                "Expected a square `matrix` beside `label_weight`: labels that name "
                f"classes of the logits. Received: shape {(rows, columns)}. Leave "
                "`label_weight` at 0."
            )

    def call(self, y_true, y_pred):
        rows, columns = self.matrix.shape
        if len(y_pred.shape) != 2 or y_pred.shape[-1] != columns:
            raise ValueError(
                f"Expected logits (batch, {columns}), a column of `matrix` each. "
                f"Received: {tuple(y_pred.shape)}."
            )
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        matrix = ops.convert_to_tensor(self.matrix, dtype=y_pred.dtype)
        soft = ops.take(matrix, labels, axis=0)
        loss = self.soft_label_weight * _cross_entropy(soft, y_pred / self.temperature)
        if self.label_weight:
            hard = ops.one_hot(labels, rows, dtype=y_pred.dtype)
            loss = loss + self.label_weight * _cross_entropy(hard, y_pred)
        return loss

    def get_config(self):
        return {
            **super().get_config(),
            "matrix": self.matrix.tolist(),
            "temperature": self.temperature,
            "soft_label_weight": self.soft_label_weight,
            "label_weight": self.label_weight,
        }


def _cross_entropy(target, logits):
    return -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)


def _distributions(matrix) -> np.ndarray:
    matrix = np.asarray(matrix, "float32")
    whole = matrix.ndim == 2 and matrix.min(initial=0) >= 0
    if not whole or not np.allclose(matrix.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "Expected `matrix` (label classes, classes) with a distribution of sum 1 "
            f"per row. Received: shape {matrix.shape}, rows of sum "
            f"{matrix.sum(axis=-1)}."
        )
    return matrix
