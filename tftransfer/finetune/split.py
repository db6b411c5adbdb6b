"""A backbone in two: the frozen trunk below a cut, and the rest above it."""

import keras
from keras import ops

from tftransfer.finetune.freezing import layers_until
from tftransfer.finetune.freezing import tensor_of


def split(backbone: keras.Model, name: str) -> tuple[keras.Model, keras.Model]:
    """Cut a backbone at a layer or endpoint into trunk and rest.

    Both share the backbone's layers. `rest(trunk(x))` equals `backbone(x)`.

    Args:
        backbone: A `Backbone`.
        name: Where to cut: an endpoint such as "stage3" or "pooled", or a layer.

    Returns:
        `(trunk, rest)`: raw RGB -> activations at `name` -> pooled features.

    Raises:
        ValueError: When nothing has this name, or a path around it reaches the output.

    Example:
        >>> import tftransfer as tft
        >>> trunk, rest = split(tft.Backbone("tiny", weights=None), "stage2")
        >>> trunk.output_shape == rest.input_shape
        True
    """
    tensor = tensor_of(backbone, name)
    trunk = keras.Model(backbone.input, tensor, name=f"{backbone.name}_until_{name}")
    if tensor is backbone.output:
        same = keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        return trunk, keras.Model(same, ops.copy(same), name="nothing")
    try:
        rest = keras.Model(
            tensor, backbone.output, name=f"{backbone.name}_after_{name}"
        )
    except ValueError as error:
        raise ValueError(
            f"Expected a cut through which everything flows. Received: '{name}', which "
            "a skip connection passes by. Cut at an endpoint: "
            f"{list(getattr(backbone, 'endpoint_names', []))}."
        ) from error
    return trunk, rest


def deepest_frozen_endpoint(backbone: keras.Model) -> str | None:
    """Name the last endpoint below which nothing trains, or None.

    Args:
        backbone: A `Backbone`.

    Returns:
        An endpoint's name; "pooled" when the whole backbone is frozen.
    """
    training = {layer.name for layer in backbone.layers if layer.trainable_variables}
    if not backbone.trainable:
        training = set()
    frozen = [
        name
        for name in backbone.endpoint_names
        if not layers_until(backbone, name) & training
    ]
    return frozen[-1] if frozen else None
