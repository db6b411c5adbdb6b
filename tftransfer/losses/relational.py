"""RelationalLoss: distances and angles within a batch (RKD, Park, 2019)."""

import math

from keras import ops

from tftransfer.core import register
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.distillation_loss import paired

# A squared distance at or below this is that of a row to its copy.
_SAME = 1e-24


@register
class RelationalLoss(DistillationLoss):
    """Huber distance of the geometry of two batches of embeddings.

    loss = sum over pairs of a * mean_ij huber(d_t(i, j) - d_s(i, j)) + b * mean_ijk
    huber(cos_t(i, j, k) - cos_s(i, j, k)), with a the `distance_weight` and b the
    `angle_weight`; d(i, j) is the distance of two rows over the mean of those distances
    that are not 0, cos(i, j, k) the cosine of the angle at row j, huber that of delta
    1. Means are over rows that are all different, as the paper defines its tuples (the
    authors' code averages over all, which of n rows is (n - 1) / n of the distances'
    and (n - 1)(n - 2) / n^2 of the angles'). Widths need not agree.

    A row's own value is the mean over the tuples in which it is the first of a pair or
    the vertex of an angle. A `sample_weight` weighs these values; a row of weight 0
    still is a neighbour of the others. In a batch of one row the loss is 0, in one of
    two rows the distances of both nets are 1 and there is no angle: 0, too. Memory
    grows with batch^2 * width + batch^3.

    Args:
        pairs: [(student layer, teacher layer), ...]; (None, None), the default, for the
            logits. Maps are flattened. See `DistillationLoss`.
        distance_weight: a, 0 or more. Defaults to 25, the authors' for classifiers.
        angle_weight: b, 0 or more. Defaults to 50, the authors' for classifiers.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's embeddings (batch, ...), a list with one per pair.
        y_pred: The student's, likewise.

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When a weight is negative or an embedding has no axis of features.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import RelationalLoss
        >>> teacher = np.array([[0.0, 0], [0, 1], [1, 0]])
        >>> student = 7 * teacher @ np.array([[0.0, 1], [-1, 0]])  # larger and turned
        >>> round(float(RelationalLoss()(teacher, student)), 4)
        0.0

    References:
        Park et al., Relational Knowledge Distillation, CVPR 2019, arXiv:1904.05068.
    """

    in_batch = True

    def __init__(
        self,
        pairs=((None, None),),
        *,
        distance_weight: float = 25.0,
        angle_weight: float = 50.0,
        name="relational",
        **kwargs,
    ):
        super().__init__(pairs, name=name, **kwargs)
        if min(distance_weight, angle_weight) < 0:
            raise ValueError(
                "Expected `distance_weight` and `angle_weight` of 0 or more. Received: "
                f"{distance_weight} and {angle_weight}."
            )
        self.distance_weight = distance_weight
        self.angle_weight = angle_weight

    def call(self, y_true, y_pred):
        return sum(self._compared(t, s) for t, s in paired(y_true, y_pred))

    def _compared(self, teacher, student):
        (d_t, cos_t), (d_s, cos_s) = _geometry(teacher), _geometry(student)
        rows = ops.arange(ops.shape(d_s)[0])
        other = ops.cast(rows[:, None] != rows[None, :], d_s.dtype)
        others = ops.cast(ops.shape(d_s)[0] - 1, d_s.dtype)
        # The value of a row with itself is 0 in both nets: no mask in the first sum.
        distance = ops.sum(_huber(d_t - d_s), axis=1) / ops.maximum(others, 1)
        angle = ops.sum(_huber(cos_t - cos_s) * other, axis=(1, 2))
        angle = angle / ops.maximum(others * (others - 1), 1)
        return self.distance_weight * distance + self.angle_weight * angle

    def get_config(self):
        return {
            **super().get_config(),
            "distance_weight": self.distance_weight,
            "angle_weight": self.angle_weight,
        }


def _geometry(embeddings) -> tuple:
    """Return distances (batch, batch) over their mean, and cosines (vertex, i, k).

    Differences rather than a Gram matrix: of equal rows they are exactly 0. Between
    such rows distance and cosines are 0, and so are their gradients.
    """
    if len(embeddings.shape) < 2:
        raise ValueError(
            "Expected embeddings (batch, features) or maps. Received: "
            f"{tuple(embeddings.shape)}."
        )
    width = math.prod(ops.shape(embeddings)[1:])  # of maps of any size a tensor
    flat = ops.reshape(embeddings, (-1, width))
    gaps = flat[None, :, :] - flat[:, None, :]  # [j, i]: from row j to row i
    squared = ops.sum(ops.square(gaps), axis=-1)
    apart = squared > _SAME
    # A root of 0 has no gradient, and `where` alone would make it 0 * infinity.
    length = ops.sqrt(ops.where(apart, squared, 1.0))
    apart = ops.cast(apart, flat.dtype)
    distance = length * apart
    count = ops.maximum(ops.sum(apart), 1.0)
    mean = ops.sum(distance) / count
    mean = ops.where(mean > 0, mean, 1.0)
    directions = gaps * (apart / length)[:, :, None]
    cosines = ops.matmul(directions, ops.transpose(directions, (0, 2, 1)))
    return distance / mean, cosines


def _huber(gap):
    size = ops.abs(gap)
    return ops.where(size < 1, 0.5 * ops.square(gap), size - 0.5)
