"""ArcFaceLoss: softmax with an additive angular margin (Deng, 2019)."""

import math

import keras
from keras import ops

from tftransfer.core import check_range
from tftransfer.core import register

# 1 - cosine^2 at or below this counts as 0: the sine's gradient is infinite there.
_ALIGNED = 1e-7


@register
class ArcFaceLoss(keras.losses.Loss):
    """Cross-entropy after the label's angle was widened by a margin.

    loss = mean over i of -log(e^(s f(t_y)) / (e^(s f(t_y)) + sum over j != y of e^(s
    cos t_j))), f(t) = cos(t + m), with t_j the angle between embedding i and the centre
    of class j, y its label, s the `scale` and m the `margin`. It reads the logits s
    cos(t_j) of an `ArcFace` layer of the same scale: the margin is here alone, so that
    the net predicts without it, and a margin of 0 is plain cross-entropy.

    Beyond t = pi - m, where cos(t + m) would rise again, f(t) = cos t - m sin m as in
    the authors' code: it goes on falling, with a step of 1 - cos m - m sin m at that
    angle (below 0: -0.117 at m = 0.5).

    Args:
        margin: m in radians, in [0, pi / 2). Defaults to 0.5, the paper's.
        scale: s above 0. Defaults to 64, the paper's.
        name: Name of the loss.
        **kwargs: `reduction` and `dtype`. A `sample_weight` weighs the rows.

    Call arguments:
        y_true: Class labels (n,) or (n, 1), integers in [0, classes).
        y_pred: Logits (n, classes), s times cosines.

    Returns:
        A scalar of 0 or more, float32.

    Raises:
        ValueError: When margin or scale are out of range, or `y_pred` is no matrix.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import ArcFaceLoss
        >>> logits = 2 * np.array([[1.0, 0.0]])  # on its own class' centre
        >>> round(float(ArcFaceLoss(scale=2.0)([0], logits)), 4)
        0.1595

    References:
        Deng, Guo, Xue & Zafeiriou, ArcFace: Additive Angular Margin Loss for Deep Face
        Recognition, CVPR 2019, arXiv:1801.07698.
    """

    def __init__(
        self,
        margin: float = 0.5,
        scale: float = 64.0,
        *,
        name: str = "arcface",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        check_range("margin", margin, 0, math.pi / 2, open_high=True)
        if scale <= 0:
            raise ValueError(f"Expected `scale` above 0. Received: {scale}.")
        self.margin = margin
        self.scale = scale

    def call(self, y_true, y_pred):
        if len(y_pred.shape) != 2:
            raise ValueError(
                f"Expected logits (batch, classes). Received: {tuple(y_pred.shape)}."
            )
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        own = ops.one_hot(labels, ops.shape(y_pred)[1], dtype=y_pred.dtype)
        cosine = ops.sum(own * y_pred, axis=1) / self.scale
        widened = self.scale * self._widened(cosine)
        logits = ops.where(own > 0, widened[:, None], y_pred)
        return ops.logsumexp(logits, axis=1) - widened

    def _widened(self, cosine):
        cosine = ops.clip(cosine, -1.0, 1.0)
        squared = 1.0 - ops.square(cosine)
        apart = squared > _ALIGNED
        sine = ops.sqrt(ops.where(apart, squared, ops.ones_like(squared)))
        sine = ops.where(apart, sine, ops.zeros_like(sine))
        widened = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = cosine - self.margin * math.sin(self.margin)
        return ops.where(cosine > -math.cos(self.margin), widened, beyond)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}
