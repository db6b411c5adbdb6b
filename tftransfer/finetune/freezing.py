"""Which layers of a backbone train.

Keras sets `trainable` on a container without undoing it on the layers inside when the
container's own flag already says so; everything here sets it layer by layer.
"""

import keras

from tftransfer.core import nearest


def set_trainable(layer: keras.layers.Layer, trainable: bool) -> None:
    """Set `trainable` on `layer` and on every layer inside it.

    Args:
        layer: A layer or model.
        trainable: The new flag.
    """
    for part in layer._flatten_layers():
        part.trainable = trainable


def freeze_until(model: keras.Model, name: str | None) -> list[str]:
    """Freeze every layer that `name` depends on, itself included; unfreeze the rest.

    In a fitted TensorFlow `TransferModel` the change takes effect from the next step,
    also inside a running `fit`. Other models must be compiled again.

    Args:
        model: A `Backbone`, any functional model, or a model with a `.backbone`.
        name: A layer or an endpoint ("stage3", "pooled"); None unfreezes all.

    Returns:
        Names of the frozen layers that hold weights.

    Raises:
        ValueError: When no layer and no endpoint has this name.

    Example:
        >>> import tftransfer as tft
        >>> backbone = tft.Backbone("tiny", weights=None)
        >>> frozen = tft.freeze_until(backbone, "stage2")
        >>> backbone.trainable_variables != []
        True
    """
    backbone = getattr(model, "backbone", model)
    frozen = set() if name is None else layers_until(backbone, name)
    backbone.trainable = True
    for layer in backbone.layers:
        set_trainable(layer, layer.name not in frozen)
    return [
        layer.name
        for layer in backbone.layers
        if layer.name in frozen and layer.weights
    ]


def layers_until(backbone: keras.Model, name: str) -> set[str]:
    """Name every layer of a functional model that layer or endpoint `name` needs.

    Args:
        backbone: A functional model.
        name: A layer or endpoint.

    Returns:
        Names of layers, that of `name` itself among them.

    Raises:
        ValueError: When no layer and no endpoint has this name.
    """
    tensor = tensor_of(backbone, name)
    needed, waiting = set(), [tensor._keras_history.operation]
    while waiting:
        operation = waiting.pop()
        if operation.name in needed:
            continue
        needed.add(operation.name)
        for node in operation._inbound_nodes:
            waiting.extend(parent.operation for parent in node.parent_nodes)
    own = {layer.name for layer in backbone.layers}
    return needed & own


def tensor_of(backbone: keras.Model, name: str):
    endpoints = getattr(backbone, "endpoints", {})
    if name in endpoints:
        return endpoints[name]
    layers = {layer.name: layer for layer in getattr(backbone, "layers", [])}
    if name not in layers:
        raise ValueError(
            f"Expected a layer or an endpoint of '{backbone.name}'. Received: "
            f"'{name}'. " + nearest(name, [*endpoints, *layers])
        )
    return _output_within(backbone, layers[name])


def _output_within(model, layer):
    """Return a layer's output in this model's graph: it may be part of others, too."""
    depths = getattr(model, "_nodes_by_depth", {}).values()
    found = [node for nodes in depths for node in nodes if node.operation is layer]
    return found[0].outputs[0] if found else layer.output


def discriminative_rates(backbone: keras.Model, decay: float = 0.5) -> dict[str, float]:
    """Give each stage of a backbone a rate multiplier that falls with its depth.

    The last stage gets `decay`, the one before it `decay ** 2` and so on; the head,
    which is no part of the backbone, keeps 1.

    Args:
        backbone: A `Backbone`.
        decay: Factor from one stage to the one before it, in (0, 1].

    Returns:
        {layer name, escaped as a regular expression: multiplier}, for layers that hold
        weights; what `tft.finetune.AdamW(multipliers=...)` takes.

    Raises:
        ValueError: When `decay` is out of range.

    References:
        Howard & Ruder, ULMFiT, ACL 2018, arXiv:1801.06146, section 3.2.
    """
    if not 0 < decay <= 1:
        raise ValueError(f"Expected `decay` in (0, 1]. Received: {decay}.")
    stages = [name for name in backbone.endpoint_names if name != "pooled"]
    groups = [layers_until(backbone, stage) for stage in stages]
    rates = {}
    for layer in backbone.layers:
        if not layer.weights:
            continue
        level = next((i for i, g in enumerate(groups) if layer.name in g), len(groups))
        distance = max(1, len(groups) - level)
        rates[_escaped(layer.name)] = decay**distance
    return rates


def _escaped(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_-/" else "\\" + c for c in name)
