import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.backbones import Backbone


def small_net():
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="low")(inputs)
    x = keras.layers.Conv2D(6, 3, activation="relu", name="high")(x)
    return keras.Model(inputs, x, name="small")


@pytest.fixture
def pictures():
    return np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype("float32")


def test_a_map_is_pooled_and_layers_become_endpoints(pictures):
    net = small_net()
    backbone = Backbone.from_model(net, endpoints={"early": "low", "late": "high"})
    assert backbone.endpoint_names == ["early", "late", "pooled"]
    found = backbone.select(["early", "pooled"])(pictures)
    maps = keras.ops.convert_to_numpy(net(pictures))
    np.testing.assert_allclose(found["pooled"], maps.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found["early"], net.get_layer("low")(pictures))
    assert backbone.image_size == 16
    assert backbone.pooled_dim == 6


def test_preprocessing_is_put_before(pictures):
    net = small_net()
    backbone = Backbone.from_model(net, preprocessing="tf")
    expected = keras.ops.mean(net(pictures / 127.5 - 1), axis=(1, 2))
    np.testing.assert_allclose(backbone(pictures), expected, rtol=1e-4, atol=1e-6)


def test_nested_models_are_unfolded(pictures):
    outer = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Rescaling(1 / 255), small_net()]
    )
    backbone = Backbone.from_model(outer, endpoints=["low"])
    assert backbone.select("low")(pictures)["low"].shape == (3, 7, 7, 4)
    np.testing.assert_allclose(
        backbone(pictures), keras.ops.mean(outer(pictures), axis=(1, 2)), rtol=1e-5
    )


def test_saves_loads_clones_and_fine_tunes(tmp_path, pictures):
    backbone = Backbone.from_model(small_net(), endpoints=["low"], preprocessing="tf")
    backbone.save(tmp_path / "adopted.keras")
    again = keras.saving.load_model(tmp_path / "adopted.keras")
    np.testing.assert_array_equal(again(pictures), backbone(pictures))
    assert again.endpoint_names == backbone.endpoint_names
    np.testing.assert_array_equal(backbone.clone()(pictures), backbone(pictures))
    model = tft.Classifier(again, 2)
    history = tft.fine_tune(
        model,
        (pictures, [0, 1, 0]),
        epochs=1,
        head_epochs=1,
        frozen_until="low",
        verbose=0,
        say=None,
    )
    assert np.isfinite(history.history["loss"]).all()


def test_a_pyramid_like_that_of_keras_hub(pictures):
    """keras-hub's backbones name their maps in `pyramid_outputs`."""
    net = small_net()
    net.pyramid_outputs = {
        "P2": net.get_layer("high").output,
        "P1": net.get_layer("low").output,
    }
    backbone = Backbone.from_model(net)
    assert backbone.endpoint_names == ["stage1", "stage2", "pooled"]
    assert backbone.select("stage1")(pictures)["stage1"].shape == (3, 7, 7, 4)


def test_what_cannot_be_adopted_raises():
    with pytest.raises(TypeError, match="functional"):
        Backbone.from_model(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(ValueError, match="'low'"):
        Backbone.from_model(small_net(), endpoints=["lower"])
    flat = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten()])
    with pytest.raises(ValueError, match="RGB"):
        Backbone.from_model(flat)
    inputs = keras.Input((8, 8, 3))
    two = keras.Model(inputs, [inputs, inputs])
    with pytest.raises(ValueError, match="2 outputs"):
        Backbone.from_model(two)
    with pytest.raises(ValueError, match="mode"):
        Backbone.from_model(small_net(), preprocessing="caffee")
