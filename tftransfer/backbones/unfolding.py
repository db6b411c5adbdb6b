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
        model: A functional or Sequential model.
        x: KerasTensors in the structure of its input.

    Returns:
        The outputs in the structure of `model.output`, and {path: output} of every
        layer that ran, the nested models themselves included. A path is the names from
        the outermost nested model to the layer, with "/"; of a layer that runs several
        times it is the last output.

    Raises:
        ValueError: When two layers of different nested models share a name, which no
            functional model of them could have.
    """
    layers, outputs = {}, {}

    def call(path, layer, *args, **kwargs):
        here = (*path, layer.name)
        if _transparent(layer):
            result = enter(here, layer, args[0], kwargs.get("training"))
        elif layers.setdefault(layer.name, layer) is layer:
            result = layer(*args, **kwargs)
        else:
            raise ValueError(
                f"Expected layer names that are unique. Received: '{layer.name}' "
                f"twice, once inside a model nested in '{model.name}'. Build one of "
                "them with another name."
            )
        outputs["/".join(here)] = result
        return result

    def enter(path, nested, x, training):
        extra = {} if training is None else {"training": training}
        if isinstance(nested, keras.Sequential):
            for layer in nested.layers:
                x = call(path, layer, x, **_accepted(layer, extra))
            return x
        return nested._run_through_graph(
            x,
            lambda layer: functools.partial(
                call, path, layer, **_accepted(layer, extra)
            ),
        )

    return enter((), model, x, None), outputs


def _transparent(layer) -> bool:
    plain = isinstance(layer, Functional) and type(layer).call is Functional.call
    return plain or type(layer) is keras.Sequential


def _accepted(layer, extra: dict) -> dict:
    parameters = inspect.signature(layer.call).parameters
    return extra if "training" in parameters else {}
