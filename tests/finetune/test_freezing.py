"""Freezing by name, rates per stage, and the cut in two."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.finetune import discriminative_rates
from tftransfer.finetune import split
from tftransfer.finetune.freezing import layers_until
from tftransfer.finetune.split import deepest_frozen_endpoint


@pytest.fixture
def backbone():
    return tft.Backbone("tiny", weights=None)


def test_freeze_until_freezes_what_the_endpoint_needs(backbone):
    frozen = tft.freeze_until(backbone, "stage2")
    needed = layers_until(backbone, "stage2")
    assert frozen
    assert set(frozen) <= needed
    for layer in backbone.layers:
        assert layer.trainable == (layer.name not in needed)
    names = {v.path.split("/")[-2] for v in backbone.trainable_variables}
    assert names.isdisjoint(frozen)
    assert names


def test_freeze_until_none_unfreezes_all(backbone):
    everything = len(backbone.trainable_variables)
    tft.freeze_until(backbone, "pooled")
    assert backbone.trainable_variables == []
    tft.freeze_until(backbone, None)
    assert len(backbone.trainable_variables) == everything


def test_unfreezes_after_the_container_was_frozen(backbone):
    backbone.trainable = False
    tft.freeze_until(backbone, "stage1")
    assert backbone.trainable_variables


def test_name_that_matches_nothing_raises(backbone):
    with pytest.raises(ValueError, match=r"'stage22'.*Nearest: 'stage2'"):
        tft.freeze_until(backbone, "stage22")


def test_rates_fall_from_stage_to_stage(backbone):
    rates = discriminative_rates(backbone, 0.5)
    stages = [n for n in backbone.endpoint_names if n != "pooled"]
    for level, stage in enumerate(stages):
        own = layers_until(backbone, stage)
        if level:
            own -= layers_until(backbone, stages[level - 1])
        expected = 0.5 ** (len(stages) - level)
        got = {rates[name] for name in own if name in rates}
        assert got == {expected}, stage
    with pytest.raises(ValueError, match="decay"):
        discriminative_rates(backbone, 0)


@pytest.mark.parametrize("cut", ["stage1", "stage2", "stage3", "pooled"])
def test_rest_of_trunk_equals_the_whole(backbone, cut):
    x = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    trunk, rest = split(backbone, cut)
    np.testing.assert_array_equal(rest(trunk(x)), backbone(x))


def test_deepest_frozen_endpoint(backbone):
    assert deepest_frozen_endpoint(backbone) is None
    for cut in ("stage1", "stage2", "pooled"):
        tft.freeze_until(backbone, cut)
        assert deepest_frozen_endpoint(backbone) == cut


def test_an_adopted_net_is_cut_at_any_layer():
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Conv2D(4, 3, name="low"),
        keras.layers.ReLU(name="middle"),
        keras.layers.GlobalAveragePooling2D(),
    ]
    # A clone's layers are part of two graphs: the adopted model's and the backbone's.
    adopted = tft.Backbone.from_model(keras.Sequential(layers)).clone()
    trunk, rest = split(adopted, "middle")
    x = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(rest(trunk(x)), adopted(x))
