"""A model file that tries to run code is refused, and the code does not run."""

import pathlib
import pickle
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.fixture
def trace(tmp_path):
    """What code of a model file would create."""
    return tmp_path / "it ran"


def with_lambda(trace):
    """A model with Python code inside, which Keras stores with marshal."""
    touch = f"lambda x: (__import__('pathlib').Path({str(trace)!r}).touch(), x)[1]"
    given = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(eval(touch), output_shape=(8, 8, 3))(given)
    return keras.Model(given, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def test_code_in_a_keras_file(trace, tmp_path):
    path = tmp_path / "model.keras"
    with_lambda(trace).save(path)
    trace.unlink(missing_ok=True)
    for load in (
        tft.load_model,
        tft.Predictor,
        lambda p: tft.export(p, tmp_path / "x"),
    ):
        with pytest.raises(ValueError, match="safe"):
            load(path)
    assert not trace.exists()
    keras.saving.load_model(path, safe_mode=False)(np.zeros((1, 8, 8, 3)))
    assert trace.exists()  # else the file would have been harmless all along


def saved(folder, function):
    """A SavedModel with the signatures and labels of ours."""
    module = tf.Module()
    spec = tf.TensorSpec((None, 8, 8, 3), tf.float32, "image")

    def answer(image):
        return {"scores": function(image)}

    signature = tf.function(answer, input_signature=[spec])
    labels = folder.parent / "labels.txt"
    labels.write_text("a\nb\n")
    module.labels = tf.saved_model.Asset(str(labels))
    tf.saved_model.save(module, str(folder), signatures={"probabilities": signature})
    return folder


def two(image):
    return tf.nn.softmax(tf.reduce_mean(image, axis=(1, 2))[:, :2])


def test_a_harmless_stranger_is_taken(tmp_path):
    """Else the refusals below would say nothing."""
    predictor = tft.Predictor(saved(tmp_path / "1", two), engine="tensorflow")
    assert predictor.labels == ("a", "b")
    assert predictor.probabilities(np.zeros((1, 8, 8, 3), "uint8")).shape == (1, 2)


def test_operations_on_files_in_a_saved_model(trace, tmp_path):
    def writes(image):
        with tf.control_dependencies([tf.io.write_file(str(trace), "it ran")]):
            return two(image)

    def reads(image):
        secret = tf.strings.length(tf.io.read_file("/etc/passwd"))
        return two(image + tf.cast(secret, tf.float32))

    def saves(image):
        save = tf.raw_ops.SaveV2(
            prefix=str(trace),
            tensor_names=["image"],
            shape_and_slices=[""],
            tensors=[image],
        )
        with tf.control_dependencies([save]):
            return two(image)

    def python(image):
        return tf.ensure_shape(tf.py_function(two, [image], tf.float32), (None, 2))

    harmful = {
        "WriteFile": writes,
        "ReadFile": reads,
        "SaveV2": saves,
        "EagerPyFunc": python,
    }
    for name, function in harmful.items():
        with pytest.raises(ValueError, match=f"only computes.*{name}"):
            tft.Predictor(saved(tmp_path / name, function))
    assert not trace.exists()


def test_a_function_in_the_loaders_clothes(trace, tmp_path):
    """Weights are saved by functions of a known name; it alone is no passport."""
    from google.protobuf import text_format
    from tensorflow.core.protobuf import saved_model_pb2

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3))])
    def inner(image):
        tf.raw_ops.SaveV2(
            prefix=str(trace),
            tensor_names=["image"],
            shape_and_slices=[""],
            tensors=[image],
        )
        return two(image)

    folder = saved(tmp_path / "1", inner)
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    text = text_format.MessageToString(model)
    assert "__inference_inner_" in text
    text = text.replace("__inference_inner_", "__inference__traced_save_")
    disguised = text_format.Parse(text, saved_model_pb2.SavedModel())
    file.write_bytes(disguised.SerializeToString())
    with pytest.raises(ValueError, match="SaveV2"):
        tft.Predictor(folder)
    assert not trace.exists()


def test_an_initializer_that_writes(trace, tmp_path):
    """It would run as soon as the SavedModel is loaded."""

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self):
            return tf.raw_ops.MutableHashTableV2(
                key_dtype=tf.string, value_dtype=tf.int64
            )

        def _initialize(self):
            tf.io.write_file(str(trace), "it ran")

    folder = saved(tmp_path / "1", two)
    module = tf.saved_model.load(str(folder))
    module.resource = Resource()
    module.resource.resource_handle  # noqa: B018 - creates it
    harmful = tmp_path / "2"
    tf.saved_model.save(module, str(harmful), signatures=module.signatures)
    shutil.copytree(folder / "assets", harmful / "assets", dirs_exist_ok=True)
    trace.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="WriteFile"):
        tft.Predictor(harmful)
    assert not trace.exists()
    tf.saved_model.load(str(harmful))
    assert trace.exists()


def test_no_file_of_ours_is_unpickled(trace, tmp_path):
    """Neither a pickle under our names nor an array of objects is opened."""
    for suffix in (".keras", ".onnx", ".tflite", ".xml"):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(pickle.dumps(Bomb(trace)))
        with pytest.raises(ValueError, match="model"):
            tft.Predictor(path)
    cache = tft.ActivationCache(tmp_path / "cache")
    key = {"kind": "test"}
    cache.get(key, lambda: iter([np.zeros((2, 3), np.float32)]))
    for file in (tmp_path / "cache").rglob("*.npy"):
        np.save(file, np.array([Bomb(trace)], dtype=object), allow_pickle=True)
    found = cache.get(key, lambda: iter([np.ones((2, 3), np.float32)]))
    assert found.dtype == np.float32
    assert not trace.exists()


def test_the_package_never_turns_the_safety_off():
    package = pathlib.Path(tft.__file__).parent
    sources = {path: path.read_text() for path in package.rglob("*.py")}
    assert len(sources) > 100
    for word in ("safe_mode=False", "allow_pickle=True", "import pickle"):
        assert [path for path, text in sources.items() if word in text] == []
    for word in ("enable_unsafe_deserialization", "import marshal", "import dill"):
        assert [path for path, text in sources.items() if word in text] == []


def test_a_broken_saved_model(tmp_path):
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"no protocol buffer")
    with pytest.raises(ValueError, match="SavedModel"):
        tft.Predictor(folder)
