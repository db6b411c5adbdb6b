"""Attention maps side by side: their values, their sizes, how they are drawn."""

import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.report import attention_maps
from tftransfer.report.attention import default_endpoint
from tftransfer.report.attention import draw_attention
from tftransfer.report.attention import heat_over


@pytest.fixture(scope="module")
def model():
    return tft.Classifier(tft.Backbone("tiny"), 2)


def _pictures(count=2, side=32):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, side, side, 3)).astype("float32")


def test_is_the_mean_square_over_channels_scaled(model):
    x = _pictures()
    features = model.backbone.select("stage2")(x)["stage2"].numpy()
    for found, feature in zip(attention_maps({"a": model}, x, "stage2")["a"], features):
        expected = np.zeros(feature.shape[:2])
        for row in range(feature.shape[0]):
            for column in range(feature.shape[1]):
                expected[row, column] = np.mean(feature[row, column] ** 2)
        low, high = expected.min(), np.quantile(expected, 0.97)
        expected = np.minimum((expected - low) / (high - low), 1)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_net_has_its_size_and_endpoint(model):
    small = tft.Backbone("tiny", weights=None, input_shape=(16, 16, 3))
    nets = {"teacher": model, "student": tft.Classifier(small, 2)}
    found = attention_maps(nets, _pictures(), {"teacher": "stage1"})
    assert found["teacher"].shape == (2, 16, 16)
    assert found["student"].shape == (2, 2, 2)
    assert default_endpoint(model.backbone) == "stage3"
    with pytest.raises(ValueError, match="stage2"):
        attention_maps(nets, _pictures(), "stage9")
    with pytest.raises(ValueError, match="maps"):
        attention_maps(nets, _pictures(), "pooled")


def test_layers_of_any_model_by_name_and_path(model):
    body = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, strides=2, name="deep")],
        name="body",
    )
    net = keras.Sequential([keras.Input((32, 32, 3)), body, keras.layers.Flatten()])
    x = _pictures(1)
    found = attention_maps({"net": net, "taught": model}, x, {"net": "body/deep"})
    assert found["taught"].shape == (1, 4, 4)
    expected = np.mean(np.square(body(x)), -1)
    assert found["net"].flat[expected.argmax()] == 1
    assert found["net"].flat[expected.argmin()] == 0
    assert found["net"].shape == expected.shape == (1, 15, 15)
    with pytest.raises(ValueError, match=r"a layer for 'net'.*endpoints=.'net'"):
        attention_maps({"net": net}, x)


def test_equal_activations_give_no_nan(model):
    heat = attention_maps({"a": model}, np.zeros((1, 32, 32, 3)), "stage1")["a"]
    assert np.isfinite(heat).all()


def test_heat_is_red_where_there_is_much():
    heat = np.zeros((4, 4), "float32")
    heat[:, 2:] = 1
    drawn = heat_over(np.full((32, 32, 3), 128, "uint8"), heat).astype(int)
    red, blue = drawn[..., 0], drawn[..., 2]
    assert red[:, -4:].mean() > blue[:, -4:].mean()
    assert drawn.shape == (32, 32, 3)


def test_the_table_has_a_row_a_picture_and_escapes(model):
    x = _pictures()
    maps = attention_maps({"<teacher>": model, "student": model}, x)
    drawn = draw_attention(
        x,
        maps,
        captions={"picture": ["bee & co", "ant"], "student": ["ant", "ant"]},
        wrong={"student": [True, False]},
    )
    assert drawn.count("<img") == 2 * 3
    assert drawn.count('class="said"') == 1
    assert "&lt;teacher&gt;" in drawn
    assert "<teacher>" not in drawn
    assert "bee &amp; co" in drawn
