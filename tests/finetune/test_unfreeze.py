"""Gradual unfreezing takes effect in the compiled graph."""

import itertools

import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.finetune.freezing import layers_until
from tftransfer.losses import ClassificationLoss


def test_one_more_stage_moves_each_epoch():
    backbone = tft.Backbone("tiny", weights=None)
    model = tft.Classifier(backbone, num_classes=2)
    model.compile(keras.optimizers.SGD(0.1), ClassificationLoss(2))
    stages = [n for n in backbone.endpoint_names if n != "pooled"]
    own = {}
    for stage in stages:
        taken = set().union(*own.values()) if own else set()
        own[stage] = layers_until(backbone, stage) - taken
    snapshots = []

    def snapshot(*_):
        snapshots.append({v.path: v.numpy() for v in backbone.variables})

    x = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    snapshot()
    model.fit(
        x,
        np.array([0, 1] * 4),
        epochs=len(stages) + 1,
        verbose=0,
        callbacks=[
            tft.callbacks.UnfreezeGradually(),
            keras.callbacks.LambdaCallback(on_epoch_end=snapshot),
        ],
    )
    for epoch, (a, b) in enumerate(itertools.pairwise(snapshots)):
        moved = {path.split("/")[-2] for path in a if np.any(a[path] != b[path])}
        training = stages[len(stages) - epoch :]
        for stage in stages:
            assert bool(moved & own[stage]) == (stage in training), (epoch, stage)


def test_refuses_models_in_which_it_would_do_nothing():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(TypeError, match="takes no effect"):
        tft.callbacks.UnfreezeGradually().set_model(model)


def test_stop_must_be_an_endpoint():
    model = tft.Classifier(tft.Backbone("tiny", weights=None), num_classes=2)
    callback = tft.callbacks.UnfreezeGradually(stop="stage9")
    callback.set_model(model)
    with pytest.raises(ValueError, match="stage9"):
        callback.on_train_begin()
