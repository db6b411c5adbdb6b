"""Calls a functional model on a new tensor with its nested models unfolded."""

import functools
import inspect

import keras
from keras.src.models import Functional


def unfold(model: keras.Model, x) -> tuple:
    """Run `x` through the layers of `model`, those of nested models one by one.

    The layers are shared, and get one more node each. Nested functional and Sequential
    models are entered, unless their class has a `call` of its own; `training` given to
    a nested model in the graph (`base(x, training=False)`) goes on to its layers.

    Args:
        model: A functional model with one input.
        x: KerasTensor of the shape of its input.

    Returns:
        The outputs in the structure of `model.output`, and {layer name: output} of
        every layer that ran.

    Raises:
        ValueError: When two layers of different nested models share a name.
    """
    layers, outputs = {}, {}

    def call(layer, *args, **kwargs):
        if _transparent(layer):
            return enter(layer, args[0], kwargs.get("training"))
        if layers.setdefault(layer.name, layer) is not layer:
            raise ValueError(
                f"Expected layer names that are unique. Received: '{layer.name}' "
                f"twice, once inside a model nested in '{model.name}'. Build one of "
                "them with another name."
            )
        outputs[layer.name] = result = layer(*args, **kwargs)
        return result

    def enter(nested, x, training):
        extra = {} if training is None else {"training": training}
        if isinstance(nested, keras.Sequential):
            for layer in nested.layers:
                x = call(layer, x, **_accepted(layer, extra))
            return x
        return nested._run_through_graph(
            x, lambda layer: functools.partial(call, layer, **_accepted(layer, extra))
        )

    return enter(model, x, None), outputs


def _transparent(layer) -> bool:
    plain = isinstance(layer, Functional) and type(layer).call is Functional.call
    return plain or type(layer) is keras.Sequential


def _accepted(layer, extra: dict) -> dict:
    parameters = inspect.signature(layer.call).parameters
    return extra if "training" in parameters else {}
