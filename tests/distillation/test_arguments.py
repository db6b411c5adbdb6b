"""What a Distiller refuses, and what it says."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.losses import ContrastiveRepresentationLoss
from tftransfer.losses import HintLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import SoftTargetLoss


def net(classes=3, **inputs):
    layers = [keras.layers.Flatten(), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input((4,), **inputs), *layers])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.scores = keras.layers.Dense(3)

    def call(self, x):
        return self.scores(x)


def called(model):
    model(np.ones((1, 4), "float32"))
    return model


def of_dict():
    x = keras.Input((4,), name="x")
    return keras.Model({"x": x}, keras.layers.Dense(3)(x))


NAMES = [SoftTargetLoss(name=name) for name in ("a_2", "a", "a")]


@pytest.mark.parametrize(
    ("teacher", "losses", "options", "message"),
    [
        (net, None, {"loss_weights": 0.5}, "1 `loss_weights`.* Received: 0.5"),
        (net, SoftTargetLoss(name="prediction"), {}, "different names"),
        (net, SoftTargetLoss(name="task"), {}, "different names"),
        (net, NAMES, {}, "different names"),
        (net, None, {"teacher_preprocessing": [None] * 2}, "each of 1 teachers"),
        (lambda: [net(), net(4)], None, {}, "map_classes"),
        (lambda: net(dtype="int32"), JacobianMatchingLoss(), {}, "input of floats"),
        (of_dict, JacobianMatchingLoss(), {}, "input of floats"),
        (
            lambda: called(Subclassed()),
            ContrastiveRepresentationLoss(),
            {"teacher_output": "logits"},
            "without a graph",
        ),
    ],
)
def test_what_does_not_fit_is_said_when_it_is_built(teacher, losses, options, message):
    with pytest.raises(ValueError, match=message):
        tft.Distiller(net(), teacher(), losses, **options)


def test_outputs_made_for_other_losses_are_refused():
    first, second = tft.Distiller(net(), net()), tft.Distiller(net(), net(), HintLoss())
    second.compile("sgd")
    x = np.ones((2, 4), "float32")
    with pytest.raises(ValueError, match="another `Distiller`"):
        second.fit({"student": x, "teacher_outputs": first.teacher_outputs(x)})


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_nets_that_were_never_built_are_named(role):
    nets = {"student": net(), "teacher": net()}
    nets[role] = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(ValueError, match=f"Expected a {role} whose shapes are known"):
        tft.Distiller(**nets)


def test_metrics_without_labels_are_refused():
    distiller = tft.Distiller(net(), net())
    distiller.compile("sgd", metrics=["accuracy"])
    with pytest.raises(ValueError, match="Leave `metrics` out"):
        distiller.fit(np.ones((2, 4), "float32"), verbose=0)
