"""LiftedStructureLoss: every positive pair against all negatives (Song, 2016)."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.losses.batch_pairs import pairwise_distances
from tftransfer.losses.batch_pairs import per_row
from tftransfer.losses.batch_pairs import positives_and_negatives

# exp(-1e9) is 0 and, unlike minus infinity, has gradients.
_NONE = -1e9


@register
class LiftedStructureLoss(keras.losses.Loss):
    """Each positive pair's distance against all negatives of both its rows.

    loss = 1 / (2 |P|) * sum over pairs (i, j) of P of max(0, J_ij)^2, J_ij = d(i, j) +
    log(sum over k of e^(m - d(i, k)) + sum over l of e^(m - d(j, l))), with P the
    unordered pairs of one class, k and l the rows of other classes than i's and j's, d
    the Euclidean distance and m the `margin`.

    Equal to tensorflow-addons' `LiftedStructLoss`. In a batch without positive pairs
    (there: NaN), or of one class alone, the value is 0.

    A `sample_weight` weighs the rows: half a pair's value is that of either; a row of
    weight 0 still is a negative of the others. Under `tf.distribute` the terms are
    those of a replica's own rows.

    Args:
        margin: m. Defaults to 1.0, the paper's and tensorflow-addons'.
        name: Name of the loss.
        **kwargs: `reduction` and `dtype`.

    Call arguments:
        y_true: Class labels (n,) or (n, 1), integers below 2^24.
        y_pred: Embeddings (n, d).

    Returns:
        A scalar of 0 or more, float32.

    Raises:
        ValueError: When shapes do not fit.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import LiftedStructureLoss
        >>> loss = LiftedStructureLoss()([0, 0, 1], np.array([[0.0], [0.0], [1.0]]))
        >>> round(float(loss), 4)  # log(1 + 1)^2 / 2
        0.2402

    References:
        Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR
        2016, arXiv:1511.06452.
    """

    def __init__(self, margin: float = 1.0, *, name="lifted_structure", **kwargs):
        super().__init__(name=name, **kwargs)
        self.margin = margin

    def call(self, y_true, y_pred):
        positives, negatives = positives_and_negatives(y_true, y_pred)
        distances = pairwise_distances(y_pred, "L2")
        push = ops.logsumexp(
            ops.where(negatives, self.margin - distances, _NONE), axis=1
        )
        both = ops.stack(
            [push[:, None] + 0 * distances, push[None, :] + 0 * distances], axis=-1
        )
        hinge = ops.relu(distances + ops.logsumexp(both, axis=-1))
        return per_row(ops.square(hinge) / 2, positives)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}
