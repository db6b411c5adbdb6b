"""ContrastiveLoss: pairs pulled together or pushed apart (Hadsell, 2006).

Of distances of given pairs. The contrast of a student's rows with a teacher's (CRD) is
`ContrastiveRepresentationLoss`.
"""

import keras
from keras import ops

from tftransfer.core import register


@register
class ContrastiveLoss(keras.losses.Loss):
    """Squared distance of equal pairs, squared shortfall to a margin of unequal ones.

    loss = mean over pairs of y d^2 + (1 - y) max(m - d, 0)^2, with y = `y_true`, d =
    `y_pred` and m the `margin`: tensorflow-addons' convention, twice the paper's.

    Args:
        margin: m above 0. Defaults to 1.0, tensorflow-addons'.
        name: Name of the loss.
        **kwargs: `reduction` and `dtype`. A `sample_weight` weighs the pairs.

    Call arguments:
        y_true: 1 where a pair is of one class, else 0; (n,) or (n, 1).
        y_pred: The distances of the pairs, 0 or more; (n,) or (n, 1).

    Returns:
        A scalar of 0 or more, float32.

    Raises:
        ValueError: When the margin is not above 0 or the numbers of pairs differ.

    Example:
        >>> from tftransfer.losses import ContrastiveLoss
        >>> round(float(ContrastiveLoss()([1, 0], [0.5, 0.8])), 4)  # (0.25 + 0.04) / 2
        0.145

    References:
        Hadsell, Chopra & LeCun, Dimensionality Reduction by Learning an Invariant
        Mapping, CVPR 2006.
    """

    def __init__(
        self, margin: float = 1.0, *, name: str = "contrastive_pairs", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        if margin <= 0:
            raise ValueError(f"Expected `margin` above 0. Received: {margin}.")
        self.margin = margin

    def call(self, y_true, y_pred):
        same, distance = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))
        if None not in (*same.shape, *distance.shape) and same.shape != distance.shape:
            raise ValueError(
                "Expected one distance for each pair. Received: y_true of shape "
                f"{tuple(same.shape)} and y_pred of {tuple(distance.shape)}, flattened."
            )
        shortfall = ops.relu(self.margin - distance)
        return same * ops.square(distance) + (1 - same) * ops.square(shortfall)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}
