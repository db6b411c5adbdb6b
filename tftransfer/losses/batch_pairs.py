"""All pairs of a batch's embeddings: distances, same class or not, means over rows."""

import keras
from keras import ops

from tftransfer.losses.kernels import squared_distances
from tftransfer.losses.unit import unit_vectors

METRICS = ("L2", "squared-L2", "angular")


def pairwise_distances(embeddings, metric: str):
    """Return the distances (n, n) between the rows of embeddings (n, d), 0 or more.

    Args:
        embeddings: Float (n, d).
        metric: "L2", Euclidean; "squared-L2"; or "angular", 1 - cosine of the angle.

    Returns:
        Float (n, n). Between equal rows distance and gradient are 0.
    """
    if metric == "angular":
        unit = unit_vectors(embeddings)
        return ops.maximum(1.0 - ops.matmul(unit, ops.transpose(unit)), 0.0)
    squared = squared_distances(embeddings)
    if metric == "squared-L2":
        return squared
    apart = squared > 0
    # A root of 0 has no gradient, and `where` alone would make it 0 * infinity.
    length = ops.sqrt(ops.where(apart, squared, ops.ones_like(squared)))
    return ops.where(apart, length, ops.zeros_like(length))


def positives_and_negatives(y_true, embeddings):
    """Return two masks (n, n): which row has which as its positive, as its negative.

    Args:
        y_true: Labels (n,) or (n, 1).
        embeddings: (n, d).

    Raises:
        ValueError: When there are no vectors, or not one label for each.
    """
    if len(embeddings.shape) != 2:
        raise ValueError(
            "Expected embeddings (batch, features). Received: "
            f"{tuple(embeddings.shape)}."
        )
    labels = ops.reshape(y_true, (-1,))
    rows, given = embeddings.shape[0], labels.shape[0]
    if None not in (rows, given) and rows != given:
        raise ValueError(
            f"Expected one label for each of {rows} embeddings. Received: {given}. "
            "One-hot rows: `labels.argmax(axis=1)`."
        )
    same = ops.equal(labels[:, None], labels[None, :])
    order = ops.arange(ops.shape(labels)[0])
    itself = ops.equal(order[:, None], order[None, :])
    return ops.logical_and(same, ops.logical_not(itself)), ops.logical_not(same)


class OverPairs(keras.losses.Loss):
    """A loss of given pairs, over all pairs of a batch: its mean over the pairs.

    Args:
        loss: Of 1 or 0, whether a pair is of one class, and the pairs' distances, such
            as `ContrastiveLoss`.

    Call arguments:
        y_true: Class labels (n,) or (n, 1).
        y_pred: Embeddings (n, d).
    """

    def __init__(self, loss: keras.losses.Loss):
        super().__init__(name=loss.name, reduction=loss.reduction)
        self.loss = loss

    def call(self, y_true, y_pred):
        positives, negatives = positives_and_negatives(y_true, y_pred)
        distances = pairwise_distances(y_pred, "L2")
        same = ops.cast(positives, distances.dtype)
        values = ops.reshape(self.loss.call(same, distances), ops.shape(distances))
        return per_row(values, ops.logical_or(positives, negatives))


def per_row(values, counted):
    """Return (n,) whose mean is the mean of `values` over the entries that count.

    Args:
        values: (n,) or (n, n), finite.
        counted: Mask of the same shape; of none the mean is 0.
    """
    values = ops.where(counted, values, ops.zeros_like(values))
    count = ops.maximum(ops.sum(ops.cast(counted, values.dtype)), 1.0)
    if len(values.shape) == 2:
        values = ops.sum(values, axis=1)
    return values * (ops.cast(ops.shape(values)[0], values.dtype) / count)
