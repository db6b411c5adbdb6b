"""The nets are keras-vggface's, in layout and values; weights are found or refused."""

import pathlib
import shutil

import h5py
import keras
import numpy as np
import pytest

import tftransfer as tft
from tests.face import vggface_oracle as oracle
from tftransfer.backbones import Preprocessing
from tftransfer.backbones import WeightsNotFoundError
from tftransfer.backbones import published
from tftransfer.face import VGGFace
from tftransfer.face.nets.vggface_weights import load_weights


@pytest.fixture
def oracle_folder():
    folder = pathlib.Path(__file__).parents[3] / "shared/oracles/keras_vggface"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "vgg16.h5"
    net = VGGFace(include_top=False, weights=None)
    oracle.write_published(path, oracle.published_layout(net))
    return path


@pytest.fixture
def double_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(("model", "top"), oracle.EXPECTED)
def test_layers_and_weights_are_those_of_the_published_files(model, top, weightless):
    layout = oracle.published_layout(
        VGGFace(model=model, include_top=top, weights=None)
    )
    assert oracle.digest(layout) == oracle.EXPECTED[model, top][0]


def outputs_with_published_weights(model, path) -> list:
    """Load a file with top; return probabilities and features."""
    net = VGGFace(model, weights=None)
    oracle.write_published(path, oracle.published_layout(net))
    load_weights(net, path)
    maps = net.get_layer("flatten").input
    features = keras.layers.GlobalAveragePooling2D()(maps)
    both = keras.Model(net.input, [net.output, features])
    return [np.asarray(output) for output in both(oracle.pictures())]


@pytest.mark.parametrize(
    "model", ["resnet50", pytest.param("vgg16", marks=pytest.mark.slow)]
)
def test_outputs_are_those_of_keras_vggface(model, tmp_path, oracle_folder):
    both = outputs_with_published_weights(model, tmp_path / "published.h5")
    for top, received in zip((True, False), both):
        expected = oracle.EXPECTED[model, top][1]
        np.testing.assert_allclose(received[:, :5], expected, rtol=1e-4)
        if oracle_folder is not None:
            recorded = recording(oracle_folder, model, top)
            assert difference(received, recorded) < 1e-4


def test_outputs_of_senet50(tmp_path, oracle_folder, double_precision):
    """As above, in double precision: see vggface_oracle.py."""
    both = outputs_with_published_weights("senet50", tmp_path / "published.h5")
    for top, received in zip((True, False), both):
        expected = oracle.EXPECTED["senet50", top][1]
        np.testing.assert_allclose(received[:, :5], expected, rtol=1e-6)
        if oracle_folder is not None:  # the first picture is the less sensitive one
            recorded = recording(oracle_folder, "senet50", top)
            assert difference(received[:1], recorded[:1]) < 1e-2


def test_outputs_without_top(small_file):
    net = VGGFace(include_top=False, weights=small_file, pooling="avg")
    expected = oracle.EXPECTED["vgg16", False][1]
    received = np.asarray(net(oracle.pictures()))
    np.testing.assert_allclose(received[:, :5], expected, rtol=1e-4)


def recording(folder, model, top) -> np.ndarray:
    file = np.load(folder / f"{model}_{'top' if top else 'notop_avg'}.npz")
    return file["probabilities" if top else "embedding"]


def difference(received, expected) -> float:
    return np.abs(received - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(
    ("version", "mean"),
    [(1, (93.5940, 104.7624, 129.1863)), (2, (91.4953, 103.8827, 131.0912))],
)
def test_preprocessing_is_that_of_keras_vggface(version, mean, oracle_folder):
    received = np.asarray(Preprocessing(f"vggface{version}")(oracle.pictures()))
    expected = oracle.pictures()[..., ::-1] - np.float32(mean)
    np.testing.assert_allclose(received, expected, atol=1e-5)
    if oracle_folder is not None:
        recorded = np.load(oracle_folder / "preprocessed.npz")[f"v{version}"]
        np.testing.assert_array_equal(received[:1, :4, :4], recorded)


@pytest.mark.parametrize(
    ("first", "named", "expected"),
    [
        ((), {}, ("vggface_vgg16", (None, 2622))),
        (("resnet50",), {}, ("vggface_resnet50", (None, 8631))),
        (("senet50", False), {}, ("vggface_senet50", (None, None, None, 2048))),
        ((False, "resnet50"), {"pooling": "max"}, ("vggface_resnet50", (None, 2048))),
        ((False,), {"model": "vgg16"}, ("vggface_vgg16", (None, None, None, 512))),
        ((), {"model": "resnet50", "classes": 7}, ("vggface_resnet50", (None, 7))),
    ],
)
def test_arguments_by_position_and_name(first, named, expected, weightless):
    net = VGGFace(*first, **named, weights=None)
    assert (net.name, net.output_shape) == expected


def test_layers_people_look_up_are_there(weightless):
    assert VGGFace(weights=None).get_layer("fc7").output.shape == (None, 4096)
    net = VGGFace("senet50", False, weights=None, input_shape=(224, 224, 3))
    assert net.get_layer("avg_pool").output.shape == (None, 1, 1, 2048)


def test_built_upon_a_tensor():
    pictures = keras.Input((96, 96, 3))
    mirrored = keras.layers.RandomFlip()(pictures)
    net = VGGFace(False, weights=None, input_tensor=mirrored, pooling="avg")
    assert net.inputs[0] is pictures
    assert net.output_shape == (None, 512)


@pytest.mark.parametrize(
    ("first", "named", "error", "said"),
    [
        ((), {"model": "resnet101"}, ValueError, "Nearest: 'resnet50'"),
        ((), {"pooling": "sum"}, ValueError, "`pooling`"),
        ((), {"classes": 10}, ValueError, "2622 `classes`"),
        (("resnet50",), {"input_shape": (96, 96, 3)}, ValueError, "197 pixels or more"),
        (("vgg16",), {"input_shape": (None, 96, 3)}, ValueError, "known sides"),
        (("vgg16",), {"input_shape": (96, 96)}, ValueError, "height, width, 3"),
        (("vgg16",), {"input_tensor": np.zeros((1, 96, 96, 3))}, TypeError, "ndarray"),
        ((None,), {}, TypeError, "by position"),
        ((True, False), {}, TypeError, "by position"),
        ((True, "vgg16", None), {}, TypeError, "by position"),
        ((), {"weights": "imagenet"}, FileNotFoundError, "'vggface', None or the path"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_fetched(
    first, named, error, said, monkeypatch
):
    monkeypatch.setattr(keras.utils, "get_file", None)
    with pytest.raises(error, match=said):
        VGGFace(*first, **named)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "keras_home", lambda: str(tmp_path))
    return tmp_path / "models/vggface"


def test_without_network_and_file_it_is_an_error_and_never_random(cache, monkeypatch):
    def get_file(name, url, **_):
        raise Exception(f"URL fetch failure on {url}: unreachable")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(WeightsNotFoundError) as caught:
        VGGFace("senet50", include_top=False)
    name = "rcmalli_vggface_tf_notop_senet50.h5"
    release = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/"
    assert release + name in str(caught.value)
    assert str(cache / name) in str(caught.value)


def test_fetched_once_with_licence_and_digest(cache, small_file, monkeypatch, capsys):
    def get_file(name, url, cache_subdir, file_hash):
        assert pathlib.PurePath(cache_subdir) == pathlib.PurePath("models/vggface")
        cache.mkdir(parents=True)
        shutil.copy(small_file, cache / name)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    net = VGGFace(include_top=False)
    assert "non-commercial research" in capsys.readouterr().err
    monkeypatch.setattr(keras.utils, "get_file", None)
    again = VGGFace(include_top=False)
    assert capsys.readouterr().err == ""
    kernels = [n.get_layer("conv3_2").kernel.numpy() for n in (net, again)]
    np.testing.assert_array_equal(*kernels)
    path = cache / "rcmalli_vggface_tf_notop_vgg16.h5"
    with h5py.File(path, "a") as file:
        file["conv1_1/conv1_1/bias:0"][0] += 1
    with pytest.raises(ValueError, match=r"SHA-256 .* Delete both files"):
        VGGFace(include_top=False)


def test_a_file_that_does_not_fit_is_refused(small_file, tmp_path):
    with pytest.raises(ValueError, match="no layer 'conv1_7x7_s2'"):
        VGGFace("resnet50", include_top=False, weights=small_file)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(small_file.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="damaged or cut short"):
        VGGFace(include_top=False, weights=cut)


def test_a_backbone_to_fine_tune_and_save(small_file, tmp_path):
    net = VGGFace(include_top=False, weights=small_file, input_shape=(48, 48, 3))
    backbone = tft.Backbone.from_model(net, endpoints=["pool3", "pool5"])
    assert backbone.endpoint_names == ["pool3", "pool5", "pooled"]
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), "uint8")
    expected = np.asarray(net(faces)).mean(axis=(1, 2))
    np.testing.assert_allclose(backbone(faces), expected, rtol=1e-5)
    model = tft.Classifier(backbone, num_classes=2)
    tft.freeze_until(model.backbone, "pool3")
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [net.get_layer(n).kernel.numpy() for n in ("conv1_1", "conv5_3")]
    model.fit(faces, np.array([0, 1, 0, 1]), epochs=2, verbose=0)
    after = [net.get_layer(n).kernel.numpy() for n in ("conv1_1", "conv5_3")]
    np.testing.assert_array_equal(before[0], after[0])
    assert np.abs(before[1] - after[1]).max() > 0
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded(faces), net(faces))
