"""ONNX, LiteRT, OpenVINO and SavedModel: the same answers as the Keras model."""

import json
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.serving.pictures import every_kind
from tests.serving.test_saved_model import NAMES
from tests.serving.test_saved_model import SIZE
from tests.serving.test_saved_model import softmax
from tests.serving.test_saved_model import tiny

FILES = {"onnx": "pets.onnx", "litert": "pets.tflite", "openvino": "pets.xml"}
PICTURES = np.random.default_rng(0).integers(0, 256, (11, SIZE, SIZE, 3), "uint8")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return tiny()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """The model in every format."""
    folder = tmp_path_factory.mktemp("formats")
    model.save(folder / "pets.keras")
    tft.export(model, folder / "pets")
    for name in FILES.values():
        tft.export(model, folder / name)
    return folder


def path_of(folder, format):
    names = {"keras": "pets.keras", "tf_saved_model": "pets", **FILES}
    return folder / names[format]


EVERY = ["keras", "tf_saved_model", *FILES]


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_every_format_gives_the_probabilities_of_the_model(
    format, dtype, model, folder
):
    expected = softmax(model.deployed(PICTURES.astype("float32")).numpy())
    predictor = tft.Predictor(path_of(folder, format), pictures=11)
    assert (predictor.format, predictor.labels) == (format, tuple(NAMES))
    assert predictor.image_size == SIZE
    for rows in (slice(None), slice(0, 1), slice(0, 1), slice(3, 5)):
        found = predictor.probabilities(PICTURES[rows].astype(dtype))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[rows], atol=1e-5)
    assert predictor.probabilities(PICTURES[:0]).shape == (0, len(NAMES))


@pytest.mark.parametrize("format", ["keras", "tf_saved_model"])
def test_openvino_runs_what_tensorflow_runs(format, folder):
    path = path_of(folder, format)
    by_name = {
        engine: tft.Predictor(path, engine=engine)
        for engine in ("tensorflow", "openvino", "auto")
    }
    assert by_name["openvino"].engine == "openvino"
    assert by_name["auto"].engine in ("tensorflow", "openvino")
    first, *others = [p.probabilities(PICTURES) for p in by_name.values()]
    for found in others:
        np.testing.assert_allclose(found, first, atol=1e-5)


@pytest.mark.parametrize("format", EVERY)
def test_files_and_bytes_each_failing_for_itself(format, folder, tmp_path):
    good = every_kind()["jpeg"]
    bad = good[: len(good) // 2]
    (tmp_path / "a.jpg").write_bytes(good)
    predictor = tft.Predictor(path_of(folder, format), pictures=4)
    found = predictor.predict(
        [tmp_path / "a.jpg", bad, tmp_path / "absent.jpg", good], top_k=2
    )
    assert found[0] == found[3]
    assert len(found[0].labels) == 2
    assert found[0].scores[0] >= found[0].scores[1] > 0
    assert found[0].error is None
    assert "truncated" in found[1].error
    assert "No such file" in found[2].error
    assert found[1].labels == found[1].scores == ()


def test_names_and_versions(folder, model):
    assert tft.Predictor(folder / "pets.onnx").name == "pets"
    tft.export(model, folder / "pets" / "12")
    for path in (folder / "pets", folder / "pets" / "12"):
        predictor = tft.Predictor(path, engine="tensorflow")
        assert (predictor.name, predictor.version) == ("pets", "12")


def test_litert_runs_in_its_own_package_and_in_tensorflow(folder, monkeypatch):
    path = folder / FILES["litert"]
    own = tft.Predictor(path).probabilities(PICTURES)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    inside = tft.Predictor(path).probabilities(PICTURES)
    np.testing.assert_allclose(own, inside, atol=1e-6)


@pytest.mark.parametrize("format", FILES)
def test_what_is_said_of_a_file(format, model, tmp_path):
    path = tmp_path / FILES[format]
    pictures = PICTURES[:9]
    result = tft.export(model, path, format=format, pictures=pictures)
    assert (result.path, result.format, result.pictures) == (path, format, 9)
    assert result.agreement == 1.0
    assert 0 <= result.largest_difference < 1e-5
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert result.size_mb == pytest.approx(size / 1e6, abs=1e-3)
    shown = str(result)
    for part in ("9 pictures", "100.0%", path.name):
        assert part in shown
    with pytest.raises(FileExistsError, match="another name"):
        tft.export(model, path)


def test_labels_ride_along_for_other_readers(folder):
    import onnx
    import openvino

    properties = onnx.load(folder / "pets.onnx").metadata_props
    assert json.loads({p.key: p.value for p in properties}["labels"]) == NAMES
    net = openvino.Core().read_model(folder / "pets.xml")
    assert json.loads(net.get_rt_info(["tftransfer", "labels"]).astype(str)) == NAMES
    with zipfile.ZipFile(folder / "pets.tflite") as archive:
        assert archive.read("labels.txt").decode().splitlines() == NAMES


def test_inputs_have_the_names_that_the_documentation_says(folder):
    import onnxruntime
    import openvino

    session = onnxruntime.InferenceSession(folder / "pets.onnx")
    (given,), (found,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("image", ["batch", SIZE, SIZE, 3])
    assert (found.name, found.shape) == ("scores", ["batch", len(NAMES)])
    net = openvino.Core().read_model(folder / "pets.xml")
    assert (net.input().names, net.output().names) == ({"image"}, {"scores"})
    content = (folder / "pets.tflite").read_bytes()
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner()
    answer = runner(image=PICTURES[:1].astype("float32"))
    assert answer["scores"].shape == (1, len(NAMES))


@pytest.mark.parametrize("format", FILES)
def test_what_converters_stumble_over(format, tmp_path):
    """Normalization, grouped convolutions and swish; GELU is in the model above.

    Keras makes the first one's mean an input of the ONNX net, hides the second from
    converters in a function for XLA, and gives the third a gradient that a SavedModel
    of a frozen graph cannot keep.
    """
    normalization = keras.layers.Normalization(
        mean=[120.0, 110.0, 90.0], variance=[900.0, 1600.0, 2500.0]
    )
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            normalization,
            keras.layers.Conv2D(6, 3, strides=4, groups=3, activation="swish"),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    result = tft.export(model, tmp_path / FILES[format])
    assert result.agreement == 1.0
    predictor = tft.Predictor(result.path)
    found = predictor.probabilities(PICTURES)
    expected = softmax(model(PICTURES.astype("float32")).numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1


@pytest.mark.slow
def test_efficientnet_converts_to_onnx(tmp_path):
    assert_converts("efficientnetb0", tmp_path, ["net.onnx"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "convnexttiny",
        "densenet121",
        "efficientnetb0",
        "efficientnetv2b0",
        "mobilenetv2",
        "mobilenetv3small",
        "nasnetmobile",
        "resnet50v2",
        "xception",
    ],
)
def test_families_of_backbones_convert(name, tmp_path):
    assert_converts(name, tmp_path, FILES.values())


def assert_converts(name, folder, files):
    side = 71 if name == "xception" else 64
    backbone = tft.Backbone(name, weights=None, input_shape=(side, side, 3))
    model = tft.Classifier(backbone, num_classes=4)
    model.head.layers[-1].kernel.assign(
        np.random.default_rng(0).normal(0, 1, (backbone.pooled_dim, 4))
    )
    for file in files:
        result = tft.export(model, folder / file)
        assert result.agreement == 1.0
        assert result.largest_difference < 1e-4


@pytest.mark.parametrize("format", ["litert", "openvino"])
def test_float16_halves_the_file(format, model, folder, tmp_path):
    path = tmp_path / FILES[format]
    result = tft.export(model, path, quantize="float16")
    assert 0 < result.largest_difference < 0.02
    assert result.agreement > 0.9
    suffix = ".bin" if format == "openvino" else path.suffix
    sizes = [
        f.with_suffix(suffix).stat().st_size for f in (path, folder / FILES[format])
    ]
    assert sizes[0] < 0.65 * sizes[1]


def test_int8_takes_a_quarter_and_names_the_same(monkeypatch, tmp_path):
    # An untrained net stands closer between its classes than a trained one.
    monkeypatch.setattr("tftransfer.serving.formats.litert_int8._AGREEMENT", 0.9)
    model = trained_like()
    path = tmp_path / "pets.tflite"
    result = tft.export(
        model, path, quantize="int8", representative=PICTURES_OF_KIND, pictures=TEST
    )
    assert (result.quantize, result.float_layers) == ("int8", ())
    assert result.agreement >= 0.9
    assert 0 < result.largest_difference < 0.3
    plain = tft.export(model, tmp_path / "plain.tflite")
    assert result.size_mb < 0.45 * plain.size_mb
    details = tf.lite.Interpreter(model_content=path.read_bytes()).get_tensor_details()
    assert sum(d["dtype"] == np.int8 for d in details) > 5


def test_layers_that_suffer_stay_in_float(tmp_path):
    model = trained_like(outlier=300.0)
    options = {"quantize": "int8", "representative": PICTURES_OF_KIND}
    result = tft.export(model, tmp_path / "pets.tflite", **options, pictures=TEST)
    assert len(result.float_layers) >= 1
    assert result.agreement >= 0.9


def _pictures_of_kind(seed, count):
    """Smooth pictures: noise of 4 x 4 blocks, as bright as photographs are."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (count, 4, 4, 3), "uint8")
    return blocks.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)


PICTURES_OF_KIND, TEST = _pictures_of_kind(1, 60), _pictures_of_kind(2, 100)


def trained_like(outlier: float | None = None):
    """A convolution net; with `outlier` a channel that spoils an int8 range."""
    keras.utils.set_random_seed(1)
    given = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(given)
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="first")(x)
    if outlier is not None:
        # One channel of thousands beside fifteen of ones, which the next layer leaves
        # aside: in int8 the fifteen become zero.
        scale = np.ones(16, "float32")
        scale[0] = outlier
        x = keras.layers.Conv2D(16, 1, name="wide")(x)
    x = keras.layers.Conv2D(32, 3, strides=2, activation="relu", name="second")(x)
    x = keras.layers.Conv2D(32, 3, activation="relu", name="third")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(10, name="head")(x)
    model = keras.Model(given, x)
    if outlier is not None:
        kernel = np.diag(scale)[None, None]
        model.get_layer("wide").kernel.assign(kernel)
        second = model.get_layer("second").kernel
        value = second.numpy()
        value[:, :, 0] = 0.0
        second.assign(value)
    # Logits farther apart than errors of 1 %, as those of a trained net.
    logits = model(PICTURES_OF_KIND.astype("float32")).numpy()
    head = model.get_layer("head")
    head.kernel.assign(head.kernel * 10 / logits.std())
    head.bias.assign(-logits.mean(axis=0) * 10 / logits.std())
    return model


def test_wrong_options(model, tmp_path, folder):
    with pytest.raises(ValueError, match=r"ends in '\.onnx'"):
        tft.export(model, tmp_path / "pets", format="onnx")
    with pytest.raises(ValueError, match="a folder"):
        tft.export(model, tmp_path / "pets.onnx", format="tf_saved_model")
    with pytest.raises(ValueError, match="'tf_saved_model', 'onnx'"):
        tft.export(model, tmp_path / "pets", format="coreml")
    with pytest.raises(ValueError, match="None for"):
        tft.export(model, tmp_path / "pets.onnx", quantize="int8")
    with pytest.raises(ValueError, match="'float16' or 'int8'"):
        tft.export(model, tmp_path / "pets.tflite", quantize="int4")
    with pytest.raises(ValueError, match="`representative`"):
        tft.export(model, tmp_path / "pets.tflite", quantize="int8")
    with pytest.raises(ValueError, match="20 `representative`"):
        tft.export(
            model,
            tmp_path / "pets.tflite",
            quantize="int8",
            representative=PICTURES[:5],
        )
    with pytest.raises(ValueError, match="'auto' or 'onnxruntime'"):
        tft.Predictor(folder / "pets.onnx", engine="tensorflow")
    with pytest.raises(ValueError, match="'auto', 'tensorflow'"):
        tft.Predictor(folder / "pets.onnx", engine="fast")
    with pytest.raises(ValueError, match=r"pictures \(batch, 32, 32, 3\)"):
        tft.Predictor(folder / "pets.onnx").probabilities(PICTURES[:, :5])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_file_of_somebody_else(format, model, folder, tmp_path):
    """Without labels the answers would be numbers."""
    path = tmp_path / FILES[format]
    if format == "onnx":
        import onnx

        proto = onnx.load(folder / FILES[format])
        del proto.metadata_props[:]
        onnx.save(proto, path)
    else:
        content = (folder / FILES[format]).read_bytes()
        path.write_bytes(content[: content.rindex(b"PK\x03\x04")])
    with pytest.raises(ValueError, match="no labels"):
        tft.Predictor(path)


def test_a_converter_that_fails_leaves_nothing_behind(model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tftransfer.serving.formats.litert_function.LiteRTFunction.__call__",
        lambda self, images: np.full((len(images), len(NAMES)), np.nan),
    )
    with pytest.raises(ValueError, match=r"0\.0% finite"):
        tft.export(model, tmp_path / "pets.tflite")
    assert list(tmp_path.iterdir()) == []
