"""One row per public method; each row buys all checks of test_methods.py."""

import dataclasses

import keras
import numpy as np

from tests.common.domain_instances import DOMAIN_ROWS
from tests.common.row import Row
from tests.common.row import vector_data
from tests.common.row import vector_part
from tests.common.toy_method import MeanAlignment
from tftransfer.backbones import Backbone
from tftransfer.distillation import Distiller
from tftransfer.distillation import SelfDistiller
from tftransfer.finetune import Classifier
from tftransfer.losses import AttentionTransferLoss
from tftransfer.losses import JacobianMatchingLoss
from tftransfer.losses import SoftTargetLoss


def _alignment(mixed=False, **options):
    dtype = "mixed_float16" if mixed else None
    head = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)], name="head")
    return MeanAlignment(vector_part("trunk", 4, 5, dtype=dtype), head, **options)


def _classifier(mixed=False, **options):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else policy)
    try:
        layers = [keras.Input((12, 12, 3)), keras.layers.Rescaling(1 / 255)]
        layers += [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
        net = keras.Sequential([*layers, keras.layers.ReLU()])
        return Classifier(Backbone.from_model(net), 3, dropout=0.0, **options)
    finally:
        keras.config.set_dtype_policy(policy)


def _picture_data():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (16, 12, 12, 3)).astype("float32")
    return pictures, rng.integers(0, 3, 16)


def _conv_net(name, channels, mixed, softmax=False):
    dtype = "mixed_float16" if mixed else None
    layers = [
        keras.layers.Conv2D(channels, 3, activation="relu", name="low", dtype=dtype),
        keras.layers.Conv2D(6, 3, strides=2, name="high", dtype=dtype),
        keras.layers.GlobalAveragePooling2D(dtype=dtype),
        keras.layers.Dense(
            3, activation="softmax" if softmax else None, dtype="float32"
        ),
    ]
    return keras.Sequential([keras.Input((12, 12, 3)), *layers], name=name)


def _distiller(losses, mixed=False, teachers=1, **options):
    teacher = [_conv_net(f"teacher{k}", 8, mixed, k == 1) for k in range(teachers)]
    return Distiller(
        _conv_net("student", 4, mixed),
        teacher if teachers > 1 else teacher[0],
        losses,
        **options,
    )


def _taught_by_itself(net):
    return Distiller(net, net, student_output="logits", teacher_output="logits")


def _image_data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 12, 12, 3)).astype("float32"), rng.integers(0, 3, 16)


def _taught(losses, terms, **options):
    """Return the row of a `Distiller` with these losses."""
    return Row(
        build=lambda mixed=False: _distiller(losses(), mixed, **options),
        data=_image_data,
        terms={name: {"student"} for name in ("task", *terms)},
        parts=("student",),
        frozen=("teacher",),
    )


def _self_taught(mixed=False, exit_layers=("low", "high")):
    return SelfDistiller(_conv_net("student", 4, mixed), exit_layers)


ROWS = {
    "MeanAlignment": Row(
        build=_alignment,
        data=vector_data,
        plain=lambda x: x["source"],
        terms={"task": {"trunk", "head"}, "gap": {"trunk"}},
        parts=("trunk", "head"),
        per_sample=False,
    ),
    "MeanAlignment across replicas": Row(
        build=lambda mixed=False: _alignment(mixed, across_replicas=True),
        data=vector_data,
        plain=lambda x: x["source"],
        terms={"task": {"trunk", "head"}, "gap": {"trunk"}},
        parts=("trunk", "head"),
    ),
    "Classifier": Row(
        build=_classifier,
        data=_picture_data,
        terms={"task": {"backbone", "head"}},
        parts=("backbone", "head"),
        bad={
            "one class": lambda: Classifier(Backbone("tiny", weights=None), 1),
            "head of another width": lambda: Classifier(
                Backbone("tiny", weights=None), 3, head=vector_part("h", 128, 4)
            ),
            "names that do not fit": lambda: Classifier(
                Backbone("tiny", weights=None), 3, class_names=["a"]
            ),
            "unknown BatchNorm policy": lambda: _classifier(batch_norm="moving"),
        },
    ),
    "Classifier with L2-SP": Row(
        build=lambda mixed=False: _classifier(mixed, l2_sp_weight=0.1),
        data=_picture_data,
        terms={"task": {"backbone", "head"}, "l2_sp": {"backbone"}},
        parts=("backbone", "head"),
    ),
    "Distiller": dataclasses.replace(
        _taught(
            lambda: [SoftTargetLoss(), AttentionTransferLoss([("low", "high")])],
            ["soft_target", "attention_transfer"],
        ),
        in_jobs=False,
        bad={
            "no such layer": lambda: _distiller(
                [AttentionTransferLoss([("lwo", "high")])]
            ),
            "no map": lambda: _distiller([AttentionTransferLoss([(None, None)])]),
            "a Keras loss": lambda: _distiller([keras.losses.MeanSquaredError()]),
            "no losses": lambda: _distiller([]),
            "weights that do not fit": lambda: _distiller(None, loss_weights=[1, 2]),
            "a negative weight": lambda: _distiller(None, student_loss_weight=-1),
            "shares that do not fit": lambda: _distiller(None, teacher_weights=[1, 2]),
            "an unknown kind of output": lambda: _distiller(
                None, teacher_output="scores"
            ),
            "other classes": lambda: Distiller(
                vector_part("s", 4, 3),
                vector_part("t", 4, 2),
                student_output="logits",
            ),
            "its own teacher": lambda: _taught_by_itself(vector_part("s", 4, 3)),
            "a tanh for logits": lambda: Distiller(
                vector_part("s", 4, 3), vector_part("t", 4, 3)
            ),
        },
    ),
    "Distiller with two teachers": dataclasses.replace(
        _taught(
            lambda: [SoftTargetLoss(2.0), AttentionTransferLoss([("low", (1, "low"))])],
            ["soft_target", "attention_transfer"],
            teachers=2,
            teacher_weights=[3, 1],
        ),
        frozen=(),  # a list
        bad={
            "layers of two teachers": lambda: _distiller(
                [AttentionTransferLoss([("low", "low"), ("low", (1, "low"))])],
                teachers=2,
            ),
            "no such teacher": lambda: _distiller(
                [AttentionTransferLoss([("low", (2, "low"))])], teachers=2
            ),
            "the gradient of an average": lambda: _distiller(
                [JacobianMatchingLoss()], teachers=2
            ),
        },
    ),
    "Distiller with Jacobians": dataclasses.replace(
        _taught(
            lambda: [
                SoftTargetLoss(),
                JacobianMatchingLoss([(None, None), ("low", "high")]),
            ],
            ["soft_target", "jacobian"],
        ),
        tensorflow_only=True,
        in_jobs=False,
    ),
    "SelfDistiller": Row(
        build=_self_taught,
        data=_image_data,
        terms={
            "task": {"student"},
            "exit_labels": {"student", "heads"},
            "exit_soft_target": {"student", "heads"},
            "exit_hint": {"student", "heads"},
        },
        in_jobs=False,
        parts=("student", "heads"),
        bad={
            "no layer": lambda: _self_taught(exit_layers=[]),
            "a layer that is not there": lambda: _self_taught(exit_layers=["lwo"]),
            "one layer twice": lambda: _self_taught(exit_layers=["low", "low"]),
        },
    ),
    **DOMAIN_ROWS,
}
