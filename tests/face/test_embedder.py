"""Embeddings are a model's outputs at unit length, for the crops it was trained on."""

import json
import os
import pathlib

import keras
import numpy as np
import pytest
from keras import layers

from tftransfer.backbones import Preprocessing
from tftransfer.face import Embedder
from tftransfer.face import Face
from tftransfer.face import VGGFace
from tftransfer.face import align
from tftransfer.face import as_photograph
from tftransfer.face import crop
from tftransfer.face.nets.alignment import ARCFACE_TEMPLATE
from tftransfer.face.nets.embedder_net import embedding_net

RNG = np.random.default_rng(0)
CROPS = RNG.integers(0, 256, (70, 16, 16, 3), "uint8")
FACE = Face(np.array([20, 15, 60, 70], "float32"), ARCFACE_TEMPLATE * 0.5 + 12, 0.99)


def small_net(side=16, **options):
    return keras.Sequential(
        [
            keras.Input((side, side, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.Conv2D(6, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(5, **options),
        ]
    )


def unit(rows):
    return np.stack([row / np.sqrt(sum(value**2 for value in row)) for row in rows])


@pytest.fixture(scope="module")
def net():
    keras.utils.set_random_seed(1)
    return small_net()


@pytest.mark.parametrize("count", [1, 32, 70], ids=["one", "a batch", "batches"])
def test_outputs_of_the_model_at_unit_length(net, count):
    received = Embedder.from_model(net).embed(CROPS[:count])
    expected = unit(np.asarray(net(CROPS[:count])))
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, expected, atol=1e-6)


def test_flip_adds_the_mirror_image(net):
    received = Embedder.from_model(net, flip=True).embed(CROPS)
    expected = unit(np.asarray(net(CROPS)) + np.asarray(net(CROPS[:, :, ::-1])))
    np.testing.assert_allclose(received, expected, atol=1e-6)
    mirrored = Embedder.from_model(net, flip=True).embed(CROPS[:, :, ::-1])
    np.testing.assert_allclose(received, mirrored, atol=1e-6)


def test_no_crops_no_rows(net):
    assert Embedder.from_model(net).embed(CROPS[:0]).shape == (0, 5)


def test_openvino_agrees(net):
    pytest.importorskip("openvino")
    embedders = [Embedder.from_model(net, engine=e) for e in ("openvino", "tensorflow")]
    first, second = (embedder.embed(CROPS) for embedder in embedders)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_auto_chooses_again_once_there_were_many(net, monkeypatch):
    embedder = Embedder.from_model(net)
    asked = []
    choose = embedder._engines.choose
    monkeypatch.setattr(
        embedder._engines,
        "choose",
        lambda engine, count: asked.append(count) or choose("tensorflow", count),
    )
    many = np.zeros((600, 16, 16, 3), "uint8") + CROPS[0]
    for _ in range(3):
        embedder.embed(many)
    assert asked == [600, 1200]


def test_faces_are_cut_as_the_model_wants_them(net):
    picture = RNG.integers(0, 256, (90, 80, 3), "uint8")
    turned = Embedder.from_model(net).prepare(picture, FACE)
    np.testing.assert_array_equal(turned, align(picture, FACE.landmarks, 16))
    square = Embedder.from_model(net, alignment="crop", margin=0.2)
    expected = crop(picture, FACE.box, 16, 0.2)
    np.testing.assert_array_equal(square.prepare(picture, FACE), expected)
    without = Face(FACE.box, None, 0.9)
    np.testing.assert_array_equal(square.prepare(picture, without), expected)
    with pytest.raises(ValueError, match="five landmarks"):
        Embedder.from_model(net).prepare(picture, without)


def test_vggface_is_known_by_its_preprocessing():
    net = VGGFace(include_top=False, weights=None, input_shape=(48, 48, 3))
    embedder = Embedder.from_model(net)
    assert (embedder.alignment, embedder.margin) == ("crop", 0)
    assert (embedder.size, embedder.dimension) == (48, 512)
    crops = np.repeat(np.repeat(CROPS[:2], 3, axis=1), 3, axis=2)
    expected = unit(np.asarray(net(crops)).mean(axis=(1, 2)))
    np.testing.assert_allclose(embedder.embed(crops), expected, atol=1e-6)
    assert Embedder.from_model(net, alignment="five_points").alignment == "five_points"


def test_what_contains_a_vggface_is_known_after_loading(tmp_path):
    inner = keras.Sequential([keras.Input((16, 16, 3)), Preprocessing("vggface2")])
    inner.add(layers.Flatten())
    outer = keras.Sequential([keras.Input((16, 16, 3)), inner, layers.Dense(4)])
    outer.save(tmp_path / "outer.keras")
    loaded = keras.saving.load_model(tmp_path / "outer.keras")
    assert Embedder.from_model(loaded).alignment == "crop"


@pytest.mark.parametrize(
    ("first", "options", "expected"),
    [
        ("vgg16", {}, (224, 4096)),
        ("resnet50", {}, (224, 2048)),
        ("senet50", {"include_top": False}, (224, 2048)),
        ("vgg16", {"include_top": False, "pooling": "max"}, (224, 512)),
    ],
)
def test_every_vggface_gives_features(first, options, expected, weightless):
    net = embedding_net(VGGFace(first, weights=None, **options), None)
    assert (net.input_shape[1], net.output_shape[-1]) == expected
    assert net.layers[-1].name not in ("fc8_softmax", "classifier")


def test_a_model_of_any_size_and_a_map():
    maps = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3)])
    embedder = Embedder.from_model(maps, size=16)
    expected = unit(np.asarray(maps(CROPS[:3])).mean(axis=(1, 2)))
    np.testing.assert_allclose(embedder.embed(CROPS[:3]), expected, atol=1e-6)
    with pytest.raises(ValueError, match="`size` where it takes any"):
        Embedder.from_model(maps)


def test_fingerprint_tells_what_cannot_be_compared(net):
    options = [
        {},
        {"flip": True},
        {"alignment": "crop"},
        {"alignment": "crop", "margin": 0.1},
    ]
    prints = [Embedder.from_model(net, **o).fingerprint for o in options]
    copy = keras.models.clone_model(net)
    copy.set_weights(net.get_weights())
    assert Embedder.from_model(copy, engine="tensorflow").fingerprint == prints[0]
    copy.set_weights([weight * 1.01 for weight in net.get_weights()])
    prints.append(Embedder.from_model(copy).fingerprint)
    assert len({*prints}) == 5


def test_saved_and_loaded(net, tmp_path):
    embedder = Embedder.from_model(net, alignment="crop", margin=0.25, flip=True)
    embedder.save(tmp_path / "embedder")
    embedder.save(tmp_path / "embedder")
    assert len(list((tmp_path / "embedder").iterdir())) == 2
    loaded = Embedder.load(tmp_path / "embedder", engine="tensorflow")
    assert loaded.fingerprint == embedder.fingerprint
    assert (loaded.alignment, loaded.margin, loaded.flip) == ("crop", 0.25, True)
    np.testing.assert_array_equal(loaded.embed(CROPS), embedder.embed(CROPS))


def test_an_interrupted_save_leaves_what_was_there(net, tmp_path, monkeypatch):
    Embedder.from_model(net).save(tmp_path)
    mine = tmp_path / "mine.keras"
    mine.touch()

    def stopped(*_):
        raise KeyboardInterrupt

    other = Embedder.from_model(net, flip=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            other.save(tmp_path)
    assert not Embedder.load(tmp_path).flip
    other.save(tmp_path)
    assert Embedder.load(tmp_path).flip
    assert mine.exists()


def test_what_is_damaged_or_absent_is_refused(net, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"embedder\.json"):
        Embedder.load(tmp_path)
    Embedder.from_model(net).save(tmp_path)
    model = next(tmp_path.glob("*.keras"))
    whole = model.read_bytes()
    small_net().save(model)
    with pytest.raises(ValueError, match="another fingerprint"):
        Embedder.load(tmp_path)
    model.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="whole embedder"):
        Embedder.load(tmp_path)


@pytest.fixture
def newer_keras(monkeypatch):
    """Function after which layers are described with a key more, as by a newer Keras.

    It returns an embedder made of a model by that Keras.
    """

    def upgrade(model):
        described = layers.Dense.get_config
        more = {"quantization": None}  # 3.15 has "quantization_config", 3.12 had none
        monkeypatch.setattr(
            layers.Dense, "get_config", lambda self: described(self) | more
        )
        return Embedder.from_model(model)

    return upgrade


def test_a_newer_keras_keeps_the_fingerprint(net, tmp_path, newer_keras):
    old = Embedder.from_model(net)
    old.save(tmp_path)
    new = newer_keras(net)
    loaded = Embedder.load(tmp_path)
    assert loaded.fingerprint == old.fingerprint != new.fingerprint
    np.testing.assert_array_equal(loaded.embed(CROPS[:3]), old.embed(CROPS[:3]))
    loaded.save(tmp_path / "copy")
    kept = json.loads((tmp_path / "copy" / "embedder.json").read_text())
    assert kept["fingerprint"] == old.fingerprint


def test_a_newer_keras_knows_equal_nets(net, tmp_path, newer_keras):
    Embedder.from_model(net).save(tmp_path)
    scaled = keras.models.clone_model(net)
    scaled.set_weights(net.get_weights())
    scaled.layers[0].offset = 0.5  # no weight, yet other vectors
    new = newer_keras(net)
    loaded = Embedder.load(tmp_path)
    assert loaded.fingerprint != new.fingerprint
    assert loaded.gives_same_vectors(new)
    assert not loaded.gives_same_vectors(Embedder.from_model(net, flip=True))
    assert not loaded.gives_same_vectors(Embedder.from_model(scaled))


@pytest.mark.parametrize("changed", ["flip", "fingerprint", "checksum", "model"])
def test_a_newer_keras_trusts_nothing_but_what_was_saved(
    net, tmp_path, newer_keras, changed
):
    Embedder.from_model(net).save(tmp_path)
    file = tmp_path / "embedder.json"
    settings = json.loads(file.read_text())
    if changed == "model":
        small_net().save(tmp_path / settings["model"])
    elif changed == "checksum":  # an early version wrote none
        del settings["checksum"]
    else:
        settings[changed] = {"flip": True, "fingerprint": "0" * 64}[changed]
    file.write_text(json.dumps(settings))
    newer_keras(net)
    with pytest.raises(ValueError, match="another fingerprint"):
        Embedder.load(tmp_path)


def test_folders_of_early_versions_open_under_the_same_keras(net, tmp_path):
    Embedder.from_model(net).save(tmp_path)
    file = tmp_path / "embedder.json"
    settings = json.loads(file.read_text())
    del settings["checksum"]
    file.write_text(json.dumps(settings))
    assert Embedder.load(tmp_path).fingerprint == settings["fingerprint"]


def test_a_model_that_changed_is_not_saved(tmp_path):
    net = small_net()
    embedder = Embedder.from_model(net)
    net.layers[-1].bias.assign([1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="make a new embedder"):
        embedder.save(tmp_path / "embedder")
    assert not (tmp_path / "embedder").exists()


@pytest.mark.parametrize("bias", [np.nan, np.inf, 0.0])
def test_embeddings_without_a_direction_are_refused(bias):
    net = small_net(activation="relu")
    net.layers[-1].kernel.assign(np.zeros(net.layers[-1].kernel.shape))
    net.layers[-1].bias.assign(np.full(5, bias))
    with pytest.raises(ValueError, match=r"finite and not zero.* crops \[0, 1, 2\]"):
        Embedder.from_model(net).embed(CROPS[:3])


class Subclassed(keras.Model):
    def call(self, x):
        return x


def two_inputs():
    inputs = [keras.Input((16, 16, 3)), keras.Input((16, 16, 3))]
    return keras.Model(inputs, layers.Flatten()(layers.Add()(inputs)))


def with_softmax_layer():
    return keras.Sequential([keras.Input((16, 16, 3)), small_net(), layers.Softmax()])


def flat(*shape):
    return keras.Sequential([keras.Input(shape), layers.Flatten()])


@pytest.mark.parametrize(
    ("model", "options", "error", "said"),
    [
        (Subclassed, {}, TypeError, "functional or a built Sequential"),
        (lambda: "net.keras", {}, TypeError, "Received: str"),
        (two_inputs, {}, ValueError, "one input of pictures"),
        (lambda: flat(16, 16, 1), {}, ValueError, "RGB"),
        (lambda: flat(16, 12, 3), {}, ValueError, "square pictures"),
        (lambda: flat(16, 16, 3), {"size": 32}, ValueError, "square pictures"),
        (lambda: small_net(activation="softmax"), {}, ValueError, "a softmax"),
        (with_softmax_layer, {}, ValueError, "a softmax"),
        (small_net, {"alignment": "eyes"}, ValueError, "`alignment`"),
        (small_net, {"engine": "cuda"}, ValueError, "`engine`"),
        (small_net, {"margin": 0.1}, ValueError, "with `alignment='crop'` alone"),
        (small_net, {"alignment": "crop", "margin": -1}, ValueError, "above -0.5"),
    ],
)
def test_models_that_cannot_embed_faces_are_refused(model, options, error, said):
    with pytest.raises(error, match=said):
        Embedder.from_model(model(), **options)


def test_bad_crops_are_refused(net):
    embedder = Embedder.from_model(net)
    with pytest.raises(ValueError, match=r"\(n, 16, 16, 3\)"):
        embedder.embed(CROPS[0])
    with pytest.raises(TypeError, match="uint8"):
        embedder.embed(CROPS / 255)


def test_mobilefacenet_tells_ten_people_apart(data_dir):
    """Faces of LFW lie in the middle; the landmarks of a mean face do for this."""
    file = pathlib.Path(data_dir).parent / "weights/mobilefacenet_112_128d.keras"
    if not file.is_file():
        pytest.skip("the weights of MobileFaceNet are not beside the data")
    landmarks = [[105, 113], [147, 113], [126, 137], [108, 160], [143, 160]]
    face = Face(np.array([75, 65, 175, 185]), np.array(landmarks), 1.0)
    paths = sorted((data_dir / "lfw10x10").glob("*/*.jpg"))
    people = np.array([path.parent.name for path in paths])
    embedder = Embedder.from_model(keras.saving.load_model(file, compile=False))
    crops = [embedder.prepare(as_photograph(path), face) for path in paths]
    embeddings = embedder.embed(np.stack(crops))
    assert embeddings.shape == (100, 128)
    similarities = embeddings @ embeddings.T
    np.fill_diagonal(similarities, -1)
    assert (people[similarities.argmax(axis=1)] == people).all()
    upper = np.triu_indices(100, k=1)
    same = people[upper[0]] == people[upper[1]]
    said = similarities[upper] > 0.3
    assert (said == same).mean() > 0.99
