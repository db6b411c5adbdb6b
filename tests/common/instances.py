"""One row per public method; each row buys all checks of test_methods.py."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from tests.common.toy_method import MeanAlignment
from tftransfer.backbones import Backbone
from tftransfer.core import TransferModel
from tftransfer.distillation.self_distiller import SelfDistiller
from tftransfer.finetune import Classifier


@dataclasses.dataclass(frozen=True)
class Row:
    """How to build one method and what is true of it.

    Attributes:
        build: Makes a new model; `mixed` asks for mixed_float16 parts.
        data: Makes (x, y) of 16 samples, a fixed set.
        plain: Maps x to what the deployed model takes.
        terms: {term: names of the parts that its gradient reaches}; "task" is the
            task loss.
        parts: Names of all parts.
        per_sample: Whether the loss is a mean over samples, or of rows gathered from
            all replicas, and no BatchNorm uses the batch, so that two replicas give the
            update of one device.
        bad: {what: builder that must raise ValueError or TypeError}.
    """

    build: Callable[..., TransferModel]
    data: Callable[[], tuple]
    terms: dict[str, set[str]]
    parts: tuple[str, ...]
    plain: Callable = lambda x: x
    per_sample: bool = True
    bad: dict[str, Callable] = dataclasses.field(default_factory=dict)


def _vector_part(name, inputs, units, batch_norm=False, dtype=None):
    layers = [keras.Input((inputs,))]
    if batch_norm:
        layers.append(keras.layers.BatchNormalization(dtype=dtype))
    layers.append(keras.layers.Dense(units, activation="tanh", dtype=dtype))
    return keras.Sequential(layers, name=name)


def _alignment(mixed=False, **options):
    dtype = "mixed_float16" if mixed else None
    head = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)], name="head")
    return MeanAlignment(_vector_part("trunk", 4, 5, dtype=dtype), head, **options)


def _vector_data():
    rng = np.random.default_rng(0)
    x = {
        "source": rng.normal(size=(16, 4)).astype("float32"),
        "target": rng.normal(1.0, size=(16, 4)).astype("float32"),
    }
    return x, rng.integers(0, 3, 16)


def _classifier(mixed=False, **options):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else policy)
    try:
        backbone = Backbone("tiny", weights=None)
        return Classifier(backbone, num_classes=3, dropout=0.0, **options)
    finally:
        keras.config.set_dtype_policy(policy)


def _image_data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (16, 32, 32, 3)).astype("float32"), rng.integers(
        0, 3, 16
    )


def _conv_net(mixed=False):
    conv = keras.layers.Conv2D
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed else policy)
    try:
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                conv(4, 3, activation="relu", name="low"),
                conv(6, 3, activation="relu", name="high"),
                keras.layers.GlobalAveragePooling2D(name="pooled"),
                keras.layers.Dense(3, dtype="float32", name="logits"),
            ],
            name="student",
        )
    finally:
        keras.config.set_dtype_policy(policy)


def _small_pictures():
    rng = np.random.default_rng(0)
    return rng.normal(size=(16, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 16)


ROWS = {
    "MeanAlignment": Row(
        build=_alignment,
        data=_vector_data,
        plain=lambda x: x["source"],
        terms={"task": {"trunk", "head"}, "gap": {"trunk"}},
        parts=("trunk", "head"),
        per_sample=False,
    ),
    "MeanAlignment across replicas": Row(
        build=lambda mixed=False: _alignment(mixed, across_replicas=True),
        data=_vector_data,
        plain=lambda x: x["source"],
        terms={"task": {"trunk", "head"}, "gap": {"trunk"}},
        parts=("trunk", "head"),
    ),
    "Classifier": Row(
        build=_classifier,
        data=_image_data,
        terms={"task": {"backbone", "head"}},
        parts=("backbone", "head"),
        bad={
            "one class": lambda: Classifier(Backbone("tiny", weights=None), 1),
            "head of another width": lambda: Classifier(
                Backbone("tiny", weights=None), 3, head=_vector_part("h", 128, 4)
            ),
            "names that do not fit": lambda: Classifier(
                Backbone("tiny", weights=None), 3, class_names=["a"]
            ),
            "unknown BatchNorm policy": lambda: _classifier(batch_norm="moving"),
        },
    ),
    "Classifier with L2-SP": Row(
        build=lambda mixed=False: _classifier(mixed, l2_sp_weight=0.1),
        data=_image_data,
        terms={"task": {"backbone", "head"}, "l2_sp": {"backbone"}},
        parts=("backbone", "head"),
    ),
    "SelfDistiller": Row(
        build=lambda mixed=False: SelfDistiller(_conv_net(mixed), ["low", "high"]),
        data=_small_pictures,
        terms={
            "task": {"student"},
            "exit_labels": {"student", "heads"},
            "exit_soft_target": {"student", "heads"},
            "exit_hint": {"student", "heads"},
        },
        parts=("student", "heads"),
        bad={
            "no layer": lambda: SelfDistiller(_conv_net(), []),
            "a layer that is not there": lambda: SelfDistiller(_conv_net(), ["lo"]),
            "one layer twice": lambda: SelfDistiller(_conv_net(), ["low", "low"]),
        },
    ),
}
