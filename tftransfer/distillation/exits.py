"""Exits: small classifiers on the inner layers of a net, and what they imitate."""

import keras
from keras import ops
from keras import tree

from tftransfer.backbones.unfolding import unfold

_PASSING = keras.layers.Dropout, keras.layers.Identity, keras.layers.Flatten


def exit_heads(shapes: list[tuple], width: int, num_classes: int) -> keras.Model:
    """Return one model with a classifier per layer: maps -> features and logits.

    Each averages the maps over places, then has a bottleneck, dense with ReLU, and a
    dense layer of logits.

    Args:
        shapes: Shape (batch, ..., channels) of each layer's output.
        width: Units of the bottleneck: the channels of the deepest features.
        num_classes: Number of classes.

    Returns:
        A functional model, {"exit_0": maps, ...} -> {"exit_0": {"features": (batch,
        width), "logits": (batch, num_classes)}, ...}.

    Example:
        >>> heads = exit_heads([(None, 8, 8, 4), (None, 16)], width=5, num_classes=3)
        >>> [each["logits"].shape for each in heads.output.values()]
        [(None, 3), (None, 3)]
    """
    inputs = {
        f"exit_{i}": keras.Input(batch_shape=shape, dtype="float32", name=f"exit_{i}")
        for i, shape in enumerate(shapes)
    }
    outputs = {key: _exit(x, width, num_classes, key) for key, x in inputs.items()}
    return keras.Model(inputs, outputs, name="heads")


def _exit(x, width: int, num_classes: int, name: str) -> dict:
    dense = keras.layers.Dense
    x = pooled(x)
    features = dense(width, "relu", dtype="float32", name=f"{name}_bottleneck")(x)
    logits = dense(num_classes, dtype="float32", name=f"{name}_logits")(features)
    return {"features": features, "logits": logits}


def pooled(x):
    """Return the mean over all places, (batch, channels), in float32."""
    x = ops.cast(x, "float32")
    axes = tuple(range(1, len(x.shape) - 1))
    return ops.mean(x, axis=axes) if axes else x


def deepest_features(net: keras.Model) -> str:
    """Return the path of what the last layer with weights reads, without dropout.

    Args:
        net: A functional or Sequential classifier, nested models allowed.

    Raises:
        ValueError: When the classifier reads the net's input.

    Example:
        >>> layers = [keras.layers.Dense(4, name="low"), keras.layers.Dropout(0.5)]
        >>> deepest_features(
        ...     keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2)])
        ... )
        'low'
    """
    net = getattr(net, "_functional", None) or net
    inputs = tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype), net._inputs_struct
    )
    output, known = unfold(net, inputs)
    scores = _back(output, lambda operation: not getattr(operation, "weights", ()))
    features = _back(
        _read_by(scores), lambda operation: isinstance(operation, _PASSING)
    )
    paths = [path for path, value in known.items() if value is features]
    if not paths:
        raise ValueError(
            f"Expected '{net.name}' to have a layer below its classifier. Received one "
            "that reads the input. Name the layer: `deepest='...'`."
        )
    return max(paths, key=len)


def _back(tensor, passed):
    """Walk from a tensor towards the input, through operations that are passed."""
    while tensor is not None and passed(tensor._keras_history.operation):
        tensor = _read_by(tensor)
    return tensor


def _read_by(tensor):
    """Return what the operation that made a tensor reads, its first if several."""
    if tensor is None:
        return None
    operation, index, _ = tensor._keras_history
    read = operation._inbound_nodes[index].arguments.keras_tensors
    return read[0] if read else None
