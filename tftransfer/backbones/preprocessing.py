"""Each family's preprocessing as a layer inside the backbone.

The families of keras.applications disagree about what a net wants to see; here every
backbone takes raw RGB in [0, 255] and this layer does the rest.
"""

import keras
from keras import ops

from tftransfer.core.registration import register
from tftransfer.core.validation import check_one_of

# mode -> (scale, mean, deviation, channels reversed): y = (x * scale - mean) / std
_MODES = {
    "none": (1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False),
    "scale": (1.0 / 255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False),
    "tf": (1.0 / 127.5, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), False),
    "torch": (1.0 / 255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), False),
    "caffe": (1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), True),
    "vggface1": (1.0, (93.5940, 104.7624, 129.1863), (1.0, 1.0, 1.0), True),
    "vggface2": (1.0, (91.4953, 103.8827, 131.0912), (1.0, 1.0, 1.0), True),
}

# Families that are not listed here scale inside their own graph: "none".
FAMILY_MODES = {
    "xception": "tf",
    "vgg": "caffe",
    "resnet": "caffe",
    "resnet_v2": "tf",
    "inception_v3": "tf",
    "inception_resnet_v2": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "mobilenet_v3": "none",
    "densenet": "torch",
    "nasnet": "tf",
    "efficientnet": "none",
    "efficientnet_v2": "none",
    "convnext": "none",
    "tiny": "tf",
}


@register
class Preprocessing(keras.layers.Layer):
    """Turn raw RGB into what a family of nets was trained on.

    Works in float32 whatever the global precision: raw values are large and the
    means of "caffe" would lose digits in half precision.

    Args:
        mode: "tf": to [-1, 1]. "torch": to [0, 1], then minus the ImageNet mean over
            the ImageNet deviation per channel. "caffe": RGB to BGR, minus the ImageNet
            mean, not scaled. "vggface1", "vggface2": as "caffe", with the mean of the
            faces of VGGFace or VGGFace2. "scale": to [0, 1]. "none": unchanged.

    Call arguments:
        images: `(batch, height, width, 3)`, RGB in [0, 255].

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: When the mode is none of these.

    Example:
        >>> import numpy as np
        >>> layer = Preprocessing("tf")
        >>> float(layer(np.full((1, 1, 1, 3), 255.0))[0, 0, 0, 0])
        1.0
    """

    def __init__(self, mode: str = "none", **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        check_one_of("mode", mode, _MODES)
        self.mode = mode

    def call(self, images):
        scale, mean, deviation, reverse = _MODES[self.mode]
        images = ops.cast(images, self.compute_dtype)  # Keras casts no integers
        if self.mode == "none":
            return images
        if reverse:
            images = ops.flip(images, axis=-1)
        mean = ops.convert_to_tensor(mean, dtype=images.dtype)
        deviation = ops.convert_to_tensor(deviation, dtype=images.dtype)
        return (images * scale - mean) / deviation

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}
