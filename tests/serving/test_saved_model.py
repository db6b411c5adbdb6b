"""What export writes, read back by a process that has TensorFlow alone."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tftransfer as tft
from tests.serving.pictures import broken
from tests.serving.pictures import every_kind
from tftransfer.data import decode_image

SIZE = 32
NAMES = ["ant", "bee", "cat", "dög", "eel", "fox <b>", "gnu"]

# Modules set to None cannot be imported: what needs them would fail.
SERVER = """
import json, pathlib, sys
for name in ("tftransfer", "keras", "tf_keras", "PIL"):
    sys.modules[name] = None
import tensorflow as tf
model, folder = sys.argv[1:]
loaded = tf.saved_model.load(model)
files = sorted(pathlib.Path(folder).iterdir())
contents = [file.read_bytes() for file in files]
answer = loaded.signatures["serving_default"](image_bytes=tf.constant(contents))
answer = {name: value.numpy().tolist() for name, value in answer.items()}
text = lambda v: v.decode() if isinstance(v, bytes) else v
rows = {
    file.name: {
        "labels": [text(v) for v in answer["labels"][i]],
        "scores": answer["scores"][i],
        "error": text(answer["error"][i]),
    }
    for i, file in enumerate(files)
}
print(json.dumps(rows))
"""


def tiny(class_names=NAMES, **options):
    """A classifier that gives different pictures different answers."""
    backbone = tft.Backbone("tiny", weights=None)
    head = keras.Sequential(
        [keras.Input((backbone.pooled_dim,)), keras.layers.Dense(len(NAMES), "gelu")]
    )
    model = tft.Classifier(
        backbone, len(NAMES), head=head, class_names=class_names, **options
    )
    kernel = head.layers[-1].kernel
    kernel.assign(np.random.default_rng(0).normal(0, 3, kernel.shape))
    return model


def small(outputs=3, **dense):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(outputs, **dense),
        ]
    )


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return tiny()


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return tft.export(model, tmp_path_factory.mktemp("served") / "insects")


@pytest.fixture(scope="module")
def answers(exported, tmp_path_factory):
    """What another process answers to every kind of picture, whole and broken."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = every_kind() | {f"bad {k}": v for k, (v, _) in broken().items()}
    for name, contents in pictures.items():
        (folder / name).write_bytes(contents)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(exported.path), str(folder)],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def expected(model):
    """{kind: the Keras model's probabilities of Pillow's picture}."""
    kinds = every_kind()
    pictures = [decode_image(contents, image_size=SIZE) for contents in kinds.values()]
    logits = model.deployed(np.stack(pictures).astype("float32")).numpy()
    return dict(zip(kinds, softmax(logits)))


@pytest.mark.parametrize("kind", every_kind())
def test_another_process_answers_encoded_pictures(kind, answers, expected):
    answer = answers[kind]
    assert answer["error"] == ""
    assert len(answer["labels"]) == 5
    assert answer["scores"] == sorted(answer["scores"], reverse=True)
    found = [expected[kind][NAMES.index(label)] for label in answer["labels"]]
    # Pictures agree to 1 of 255 (see test_decoding), scores a little less.
    np.testing.assert_allclose(answer["scores"], found, atol=5e-3)


def test_pictures_are_told_apart(answers):
    """Else the comparison above would say nothing."""
    best = [answers[kind]["scores"][0] for kind in ("png", "png grey", "png rgba")]
    assert np.ptp(best) > 0.02


@pytest.mark.parametrize("kind", broken())
def test_a_broken_picture_has_an_error_of_its_own(kind, answers):
    answer = answers[f"bad {kind}"]
    assert answer["error"].startswith(broken()[kind][1])
    assert answer["labels"] == [""] * 5
    assert answer["scores"] == [0.0] * 5


def test_the_image_signature_agrees_with_the_model(exported, model):
    images = np.random.default_rng(2).uniform(0, 255, (6, SIZE, SIZE, 3))
    images = images.astype("float32")
    loaded = tf.saved_model.load(str(exported.path))
    answer = loaded.signatures["image"](image=images)
    expected = softmax(model.deployed(images).numpy())
    np.testing.assert_allclose(
        answer["scores"], -np.sort(-expected)[:, :5], atol=1e-5, rtol=1e-5
    )
    best = np.argsort(-expected)[:, :5]
    labels = [[label.decode() for label in row] for row in answer["labels"].numpy()]
    assert labels == [[NAMES[i] for i in row] for row in best]
    assert exported.largest_difference < 1e-5


def test_what_is_said_of_the_export(exported):
    assert exported.path.name == "1"
    assert exported.labels == tuple(NAMES)
    assert (exported.image_size, exported.top_k) == (SIZE, 5)
    stored = exported.path / "assets" / "labels.txt"
    assert stored.read_text(encoding="utf-8").splitlines() == NAMES
    files = [file for file in exported.path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    assert exported.size_mb == pytest.approx(size / 1e6, abs=1e-3)


def test_signatures_have_names_and_types_for_a_server(exported):
    loaded = tf.saved_model.load(str(exported.path))
    encoded, pixels = loaded.signatures["serving_default"], loaded.signatures["image"]
    (spec,) = encoded.structured_input_signature[1].values()
    assert (spec.name, spec.dtype, spec.shape.rank) == ("image_bytes", tf.string, 1)
    (spec,) = pixels.structured_input_signature[1].values()
    assert spec.shape.as_list() == [None, SIZE, SIZE, 3]
    assert set(encoded.structured_outputs) == {"labels", "scores", "error"}
    assert set(pixels.structured_outputs) == {"labels", "scores"}


def test_the_graph_holds_no_python_and_no_paths(exported):
    graph = (exported.path / "saved_model.pb").read_bytes()
    assert b"PyFunc" not in graph
    assert str(exported.path.parent).encode() not in graph


def test_versions_follow_each_other(tmp_path):
    model = small()
    assert tft.export(model, tmp_path / "pets").path.name == "1"
    assert tft.export(model, tmp_path / "pets").path.name == "2"
    assert tft.export(model, tmp_path / "pets" / "7").path.name == "7"
    with pytest.raises(FileExistsError, match="next free version"):
        tft.export(model, tmp_path / "pets" / "2")
    names = sorted(entry.name for entry in (tmp_path / "pets").iterdir())
    assert names == ["1", "2", "7"]


def test_servers_may_read_what_was_written(tmp_path):
    path = tft.export(small(), tmp_path / "pets").path
    usual = tmp_path / "usual"
    usual.mkdir()
    assert path.stat().st_mode == usual.stat().st_mode


def test_softmax_outputs_are_not_squashed_again(tmp_path):
    model = small(activation="softmax")
    path = tft.export(model, tmp_path / "pets", top_k=1).path
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype("float32")
    loaded = tf.saved_model.load(str(path))
    answer = loaded.signatures["image"](image=images)
    np.testing.assert_allclose(
        answer["scores"][:, 0], model(images).numpy().max(axis=1), rtol=1e-5
    )


def test_a_saved_file_and_an_open_size(tmp_path):
    model = tft.Classifier(
        tft.Backbone("tiny", weights=None, input_shape=(None, None, 3)),
        2,
        class_names=["cat", "dog"],
    )
    model.save(tmp_path / "model.keras")
    result = tft.export(tmp_path / "model.keras", tmp_path / "pets", image_size=40)
    assert (result.labels, result.image_size, result.top_k) == (("cat", "dog"), 40, 2)
    with pytest.raises(ValueError, match="image_size"):
        tft.export(model, tmp_path / "others")


def test_any_keras_model_of_an_open_size(tmp_path):
    net = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(2, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Softmax(),
        ]
    )
    result = tft.export(net, tmp_path / "net", top_k=1, image_size=48)
    assert (result.labels, result.image_size) == (("0", "1"), 48)
    loaded = tf.saved_model.load(str(result.path))
    picture = tf.constant([every_kind()["png"]])
    answer = loaded.signatures["serving_default"](image_bytes=picture)
    assert answer["labels"].shape == (1, 1)


def test_labels_given_win_over_the_models(tmp_path):
    model = tiny()
    names = [f"number {i}" for i in range(len(NAMES))]
    assert tft.export(model, tmp_path / "a", labels=names).labels == tuple(names)
    assert tft.export(small(), tmp_path / "b").labels == ("0", "1", "2")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["a", "b"], "3 distinct"),
        (["a", "b", "b"], "2 are distinct"),
        (["a", "b", "c", "d"], "3 distinct"),
        (["a", "b", ""], "one line"),
        (["a", "b", "c\nd"], "one line"),
    ],
)
def test_labels_that_do_not_fit(labels, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        tft.export(small(), tmp_path / "pets", labels=labels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: small(1), "two logits"),
        (lambda: small(kernel_initializer=_nan), "finite"),
        (lambda: _of_shape((8, 6, 3)), "square"),
        (lambda: _of_shape((8, 8, 1)), "RGB"),
    ],
)
def test_models_that_cannot_be_served(model, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        tft.export(model(), tmp_path / "pets")
    assert list(tmp_path.iterdir()) == []


def _nan(shape, dtype=None):
    return np.full(shape, np.nan)


def _of_shape(shape):
    return keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(2)]
    )


def test_wrong_arguments(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.keras"):
        tft.export(tmp_path / "absent.keras", tmp_path / "pets")
    with pytest.raises(ValueError, match="top_k"):
        tft.export(small(), tmp_path / "pets", top_k=0)
    with pytest.raises(ValueError, match="image_size"):
        tft.export(small(), tmp_path / "pets", image_size=16)
    assert list(tmp_path.iterdir()) == []


class Noisy(keras.layers.Layer):
    """Random at inference, which nobody can serve."""

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


def test_a_random_model_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), Noisy(), *small().layers])
    with pytest.raises(ValueError, match="random"):
        tft.export(model, tmp_path / "pets")
    assert list(tmp_path.iterdir()) == []


def test_a_saved_model_that_disagrees_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tftransfer.serving.formats.saved_model._TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="agree"):
        tft.export(small(), tmp_path / "pets")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    (tmp_path / "pets" / "1").mkdir(parents=True)
    with pytest.raises(OSError, match="space"):
        tft.export(small(), tmp_path / "pets")
    assert [entry.name for entry in (tmp_path / "pets").iterdir()] == ["1"]


def test_half_precision_is_served_as_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = tf.saved_model.load(str(tft.export(model, tmp_path / "pets").path))
    answer = loaded.signatures["image"](image=np.zeros((2, 8, 8, 3), "float32"))
    assert answer["scores"].dtype == tf.float32
