"""Calls a functional model on a new tensor with its nested models unfolded."""

import functools
import inspect

import keras
from keras.src.models import Functional


def unfold(model: keras.Model, x, inference: tuple = ()) -> tuple:
    """Run `x` through the layers of `model`, those of nested models one by one.

    The layers are shared, and get one more node each. Nested functional and Sequential
    models are entered, unless their class has a `call` of its own.

    Args:
        model: A functional or Sequential model.
        x: KerasTensors in the structure of its input.
        inference: Nested models whose layers run as in inference even where the result
            is called with `training=True`. (In Keras 3.15 this overrides what
            `base(x, training=False)` noted in the graph.)

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

    def call(path, still, layer, *args, **kwargs):
        here = (*path, layer.name)
        if _transparent(layer):
            still = still or any(layer is part for part in inference)
            result = enter(here, still, layer, args[0])
        elif layers.setdefault(layer.name, layer) is not layer:
            raise ValueError(
                f"Expected layer names that are unique. Received: '{layer.name}' "
                f"twice, once inside a model nested in '{model.name}'. Build one of "
                "them with another name."
            )
        else:
            run = _InferenceMode(layer) if still and _knows_training(layer) else layer
            result = run(*args, **kwargs)
        outputs["/".join(here)] = result
        return result

    def enter(path, still, nested, x):
        if isinstance(nested, keras.Sequential):
            for layer in nested.layers:
                x = call(path, still, layer, x)
            return x
        return nested._run_through_graph(
            x, lambda layer: functools.partial(call, path, still, layer)
        )

    return enter((), False, model, x), outputs


class _InferenceMode(keras.layers.Layer):
    """Runs a layer as in inference, whatever mode the model around it runs in."""

    def __init__(self, layer):
        super().__init__(name=f"{layer.name}_in_inference")
        self.layer = layer
        self.built = True

    def call(self, x, **options):
        return self.layer(x, **{**options, "training": False})


def _transparent(layer) -> bool:
    plain = isinstance(layer, Functional) and type(layer).call is Functional.call
    return plain or type(layer) is keras.Sequential


def _knows_training(layer) -> bool:
    return "training" in inspect.signature(layer.call).parameters
