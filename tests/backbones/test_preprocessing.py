import importlib

import keras
import numpy as np
import pytest

from tftransfer.backbones import Backbone
from tftransfer.backbones import Preprocessing
from tftransfer.backbones.preprocessing import FAMILY_MODES

MODULES = {
    "vgg": "vgg16",
    "inception_resnet": "inception_resnet_v2",
    "inception_resnet_v2": "inception_resnet_v2",
}


def _family_preprocess(family):
    name = f"keras.applications.{MODULES.get(family, family)}"
    return importlib.import_module(name).preprocess_input


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype="uint8")


@pytest.mark.parametrize("family", [f for f in FAMILY_MODES if f != "tiny"])
def test_equals_the_family_function(family, pictures):
    expected = _family_preprocess(family)(pictures.astype("float32"))
    received = Preprocessing(FAMILY_MODES[family])(pictures)
    np.testing.assert_allclose(received, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("mobilenet", "mobilenet"),
        ("mobilenetv3small", "mobilenet_v3"),
        ("resnet50", "resnet"),
        ("densenet121", "densenet"),
        ("efficientnetb0", "efficientnet"),
    ],
)
def test_backbone_equals_the_application_on_preprocessed_pictures(
    architecture, family, pictures
):
    backbone = Backbone(architecture, weights=None, input_shape=(64, 64, 3))
    constructors = {
        name.lower(): value
        for name, value in vars(keras.applications).items()
        if callable(value)
    }
    net = constructors[architecture](
        include_top=False, weights=None, input_shape=(64, 64, 3), pooling="avg"
    )
    net.set_weights(backbone.get_weights())
    prepared = _family_preprocess(family)(pictures.astype("float32"))
    expected = keras.ops.convert_to_numpy(net(prepared, training=False))
    received = keras.ops.convert_to_numpy(backbone(pictures, training=False))
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())


def test_values_by_hand():
    pixel = np.array([[[[255.0, 0.0, 51.0]]]], "float32")
    np.testing.assert_allclose(Preprocessing("tf")(pixel)[0, 0, 0], [1.0, -1.0, -0.6])
    np.testing.assert_allclose(Preprocessing("scale")(pixel)[0, 0, 0], [1.0, 0.0, 0.2])
    np.testing.assert_allclose(
        Preprocessing("caffe")(pixel)[0, 0, 0],
        [51 - 103.939, 0 - 116.779, 255 - 123.68],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        Preprocessing("torch")(pixel)[0, 0, 0],
        [(1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225],
        rtol=1e-5,
    )


def test_is_exact_under_half_precision(pictures):
    expected = keras.ops.convert_to_numpy(Preprocessing("caffe")(pictures))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        received = Preprocessing("caffe")(pictures)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(received, expected)


def test_unknown_mode_raises():
    with pytest.raises(ValueError, match="`mode`"):
        Preprocessing("caffee")


def test_config_round_trip():
    layer = Preprocessing("torch", name="prep")
    again = Preprocessing.from_config(layer.get_config())
    assert (again.mode, again.name) == ("torch", "prep")
