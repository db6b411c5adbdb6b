"""Makes the net of an `Embedder` out of a Keras model, or says why it cannot be one."""

import keras

from tftransfer.backbones.preprocessing import Preprocessing
from tftransfer.core.validation import check_image_shape

_VGGFACE_SIDE = 224
_VGGFACE_TOPS = ("classifier", "fc8")


def is_vggface(model: keras.Model) -> bool:
    """Whether there is the preprocessing of a `VGGFace` in a model."""
    return any(
        isinstance(layer, Preprocessing) and layer.mode.startswith("vggface")
        for layer in model._flatten_layers()
    )


def embedding_net(model: keras.Model, size: int | None) -> keras.Model:
    """Return a functional model from square pictures of one size to vectors.

    Args:
        model: As for `Embedder.from_model`.
        size: Side in pixels where the model takes any.

    Raises:
        TypeError: When `model` is no functional model.
        ValueError: When its shapes do not fit, or it ends in a softmax.
    """
    _check_functional(model)
    features = _without_top(model)
    side = _side(features, size, _VGGFACE_SIDE if is_vggface(model) else None)
    if len(features.output_shape) == 2 and features.input_shape[1:3] == (side, side):
        return features
    images = keras.Input((side, side, 3), name="image")
    x = features(images)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="pooled_embedding")(x)
    return keras.Model(images, x, name=f"{features.name}_embedding")


def _check_functional(model) -> None:
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not isinstance(model, keras.Model) or not inputs or not outputs:
        raise TypeError(
            "Expected a functional or a built Sequential `keras.Model`. Received: "
            f"{type(model).__name__}. Connect a subclassed one: `keras.Model(x, "
            "net(x))` with x a `keras.Input`."
        )
    shapes = [tensor.shape for tensor in (*inputs, *outputs)]
    known = len(shapes) == 2 and len(shapes[0]) == 4 and len(shapes[1]) in (2, 4)
    if not known or shapes[1][-1] is None:
        raise ValueError(
            "Expected one input of pictures (batch, size, size, 3) and one output, a "
            "vector (batch, d) or a map (batch, height, width, d). Received: "
            f"{[tuple(shape) for shape in shapes]}."
        )
    check_image_shape("model.input", shapes[0])


def _without_top(model: keras.Model) -> keras.Model:
    last = model.layers[-1]
    softmax = getattr(last, "activation", None) is keras.activations.softmax
    if not softmax and not isinstance(last, keras.layers.Softmax):
        return model
    if is_vggface(model):
        for layer in model.layers:
            if layer.name in _VGGFACE_TOPS:
                name = f"{model.name}_features"
                return keras.Model(model.input, layer.input, name=name)
    raise ValueError(
        f"Expected a model that ends in features. Received '{last.name}' at its end, a "
        "softmax: probabilities of some people tell others poorly apart. Use "
        "`keras.Model(model.input, model.get_layer(...).output)` with a layer below."
    )


def _side(model, size, default) -> int:
    height, width = model.input_shape[1:3]
    known = {side for side in (height, width, size) if side is not None} or {default}
    if len(known) > 1 or None in known:
        raise ValueError(
            "Expected a model of square pictures, and `size` where it takes any. "
            f"Received: {height} x {width} and `size`: {size}."
        )
    return known.pop()
