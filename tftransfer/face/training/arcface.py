"""ArcFace: the layer of class centres on the unit sphere (Deng, 2019)."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.losses.unit import unit_vectors


@register
class ArcFace(keras.layers.Layer):
    """Scaled cosines between embeddings and a learnt centre of each class.

    logits_ij = s cos t_ij, t_ij the angle between embedding i and the centre of class j
    (a column of `kernel`), s the `scale`. `losses.ArcFaceLoss` of the same scale adds
    its margin to the label's angle in training; the softmax of the logits predicts.

    Args:
        num_classes: Number of classes, 2 or more.
        scale: s above 0. Defaults to 64, the paper's.
        seed: Of the first centres.
        **kwargs: `name` and `dtype`.

    Call arguments:
        embeddings: (batch, d), of any length above 0.

    Returns:
        Logits (batch, num_classes), in [-s, s].

    Raises:
        ValueError: When an argument is out of range.

    Example:
        >>> import numpy as np
        >>> from tftransfer.face import ArcFace
        >>> layer = ArcFace(3, scale=10.0)
        >>> layer(np.ones((2, 8))).shape
        TensorShape([2, 3])

    References:
        Deng, Guo, Xue & Zafeiriou, ArcFace: Additive Angular Margin Loss for Deep Face
        Recognition, CVPR 2019, arXiv:1801.07698.
    """

    def __init__(
        self,
        num_classes: int,
        scale: float = 64.0,
        *,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_classes < 2 or scale <= 0:
            raise ValueError(
                "Expected `num_classes` of 2 or more and `scale` above 0. Received: "
                f"{num_classes} and {scale}."
            )
        self.num_classes = num_classes
        self.scale = scale
        self.seed = seed

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.num_classes),
            initializer=keras.initializers.GlorotUniform(self.seed),
            name="kernel",
        )

    def call(self, embeddings):
        centres = unit_vectors(ops.cast(self.kernel, embeddings.dtype), axes=(0,))
        return self.scale * ops.matmul(unit_vectors(embeddings), centres)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_classes)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "scale": self.scale,
            "seed": self.seed,
        }
