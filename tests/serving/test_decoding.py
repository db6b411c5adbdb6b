"""Decoding in the graph against Pillow's, kind by kind and size by size."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.serving.pictures import broken
from tests.serving.pictures import encoded
from tests.serving.pictures import every_kind
from tests.serving.pictures import scene
from tests.serving.pictures import turned
from tftransfer.data import decode_image
from tftransfer.serving.batches import decode_batch

SIZE = 56
KINDS = every_kind()
BROKEN = broken()


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def decode(contents):
    return decode_batch(contents, image_size=SIZE)


def apart(pictures: list[bytes]) -> list[np.ndarray]:
    """Return the absolute differences to what Pillow decodes."""
    images, errors = decode(tf.constant(pictures))
    assert set(errors.numpy()) == {b""}
    assert images.dtype == tf.float32
    expected = [decode_image(picture, image_size=SIZE) for picture in pictures]
    return list(np.abs(images.numpy() - np.stack(expected).astype("float32")))


@pytest.fixture(scope="module")
def every_difference():
    """{kind: difference to Pillow's picture}, all decoded in one batch."""
    return dict(zip(KINDS, apart(list(KINDS.values()))))


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_with_pillow(kind, every_difference):
    difference = every_difference[kind]
    # Both round after each direction; float32 and Pillow's fixed point part at ties.
    # A JPEG decoder may differ by 1 between builds of libjpeg-turbo.
    assert difference.max() <= (2 if kind.startswith("jpeg") else 1)
    assert np.mean(difference > 0) < 0.01


def test_the_geometry_is_pillows():
    sizes = [(56, 56), (64, 64), (300, 200), (201, 333), (7, 5), (1, 1), (500, 9)]
    sizes += [(60, 60), (61, 90), (57, 200), (9, 2000), (5000, 40)]
    pictures = [encoded(scene(*size), "PNG") for size in sizes]
    for size, difference in zip(sizes, apart(pictures)):
        assert difference.max() <= 1, size
        assert np.mean(difference > 0) < 0.02, size


def test_large_jpegs_are_reduced_as_pillow_does():
    sides = [127, 128, 255, 256, 512]
    pictures = [encoded(scene(side + 40, side), "JPEG", quality=95) for side in sides]
    for side, difference in zip(sides, apart(pictures)):
        assert difference.max() <= 2, side
        assert np.mean(difference > 0) < 0.02, side


def test_every_orientation():
    for kind in ("JPEG", "PNG", "WEBP"):
        pictures = [encoded(scene(), kind, exif=turned(n)) for n in range(10)]
        for number, difference in enumerate(apart(pictures)):
            assert difference.max() <= 2, (kind, number)


def test_big_endian_exif():
    stored = turned(6)
    stored.endian = ">"
    contents = encoded(scene(), "JPEG", exif=stored)
    assert b"Exif\0\0MM" in contents
    assert apart([contents])[0].max() <= 2


def test_a_bmp_stored_from_the_top():
    contents = bytearray(encoded(scene(), "BMP"))
    contents[22:26] = (-70).to_bytes(4, "little", signed=True)
    assert apart([bytes(contents)])[0].max() <= 1


def test_a_broken_picture_fails_for_itself():
    fine = KINDS["png"]
    pictures = [fine]
    for contents, _ in BROKEN.values():
        pictures += [contents, fine]
    images, errors = decode(tf.constant(pictures))
    for error, (kind, (_, reason)) in zip(errors.numpy()[1::2], BROKEN.items()):
        assert error.decode().startswith(reason), kind
    assert not images[1::2].numpy().any()
    assert set(errors.numpy()[::2]) == {b""}
    expected = np.stack([decode_image(fine, image_size=SIZE)] * (len(BROKEN) + 1))
    np.testing.assert_allclose(images[::2], expected, atol=1)


def test_a_batch_of_nothing_but_broken_pictures():
    images, errors = decode(tf.constant([contents for contents, _ in BROKEN.values()]))
    assert images.shape == (len(BROKEN), SIZE, SIZE, 3)
    assert b"" not in errors.numpy()


def test_an_empty_batch():
    images, errors = decode(tf.zeros([0], tf.string))
    assert images.shape == (0, SIZE, SIZE, 3)
    assert errors.shape == (0,)


def test_order_is_kept_in_a_large_batch():
    greys = [encoded(Image.new("L", (9, 9), value), "PNG") for value in range(200)]
    greys[50] = b"broken"
    images, _ = decode(tf.constant(greys))
    expected = np.arange(200) * (np.arange(200) != 50)
    np.testing.assert_array_equal(images[:, 0, 0, 0], expected)
