import keras
import numpy as np
import pytest

import tftransfer as tft
from tftransfer.backbones import Backbone
from tftransfer.backbones import tiny


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), "uint8")


def outputs(model, pictures):
    return keras.ops.convert_to_numpy(model(pictures, training=False))


def test_select_gives_named_endpoints_of_the_same_layers(pictures):
    backbone = Backbone("tiny")
    found = backbone.select(["stage1", "pooled"])(pictures, training=False)
    assert list(found) == ["stage1", "pooled"]
    assert found["stage1"].shape == (3, 16, 16, 32)
    np.testing.assert_allclose(found["pooled"], outputs(backbone, pictures), rtol=1e-5)
    shared = {id(v) for v in backbone.variables}
    assert all(id(v) in shared for v in backbone.select("stage1").variables)
    with pytest.raises(ValueError, match="stage1"):
        backbone.select("stage")


def test_clone_is_independent_and_trainable(pictures):
    backbone = Backbone("tiny")
    tft.freeze_until(backbone, "stage2")
    copy = backbone.clone()
    np.testing.assert_array_equal(outputs(copy, pictures), outputs(backbone, pictures))
    assert all(layer.trainable for layer in copy.layers)
    before = outputs(backbone, pictures)
    for variable in copy.trainable_variables:
        variable.assign(variable * 0)
    np.testing.assert_array_equal(outputs(backbone, pictures), before)
    fresh = backbone.clone(weights=False)
    assert fresh.fingerprint() != backbone.fingerprint()


def test_fingerprint_follows_weights_and_settings():
    backbone = Backbone("tiny")
    assert backbone.fingerprint() == Backbone("tiny").fingerprint()
    larger = Backbone("tiny", input_shape=(48, 48, 3))
    assert larger.fingerprint() != backbone.fingerprint()
    variable = backbone.variables[-1]
    variable.assign(variable + 1e-3)
    assert backbone.fingerprint() != Backbone("tiny").fingerprint()


def test_saves_and_loads_frozen_layers_too(tmp_path, pictures):
    backbone = Backbone("tiny")
    tft.freeze_until(backbone, "stage1")
    backbone.save(tmp_path / "tiny.keras")
    again = keras.saving.load_model(tmp_path / "tiny.keras")
    assert isinstance(again, Backbone)
    assert again.endpoint_names == backbone.endpoint_names
    np.testing.assert_array_equal(outputs(again, pictures), outputs(backbone, pictures))
    flags = [[layer.trainable for layer in b.layers] for b in (again, backbone)]
    assert flags[0] == flags[1]


@pytest.mark.parametrize("kind", ["whole.keras", "only.weights.h5"])
def test_weights_from_a_file(tmp_path, pictures, kind):
    source = Backbone("mobilenet", weights=None, alpha=0.25, input_shape=(32, 32, 3))
    save = source.save if kind.endswith(".keras") else source.save_weights
    save(tmp_path / kind)
    again = Backbone(
        "mobilenet", weights=tmp_path / kind, alpha=0.25, input_shape=(32, 32, 3)
    )
    np.testing.assert_array_equal(outputs(again, pictures), outputs(source, pictures))
    with pytest.raises(ValueError, match=kind):
        Backbone(
            "mobilenet", weights=tmp_path / kind, alpha=0.5, input_shape=(32, 32, 3)
        )


def test_weights_in_the_published_layout_with_a_top(tmp_path, pictures):
    """keras.applications' own `.h5`, whose top is left out."""
    net = keras.applications.MobileNet(
        weights=None, alpha=0.25, input_shape=(32, 32, 3), classes=7
    )
    net.save_weights(tmp_path / "net.weights.h5")
    net.save(tmp_path / "net.h5")
    backbone = Backbone(
        "mobilenet",
        weights=tmp_path / "net.h5",
        alpha=0.25,
        input_shape=(32, 32, 3),
    )
    kernel = next(v for v in net.variables if "conv1/kernel" in v.path)
    ours = next(v for v in backbone.variables if "conv1/kernel" in v.path)
    np.testing.assert_array_equal(kernel, ours)


def test_files_that_are_none_raise(tmp_path):
    (tmp_path / "damaged.h5").write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=r"damaged\.h5"):
        Backbone("tiny", weights=tmp_path / "damaged.h5")
    with pytest.raises(FileNotFoundError, match=r"absent\.h5"):
        Backbone("tiny", weights=tmp_path / "absent.h5")
    (tmp_path / "weights.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="ends in"):
        Backbone("tiny", weights=tmp_path / "weights.bin")


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="mobilenet"):
        Backbone("mobilnet", weights=None)
    with pytest.raises(ValueError, match="input_shape"):
        Backbone("tiny", weights=None, input_shape=(32, 32))
    with pytest.raises(TypeError, match="alpha"):
        Backbone("resnet50", weights=None, alpha=0.5)


def test_tiny_is_small_and_its_checksum_holds(tmp_path, monkeypatch):
    path = tiny.shipped_weights()
    assert path.stat().st_size < 1_000_000
    damaged = tmp_path / path.name
    damaged.write_bytes(path.read_bytes()[:-1] + b"x")
    monkeypatch.setattr(tiny, "WEIGHTS_FILE", damaged)
    with pytest.raises(OSError, match="damaged"):
        Backbone("tiny")


def test_tiny_knows_digits(data_dir):
    """Its features of real MNIST pictures are linearly separable from few labels."""
    with np.load(data_dir / "mnist.npz") as mnist:
        x, y = mnist["x_test"][:2000], mnist["y_test"][:2000]
    features = tft.FeatureExtractor(Backbone("tiny")).extract(x, progress=False)
    fitted = tft.probe(features[:500], y[:500])
    assert fitted.score(features[500:], y[500:]) > 0.95
