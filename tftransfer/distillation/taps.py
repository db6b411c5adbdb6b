"""Taps: a net's scores and the outputs of its inner layers, from one run."""

import keras
from keras import tree

from tftransfer.backbones.unfolding import unfold
from tftransfer.core import TransferModel
from tftransfer.core import nearest


class Taps:
    """Calls a net once and returns its output and those of some of its layers.

    The layers are the net's own, nested ones among them, and nothing of the net is
    changed. Parts that a `TransferModel` keeps in inference mode stay in it. It is no
    layer itself, so that Keras saves nothing of it.

    Args:
        model: A functional or Sequential model, or a `TransferModel`, of which it is
            the deployed one; with no `layers` any model.
        layers: What to read besides the output, each an endpoint, a layer's name, or a
            path "outer/inner/layer" through nested models; None is the output.

    Raises:
        ValueError: When a layer is not there, or the model has no graph to read.

    Example:
        >>> net = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(3, name="low"),
        ...      keras.layers.Dense(2)]
        ... )
        >>> sorted(map(str, Taps(net, [None, "low"])(keras.ops.ones((1, 4)))))
        ['None', 'low']
    """

    def __init__(self, model: keras.Model, layers=()):
        self.net = network_of(model)
        self._endpoints = getattr(_backbone_of(model), "endpoints", None) or {}
        self.layers = list(dict.fromkeys(layer for layer in layers if layer))
        self.shapes = {None: _output_shape(self.net)}
        self._model = None
        inference = _inference_parts(model)
        if self.layers or inference:
            self._model = self._connected(model, inference)
            outputs = self._model.output
            self.shapes |= {
                layer: tuple(outputs[f"layer_{i}"].shape)
                for i, layer in enumerate(self.layers)
            }

    @property
    def input_shape(self) -> tuple | None:
        """Shape of the only input, (batch, ...), or None when unknown or several."""
        inputs = getattr(self.net, "inputs", None) or []
        return tuple(inputs[0].shape) if len(inputs) == 1 else None

    def __call__(self, x, training: bool = False) -> dict:
        """Return {layer: output}, the net's output under None."""
        if self._model is None:
            return {None: self.net(x, training=training)}
        outputs = self._model(x, training=training)
        found = {f"layer_{i}": layer for i, layer in enumerate(self.layers)}
        return {found.get(key): value for key, value in outputs.items()}

    def up_to(self, layer: str) -> keras.Model:
        """Return the net from its input to one of the `layers`, weights shared."""
        net = getattr(self.net, "_functional", None) or self.net
        inputs = tree.map_structure(_same_input, net._inputs_struct)
        _, known = unfold(net, inputs)
        path = self._paths[layer]
        return keras.Model(inputs, self._found(known, path, layer))

    def _connected(self, model, inference: tuple) -> keras.Model:
        if not getattr(self.net, "outputs", None):
            raise ValueError(
                f"Expected a functional or Sequential model, whose layers can be read. "
                f"Received: '{self.net.name}' ({type(self.net).__name__}) for layers "
                f"{self.layers}. Connect it: `keras.Model(x, net(x))` with x an Input, "
                "or compare the class scores alone."
            )
        net = getattr(self.net, "_functional", None) or self.net
        wanted = self._paths = {
            layer: _alias(model, self.net, layer) for layer in self.layers
        }
        # As the net runs: of a layer that runs several times the last output counts.
        known = {
            node.operation.name: node.outputs[0]
            for depth in sorted(net._nodes_by_depth, reverse=True)
            for node in net._nodes_by_depth[depth]
        }
        if not inference and set(wanted.values()) <= set(known):
            inputs, output = net._inputs_struct, net.output
        else:
            inputs = tree.map_structure(_same_input, net._inputs_struct)
            output, known = unfold(net, inputs, inference)
        tensors = {
            f"layer_{i}": self._found(known, wanted[layer], layer)
            for i, layer in enumerate(self.layers)
        }
        return keras.Model(inputs, {"output": output, **tensors})

    def _found(self, known: dict, path: str, layer: str):
        """Look a path up, whole or by its unique end."""
        ends = [key for key in known if key == path or key.endswith(f"/{path}")]
        exact = [key for key in ends if key == path] or ends
        if len(exact) != 1:
            raise ValueError(
                f"Expected a layer of '{self.net.name}', by its name, its path through "
                f"nested models, or an endpoint. Received: {layer!r}, which fits "
                f"{exact or 'none'}. {nearest(path, [*self._endpoints, *known])}"
            )
        return known[exact[0]]


def network_of(model: keras.Model) -> keras.Model:
    """Return the plain model inside a `TransferModel`; any other model as it is."""
    return model.deployed if isinstance(model, TransferModel) else model


def _inference_parts(model) -> tuple:
    return model.inference_parts() if isinstance(model, TransferModel) else ()


def _output_shape(net) -> tuple | None:
    outputs = getattr(net, "outputs", None) or []
    return tuple(outputs[0].shape) if len(outputs) == 1 else None


def _same_input(tensor):
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)


def _backbone_of(model):
    return model if hasattr(model, "endpoints") else getattr(model, "backbone", None)


def _alias(model, net, layer: str) -> str:
    """Turn an endpoint of a backbone into the path of its layer within `net`."""
    backbone = _backbone_of(model)
    tensor = (getattr(backbone, "endpoints", None) or {}).get(layer)
    if tensor is None:
        return layer
    name = tensor._keras_history.operation.name
    return name if backbone is net else f"{backbone.name}/{name}"
