import builtins

import keras
import numpy as np
import pytest

from tftransfer import Backbone
from tftransfer import FeatureExtractor
from tftransfer.inference import engines

PICTURES = np.random.default_rng(0).integers(0, 256, (19, 64, 64, 3), "uint8")


def small(name, **options):
    keras.utils.set_random_seed(0)
    return Backbone(name, weights=None, input_shape=(64, 64, 3), **options)


def assert_equal(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


# Families whose graphs differ: swish, GELU and LayerNormalization, Normalization.
@pytest.mark.parametrize(
    "name",
    [
        "mobilenetv2",
        "efficientnetb0",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("resnet50", "convnexttiny", "densenet121", "mobilenetv3small")
        ),
    ],
)
def test_openvino_gives_the_features_of_tensorflow(name):
    extractor = FeatureExtractor(small(name))
    expected = extractor.extract(PICTURES, progress=False)
    found = extractor.extract(PICTURES, progress=False, engine="openvino")
    assert_equal(found, expected)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_any_batch_size(dtype):
    extractor = FeatureExtractor(small("mobilenetv2", alpha=0.35))
    pictures = (PICTURES / 2).astype(dtype)
    expected = extractor.extract(pictures, progress=False)
    for batch_size in (1, 5, 8, 32):
        options = {"batch_size": batch_size, "progress": False}
        found = extractor.extract(pictures, engine="openvino", **options)
        assert_equal(found, expected)


@pytest.mark.slow
def test_several_endpoints_maps_and_views():
    backbone = small("efficientnetb0")
    extractor = FeatureExtractor(
        backbone, endpoint=["stage5", "stage3"], pooling=None, normalize=True
    )
    expected = extractor.extract(PICTURES, progress=False)
    found = extractor.extract(PICTURES, progress=False, engine="openvino")
    assert list(found) == ["stage5", "stage3"]
    for name in found:
        assert_equal(found[name], expected[name])
    pooled = FeatureExtractor(backbone)
    options = {"augment": "flip", "progress": False}
    assert_equal(
        pooled.extract(PICTURES, engine="openvino", **options),
        pooled.extract(PICTURES, **options),
    )


def test_a_changed_weight_is_seen():
    extractor = FeatureExtractor(small("mobilenetv2", alpha=0.35))
    before = extractor.extract(PICTURES, progress=False, engine="openvino")
    for variable in extractor.backbone.trainable_variables:
        variable.assign(variable * 1.1)
    after = extractor.extract(PICTURES, progress=False, engine="openvino")
    assert np.abs(after - before).max() > 1e-3 * np.abs(before).max()
    assert_equal(after, extractor.extract(PICTURES, progress=False))


def test_auto_takes_the_faster_one_where_it_pays(monkeypatch):
    extractor = FeatureExtractor(small("mobilenetv2", alpha=0.35))
    choice = engines.Engines(extractor)
    assert isinstance(choice.choose("auto", 10), engines.FrozenFunction)
    for fastest, kind in {
        "openvino": engines.OpenVinoFunction,
        "tensorflow": engines.FrozenFunction,
    }.items():
        choice = engines.Engines(extractor)
        monkeypatch.setattr(
            choice, "_seconds", lambda name, _, fastest=fastest: name != fastest
        )
        assert isinstance(choice.choose("auto", 5000), kind)
        assert isinstance(choice.choose("auto", None), kind)
    assert engines.Engines(extractor)._seconds("openvino", PICTURES) > 0


def test_without_openvino(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name == "openvino":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    extractor = FeatureExtractor(small("mobilenetv2", alpha=0.35))
    with pytest.raises(ImportError, match=r"pip install tftransfer\[openvino\]"):
        extractor.extract(PICTURES, progress=False, engine="openvino")
    assert isinstance(
        engines.Engines(extractor).choose("auto", 5000), engines.FrozenFunction
    )
    with pytest.raises(ValueError, match="'tensorflow', 'openvino', 'auto'"):
        extractor.extract(PICTURES, progress=False, engine="fast")


@pytest.mark.parametrize("engine", ["tensorflow", "openvino", "auto"])
def test_as_function_answers_as_extract_with_the_weights_of_its_making(engine):
    extractor = FeatureExtractor(
        small("mobilenetv2", alpha=0.35), endpoint=["stage3", "pooled"], normalize=True
    )
    expected = extractor.extract(PICTURES, progress=False)
    function = extractor.as_function(engine)
    for variable in extractor.backbone.trainable_variables:
        variable.assign(variable * 1.1)
    for rows in (slice(0, 1), slice(1, 2), slice(0, 9)):
        found = function(PICTURES[rows])
        assert list(found) == ["stage3", "pooled"]
        for name in found:
            assert_equal(found[name], expected[name][rows])
