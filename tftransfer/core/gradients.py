"""Gradient reversal (Ganin & Lempitsky, 2015), and gradients that leave weights alone.

`differentiated_after` acts with TensorFlow only.
"""

import keras
from keras import ops

from tftransfer.core.registration import register


@register
class GradientReversal(keras.layers.Layer):
    """Pass the input on and multiply its gradient by `-scale`.

    forward: y = x, to the bit in any dtype; backward: dL/dx = -scale * dL/dy. Written
    with `stop_gradient`, so it is the same on TensorFlow, JAX and PyTorch, compiled or
    not. `scale` (lambda in the paper) is a non-trainable variable: a callback may
    change it within one `fit`.

    Args:
        scale: Factor of the reversed gradient, 0 or more. 0 blocks the gradient.

    Call arguments:
        x: Tensor of any shape.

    Returns:
        `x`, unchanged.

    Raises:
        ValueError: When `scale` is negative: that would undo the reversal.

    Example:
        >>> import keras
        >>> from tftransfer.core import GradientReversal
        >>> reverse = GradientReversal(scale=0.5)
        >>> features = keras.Input((8,))
        >>> domain = keras.layers.Dense(1)(reverse(features))

    References:
        Ganin & Lempitsky, Unsupervised Domain Adaptation by Backpropagation,
        ICML 2015, arXiv:1409.7495.
    """

    def __init__(self, scale: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        if scale < 0:
            raise ValueError(f"Expected `scale` of 0 or more. Received: {scale}.")
        self.scale = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="scale"
        )
        self.scale.assign(scale)
        self._initial_scale = float(scale)
        self.built = True

    def call(self, x):
        scale = ops.cast(self.scale, x.dtype)
        stopped = ops.stop_gradient(x)
        # x - stopped is 0: (1 + scale) * x - scale * x would round and overflow.
        return stopped - scale * (x - stopped)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self._initial_scale}


def call_with_frozen_weights(layer: keras.layers.Layer, *inputs, **kwargs):
    """Call `layer` so that gradients reach its inputs and not its weights.

    What a generator does with a discriminator: the loss flows through it to the
    features, while this call neither trains it nor moves its BatchNorm statistics. It
    does not touch `layer.trainable`, which Keras reads when it traces the step.

    Args:
        layer: A built layer or model.
        *inputs: Its inputs.
        **kwargs: Its call arguments, such as `training`.

    Returns:
        The layer's output.

    Raises:
        ValueError: When `layer` has no weights yet.

    Example:
        >>> import keras
        >>> from tftransfer.core import call_with_frozen_weights
        >>> judge = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> call_with_frozen_weights(judge, keras.ops.ones((2, 4))).shape[0]
        2
    """
    if not layer.built:
        raise ValueError(
            f"Expected a built layer. Received: '{layer.name}', which has no weights "
            "yet. Call it once on data, or give it an Input."
        )
    trainable = [ops.stop_gradient(v.value) for v in layer.trainable_variables]
    other = [ops.stop_gradient(v.value) for v in layer.non_trainable_variables]
    outputs, _ = layer.stateless_call(trainable, other, *inputs, **kwargs)
    return outputs


def differentiated_after(loss):
    """Return `loss`, whose gradients wait until its value is there.

    The optimizer must not change a weight before all terms have read it. TensorFlow
    2.21 takes care of that by control dependencies and then loses some: Grappler drops
    an edge from a read to the update because the gradients of all weights meet in one
    `IdentityN`, and afterwards takes the `IdentityN` apart. Who reads a weight without
    a gradient for it, as `call_with_frozen_weights` does, then sees the new value once
    in about a thousand steps. A gradient that begins when the loss has been computed
    leaves nothing to lose.

    Args:
        loss: A scalar, the sum of all terms.

    Returns:
        The same scalar; on other backends than TensorFlow the same object.
    """
    if keras.backend.backend() != "tensorflow":
        return loss
    import tensorflow as tf

    @tf.custom_gradient
    def identity(value):
        def gradient(upstream):
            with tf.control_dependencies([value]):
                return tf.identity(upstream)

        return tf.identity(value), gradient

    return identity(loss)
