"""The three nets of MTCNN as Keras models."""

import keras
from keras import layers

from tftransfer.face.detection.mtcnn_layers import GREY
from tftransfer.face.detection.mtcnn_layers import SCALE
from tftransfer.face.detection.mtcnn_layers import Convolve
from tftransfer.face.detection.mtcnn_layers import Layers
from tftransfer.face.detection.mtcnn_layers import Pool


def keras_net(net: Layers, weights: dict | None = None) -> keras.Model:
    """Return a net as a Keras model.

    Args:
        net: Its layers.
        weights: {"net/layer/weight": array}, as `mtcnn_weights` reads them; None for
            random ones.

    Returns:
        Model of RGB [0, 255] `(batch, height, width, 3)` to the list of its heads:
        offsets of left, top, right and bottom in shares of the window's or crop's side,
        in the last net landmarks likewise, and probabilities of no face and of a face.
        The proposal net gives them per window, `(batch, rows, columns, values)`, the
        others per crop, `(batch, values)`.

    Example:
        >>> from tftransfer.face.detection.mtcnn_layers import PROPOSAL
        >>> outputs = keras_net(PROPOSAL)(keras.ops.zeros((1, 12, 14, 3)))
        >>> [tuple(output.shape) for output in outputs]
        [(1, 1, 2, 4), (1, 1, 2, 2)]
    """
    pixels = keras.Input((net.side, net.side, 3), name="pixels")
    x = layers.Rescaling(SCALE, -GREY * SCALE, name="normalise")(pixels)
    for layer in net.trunk:
        x = _applied(layer, x)
    outputs = [_head(head, x) for head in net.heads]
    model = keras.Model(pixels, outputs, name=net.name)
    for layer in model.layers if weights else ():
        for variable in layer.variables:
            variable.assign(weights[f"{net.name}/{layer.name}/{variable.name}"])
    return model


def _applied(layer, x):
    if isinstance(layer, Pool):
        padding = "same" if layer.padded else "valid"
        return layers.MaxPooling2D(layer.window, 2, padding=padding)(x)
    if isinstance(layer, Convolve):
        name = f"conv{layer.name}"
        x = layers.Conv2D(layer.filters, layer.kernel, name=name)(x)
        return layers.PReLU(shared_axes=[1, 2], name=f"prelu{layer.name}")(x)
    x = layers.Flatten()(layers.Permute((2, 1, 3))(x))
    x = layers.Dense(layer.units, name=f"fc{layer.name}")(x)
    return layers.PReLU(name=f"prelu{layer.name}")(x)


def _head(head, x):
    activation = "softmax" if head.faces else None
    options = {"activation": activation, "name": head.name}
    if len(x.shape) == 4:
        return layers.Conv2D(head.units, 1, **options)(x)
    return layers.Dense(head.units, **options)(x)
