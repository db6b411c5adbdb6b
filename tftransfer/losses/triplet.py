"""Triplet losses on a batch of embeddings, its triplets found within the batch."""

import keras
from keras import ops

from tftransfer.core import check_one_of
from tftransfer.core import register
from tftransfer.losses.batch_pairs import METRICS
from tftransfer.losses.batch_pairs import pairwise_distances
from tftransfer.losses.batch_pairs import per_row
from tftransfer.losses.batch_pairs import positives_and_negatives


class _TripletLoss(keras.losses.Loss):
    """A loss of labels and embeddings, with a margin and a distance."""

    def __init__(self, margin, distance_metric, name, **kwargs):
        super().__init__(name=name, **kwargs)
        if margin < 0:
            raise ValueError(f"Expected `margin` of 0 or more. Received: {margin}.")
        check_one_of("distance_metric", distance_metric, METRICS)
        self.margin = margin
        self.distance_metric = distance_metric

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "distance_metric": self.distance_metric,
        }


@register
class TripletSemiHardLoss(_TripletLoss):
    """Triplet loss of each positive pair with its semi-hard negative (FaceNet).

    loss = mean over pairs (a, p) of one class, a != p, of max(d(a, p) - d(a, n) + m,
    0), with m the `margin`, d the `distance_metric` and n the nearest row of another
    class that is farther from a than p is; where no row is, the farthest of another
    class.

    Equal to tensorflow-addons' loss, but for batches without a positive pair or of one
    class alone: there the value is 0 with gradient 0 (theirs: NaN without pairs;
    distances to the anchor itself in place of a negative's). Memory grows with batch^3.

    A `sample_weight` weighs the anchors; a row of weight 0 still is a positive and
    negative of the others. Under `tf.distribute` each replica finds triplets among its
    own rows: give it whole groups of a class, or gather (docs/faces_training.md).

    Args:
        margin: m, 0 or more. Defaults to 1.0, tensorflow-addons'; FaceNet's is 0.2 on
            "squared-L2".
        distance_metric: "L2", "squared-L2" or "angular" (1 - cosine).
        name: Name of the loss.
        **kwargs: `reduction` and `dtype`; with None as the reduction each anchor has a
            value, and their mean is the loss.

    Call arguments:
        y_true: Class labels (n,) or (n, 1), integers below 2^24.
        y_pred: Embeddings (n, d), scaled to unit length by the caller where lengths
            should not count.

    Returns:
        A scalar of 0 or more, float32.

    Raises:
        ValueError: When an argument or a shape does not fit.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import TripletSemiHardLoss
        >>> line = np.array([[0.0], [0.1], [0.5]])
        >>> round(float(TripletSemiHardLoss(0.6)([0, 0, 1], line)), 4)
        0.25

    References:
        Schroff, Kalenichenko & Philbin, FaceNet: A Unified Embedding for Face
        Recognition and Clustering, CVPR 2015, arXiv:1503.03832.
    """

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: str = "L2",
        *,
        name: str = "triplet_semi_hard",
        **kwargs,
    ):
        super().__init__(margin, distance_metric, name, **kwargs)

    def call(self, y_true, y_pred):
        positives, negatives = positives_and_negatives(y_true, y_pred)
        distances = pairwise_distances(y_pred, self.distance_metric)
        chosen = _semi_hard(ops.stop_gradient(distances), negatives)
        to_negative = ops.take_along_axis(distances, chosen, axis=1)
        values = ops.relu(distances - to_negative + self.margin)
        paired = ops.any(negatives, axis=1, keepdims=True)
        return per_row(values, ops.logical_and(positives, paired))


def _semi_hard(distances, negatives):
    """Return (anchor, positive) -> index of the negative, int (n, n)."""
    farther = ops.logical_and(
        negatives[:, None, :], distances[:, None, :] > distances[:, :, None]
    )
    beyond_all = ops.max(distances) + 1.0
    nearest = ops.where(farther, distances[:, None, :], beyond_all)
    farthest = ops.where(negatives, distances, -1.0)
    return ops.where(
        ops.any(farther, axis=2),
        ops.argmin(nearest, axis=2),
        ops.argmax(farthest, axis=1)[:, None],
    )


@register
class TripletHardLoss(_TripletLoss):
    """Triplet loss of each row with its hardest positive and negative (batch-hard).

    loss = mean over a of f(max over p of d(a, p) - min over n of d(a, n)), with p the
    other rows of a's class, n those of other classes, d the `distance_metric`; f(x) =
    max(x + m, 0) with m the `margin`, or log(1 + e^x) if `soft`.

    Equal to tensorflow-addons' loss where every row has a positive and a negative. A
    row that lacks one is no anchor and does not count here (theirs takes the distance
    to itself for the hardest positive, and averages over it); of no anchor at all the
    value is 0 with gradient 0.

    The hardest rows of badly labelled or untrained embeddings may pull all to one point
    (there "L2" has its value at the margin and no gradient): begin from a trained
    net, from `TripletSemiHardLoss`, or with `soft`.

    A `sample_weight` weighs the anchors; a row of weight 0 still is a positive and
    negative of the others. Under `tf.distribute` each replica finds triplets among its
    own rows: give it whole groups of a class, or gather (docs/faces_training.md).

    Args:
        margin: m, 0 or more; without effect if `soft`. Defaults to 1.0, that of
            tensorflow-addons; 0.2 is usual on unit vectors.
        soft: Whether f is the softplus, which keeps on pulling beyond the margin.
        distance_metric: "L2", the paper's advice, "squared-L2" or "angular".
        name: Name of the loss.
        **kwargs: `reduction` and `dtype`; with None as the reduction each anchor has a
            value, and their mean is the loss.

    Call arguments:
        y_true: Class labels (n,) or (n, 1), integers below 2^24; P classes with K
            rows each as `tft.data.balanced_batches` draws them.
        y_pred: Embeddings (n, d), scaled to unit length by the caller where lengths
            should not count.

    Returns:
        A scalar of 0 or more, float32.

    Raises:
        ValueError: When an argument or a shape does not fit.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import TripletHardLoss
        >>> line = np.array([[0.0], [0.1], [0.5]])
        >>> round(float(TripletHardLoss(0.6)([0, 0, 1], line)), 4)
        0.25

    References:
        Hermans, Beyer & Leibe, In Defense of the Triplet Loss for Person
        Re-Identification, 2017, arXiv:1703.07737.
    """

    def __init__(
        self,
        margin: float = 1.0,
        soft: bool = False,
        distance_metric: str = "L2",
        *,
        name: str = "triplet_hard",
        **kwargs,
    ):
        super().__init__(margin, distance_metric, name, **kwargs)
        self.soft = soft

    def call(self, y_true, y_pred):
        positives, negatives = positives_and_negatives(y_true, y_pred)
        distances = pairwise_distances(y_pred, self.distance_metric)
        farthest = ops.stop_gradient(ops.max(distances))  # finite where none is
        hardest_positive = ops.max(ops.where(positives, distances, 0.0), axis=1)
        hardest_negative = ops.min(ops.where(negatives, distances, farthest), axis=1)
        gap = hardest_positive - hardest_negative
        values = ops.softplus(gap) if self.soft else ops.relu(gap + self.margin)
        anchors = ops.logical_and(
            ops.any(positives, axis=1), ops.any(negatives, axis=1)
        )
        return per_row(values, anchors)

    def get_config(self):
        return {**super().get_config(), "soft": self.soft}
