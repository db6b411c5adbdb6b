"""The SavedModel as a server sees it: TensorFlow alone, encoded pictures."""

import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tftransfer as tft
from tftransfer.serving import next_version

LABELS = ["ant", "bee", "wasp"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = tft.Classifier(tft.Backbone("tiny"), 3, class_names=LABELS)
    kernel = np.random.default_rng(0).normal(size=(128, 3), scale=0.5)
    model.head.set_weights([kernel.astype("float32"), np.zeros(3, "float32")])
    return model


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return tft.export(model, tmp_path_factory.mktemp("models") / "insects")


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported.path))  # kept: signatures do not keep it


def picture(seed=0, size=(60, 44)):
    """A smooth picture: what resizers and JPEG agree on."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), "uint8"))
    return small.resize(size, Image.Resampling.BICUBIC)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def ask(loaded, *contents):
    found = loaded.signatures["serving_default"](image_bytes=tf.constant(contents))
    return {key: value.numpy() for key, value in found.items()}


def expected_scores(model, contents):
    image = tft.data.decode_image(contents, image_size=32)
    logits = model.deployed(image[None].astype("float32"), training=False)
    return np.sort(np.asarray(keras.ops.softmax(logits))[0])[::-1]


def test_result_says_what_was_written(exported):
    assert exported.path.name == "1"
    assert exported.labels == tuple(LABELS)
    assert exported.largest_difference < 1e-5
    text = (exported.path / "assets" / "labels.txt").read_text()
    assert text.split() == LABELS


def test_a_process_with_tensorflow_alone_serves_it(model, exported, tmp_path):
    contents = encoded(picture())
    (tmp_path / "picture.png").write_bytes(contents)
    script = """
import sys, json
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
found = model.signatures["serving_default"](
    image_bytes=tf.constant([open("picture.png", "rb").read()]))
assert "tftransfer" not in sys.modules
print(json.dumps({"labels": [v.decode() for v in found["labels"].numpy()[0]],
                  "scores": found["scores"].numpy()[0].tolist()}))
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(exported.path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert sorted(found["labels"]) == LABELS
    np.testing.assert_allclose(
        found["scores"], expected_scores(model, contents), atol=5e-3
    )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("JPEG", {"quality": 90}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
def test_every_kind_agrees_with_our_decoder(model, loaded, kind, options, mode):
    if (
        mode
        not in {
            "PNG": ("RGB", "L", "P", "RGBA"),
            "BMP": ("RGB", "L", "P"),
            "GIF": ("L", "P"),
            "WEBP": ("RGB", "RGBA"),
            "JPEG": ("RGB", "L", "CMYK"),
        }[kind]
    ):
        return  # the format has no such mode
    image = picture().convert(mode)
    if mode == "RGBA":
        image.putalpha(picture(1).convert("L"))
    contents = encoded(image, kind, **options)
    found = ask(loaded, contents)
    assert found["error"].tolist() == [b""]
    np.testing.assert_allclose(
        found["scores"][0], expected_scores(model, contents), atol=0.02
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(model, loaded, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    contents = encoded(picture(), "JPEG", quality=95, exif=exif)
    found = ask(loaded, contents)["scores"][0]
    np.testing.assert_allclose(found, expected_scores(model, contents), atol=0.02)


def test_sixteen_bits_and_large_jpegs(model, loaded):
    ramp = (np.arange(3600).reshape(60, 60) * 18).astype("uint16")
    deep = encoded(Image.fromarray(ramp))
    large = encoded(picture(2, (900, 700)), "JPEG", quality=95)
    found = ask(loaded, deep, large)
    for scores, contents in zip(found["scores"], (deep, large), strict=True):
        np.testing.assert_allclose(scores, expected_scores(model, contents), atol=0.02)


def test_what_cannot_be_decoded_fails_alone(model, loaded):
    good = encoded(picture())
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    bad = [
        b"",
        b"plain text",
        good[:60],
        encoded(Image.fromarray(noise), "JPEG")[:900],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"GIF89a" + b"\xff" * 30,
        b"BM" + b"\xff" * 80,
        b"RIFF\x10\0\0\0WEBPVP8 " + b"\xff" * 30,
        encoded(Image.new("1", (12_000, 9_000))),
    ]
    found = ask(loaded, good, *bad, good)
    assert found["error"][0] == found["error"][-1] == b""
    assert all(error != b"" for error in found["error"][1:-1])
    assert b"empty" in found["error"][1]
    assert b"unknown format" in found["error"][2]
    assert b"too large" in found["error"][-2]
    np.testing.assert_array_equal(found["scores"][0], found["scores"][-1])
    np.testing.assert_allclose(
        found["scores"][0], expected_scores(model, good), atol=0.02
    )
    assert np.all(found["scores"][1:-1] == 0)
    assert np.all(found["labels"][1:-1] == b"")
    alone = ask(loaded, b"plain text")
    assert alone["error"][0] != b""


def test_random_damage_never_ends_the_process(loaded):
    """Bytes changed at random in every format: an answer or an error for each."""
    rng = np.random.default_rng(0)
    whole = [encoded(picture(), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")]
    frames = [picture(i, (32, 32)) for i in range(3)]
    for kind in ("GIF", "WEBP"):
        options = {"save_all": True, "append_images": frames[1:]}
        whole.append(encoded(frames[0], kind, **options))
    damaged = []
    for contents in whole:
        for _ in range(30):
            data = bytearray(contents)
            for place in rng.integers(0, len(data), 4):
                data[place] = rng.integers(0, 256)
            damaged.append(bytes(data[: rng.integers(len(data) // 2, len(data) + 1)]))
    found = ask(loaded, *damaged)
    assert np.isfinite(found["scores"]).all()
    sums = found["scores"].sum(axis=1)
    fine = found["error"] == b""
    np.testing.assert_allclose(sums[fine], 1, atol=1e-4)
    assert np.all(sums[~fine] == 0)


def test_image_signature_agrees_with_the_model(model, loaded):
    images = np.random.default_rng(0).uniform(0, 255, (5, 32, 32, 3)).astype("float32")
    found = loaded.signatures["image"](image=tf.constant(images))
    expected = keras.ops.softmax(model.deployed(images, training=False))
    order = np.argsort(-np.asarray(expected), axis=1)
    np.testing.assert_allclose(
        found["scores"], np.take_along_axis(np.asarray(expected), order, 1), atol=1e-5
    )
    names = [[LABELS[i].encode() for i in row] for row in order]
    assert found["labels"].numpy().tolist() == names


def test_versions_count_up_and_are_never_overwritten(model, tmp_path):
    target = tmp_path / "insects"
    assert next_version(target).name == "1"
    assert tft.export(model, target).path == target / "1"
    (target / "7").mkdir()
    (target / "notes").mkdir()
    assert next_version(target).name == "8"
    with pytest.raises(FileExistsError, match="8"):
        tft.export(model, target / "7")


def test_top_k(model, tmp_path):
    result = tft.export(model, tmp_path / "m", top_k=2)
    served = tf.saved_model.load(str(result.path))
    assert ask(served, encoded(picture()))["labels"].shape == (1, 2)
    assert tft.export(model, tmp_path / "m", top_k=99).top_k == 3


def test_any_keras_model_or_its_file(tmp_path):
    net = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(2, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Softmax(),
        ]
    )
    with pytest.raises(ValueError, match="image_size"):
        tft.export(net, tmp_path / "net")
    result = tft.export(net, tmp_path / "net", labels=["no", "yes"], image_size=48)
    assert result.image_size == 48
    net.save(tmp_path / "net.keras")
    again = tft.export(tmp_path / "net.keras", tmp_path / "net", image_size=48)
    assert again.labels == ("0", "1")


def test_bad_arguments_leave_nothing_behind(model, tmp_path):
    for options, message in [
        ({"labels": ["a", "b"]}, "3 distinct"),
        ({"labels": ["a", "a", "b"]}, "distinct"),
        ({"labels": ["a", "", "b"]}, "not empty"),
        ({"top_k": 0}, "top_k"),
    ]:
        with pytest.raises(ValueError, match=message):
            tft.export(model, tmp_path / "m", **options)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        tft.export(tmp_path / "absent.keras", tmp_path / "m")
    assert not list(tmp_path.rglob("*saved_model*"))
