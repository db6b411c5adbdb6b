"""A net as one compiled TensorFlow function, its weights folded in.

TensorFlow only. Constants let TensorFlow merge BatchNorm into convolutions and let
oneDNN lay out each kernel once: 1.2x to 1.5x the speed of a `tf.function` over
variables on CPU. A changed weight makes a new function at the next `refresh`.
"""

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tftransfer.inference.net_function import NetFunction

_LARGEST_CONSTANTS = 2**30  # bytes; a GraphDef must stay below 2 GiB


class FrozenFunction(NetFunction):
    """`net(images, training=False)` compiled per picture dtype, any batch size.

    Args:
        net: Built Keras model, or what has its `input_shape`, `variables` and call: raw
            RGB [0, 255] `(batch, height, width, 3)` -> tensor or structure of tensors.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
        >>> frozen = FrozenFunction(model)
        >>> frozen(np.zeros((2, 4, 4, 3), np.uint8))[0].shape
        TensorShape([2, 48])
    """

    name = "tensorflow"
    # Batches at a time: one fills the cores where the other waits for memory, 1.1x on 2
    # cores; three gained nothing more.
    in_flight = 2

    def __call__(self, images) -> list[tf.Tensor]:
        """Return the flat list of outputs for `images`, uint8 or any float dtype."""
        tensor = tf.convert_to_tensor(images)
        if tensor.dtype != tf.uint8:
            tensor = tf.cast(tensor, tf.float32)
        return self._of(tensor.dtype)(tensor)

    def _compile(self, dtype: tf.DType):
        return frozen(self._net, dtype)


def frozen(net, dtype: tf.DType = tf.float32, *, always: bool = False):
    """Return the net as a concrete function of one tensor, `image`, without variables.

    Its outputs are the flat list of the net's. A net of more than 1 GiB keeps its
    variables.

    Args:
        net: As for `FrozenFunction`.
        dtype: Of the pictures.
        always: Whether a larger net is an error.

    Raises:
        ValueError: When it is.
    """
    spec = tf.TensorSpec((None, *net.input_shape[1:]), dtype, "image")

    # jit_compile: XLA runs depthwise convolutions 4 to 10 times slower on CPU.
    @tf.function(input_signature=[spec], jit_compile=False)
    def compute(image):
        return tf.nest.flatten(net(tf.cast(image, tf.float32), training=False))

    concrete = compute.get_concrete_function()
    if sum(_bytes(v) for v in concrete.variables) > _LARGEST_CONSTANTS:
        if always:
            raise ValueError(
                "Expected a model of at most 1 GiB for this format. Received a larger "
                "one: export a SavedModel."
            )
        return compute
    return convert_to_constants.convert_variables_to_constants_v2(
        concrete, lower_control_flow=False
    )


def _bytes(variable: tf.Variable) -> int:
    return int(np.prod(variable.shape)) * variable.dtype.size
