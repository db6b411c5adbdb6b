"""Pictures made to harm a server: bombs, lies in headers, animations, noise."""

import struct
import zlib

import numpy as np
import tensorflow as tf
from PIL import Image

from tests.serving.pictures import encoded
from tests.serving.pictures import every_kind
from tests.serving.pictures import scene
from tftransfer.serving.batches import decode_batch
from tftransfer.serving.gif import first_frame
from tftransfer.serving.headers import leading_bytes
from tftransfer.serving.webp import still_webp

FINE = encoded(scene(), "PNG")


@tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
def decode(contents):
    return decode_batch(contents, image_size=32)


def errors_of(pictures) -> list[str]:
    """Return the errors of `pictures`, decoded together with two good ones."""
    images, errors = decode(tf.constant([FINE, *pictures, FINE]))
    before, *between, after = (error.decode() for error in errors.numpy())
    assert (before, after) == ("", "")
    np.testing.assert_array_equal(images[0], images[-1])
    return between


def error_of(contents: bytes) -> str:
    return errors_of([contents])[0]


def png_of(width, height, data=b""):
    """A one-bit PNG that states a size and holds something else."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(body)) + name + body
        + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    ]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def gif_of(width, height):
    contents = bytearray(every_kind()["gif"])
    contents[6:10] = struct.pack("<HH", width, height)
    return bytes(contents)


def bmp_of(width, height):
    contents = bytearray(every_kind()["bmp"])
    contents[18:26] = struct.pack("<ii", width, height)
    return bytes(contents)


def jpeg_of(width, height):
    contents = encoded(scene(), "JPEG")
    start = contents.index(b"\xff\xc0") + 5
    return contents[:start] + struct.pack(">HH", height, width) + contents[start + 4 :]


def webp_of(width, height):
    contents = bytearray(every_kind()["webp lossless"])
    contents[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(contents)


def test_bombs_are_refused_before_they_are_decoded():
    bombs = [
        png_of(1 << 31, 1 << 31),
        png_of(60_000, 60_000),
        gif_of(65_535, 65_535),
        bmp_of(60_000, 60_000),
        bmp_of(60_000, -60_000),
        jpeg_of(65_000, 65_000),
        webp_of(16_383, 16_383),
    ]
    assert {error[:9] for error in errors_of(bombs)} == {"too large"}


def test_a_png_that_is_a_real_bomb():
    bomb = encoded(Image.new("1", (12_000, 9_000)), "PNG")
    assert len(bomb) < 100_000
    assert error_of(bomb).startswith("too large")


def test_a_frame_larger_than_the_gif_says():
    contents = bytearray(every_kind()["gif"])
    image = contents.index(b"\x2c", 13 + 768)
    contents[image + 5 : image + 9] = struct.pack("<HH", 65_535, 65_535)
    assert error_of(bytes(contents)).startswith("undecodable")


def test_tensorflow_sees_no_animation():
    """It would decode every frame of a GIF, and corrupt the heap with a WebP's."""
    for kind in ("gif", "webp"):
        contents = every_kind()[f"{kind} animated"]
        assert error_of(contents) == ""
    gif, pixels = first_frame(tf.constant(every_kind()["gif animated"]))
    assert tf.io.decode_gif(gif).shape == (1, 70, 90, 3)
    assert pixels == 70 * 90
    webp = tf.constant(every_kind()["webp animated"])
    still = still_webp(webp, leading_bytes(webp)).numpy()
    assert b"ANMF" not in still
    assert tf.io.decode_image(still, expand_animations=False).shape[:2] == (70, 90)


def test_pictures_without_pixels():
    """A GIF whose canvas is empty is left out here: its frame states its own size."""
    empty = [
        make(*size)
        for make in (png_of, bmp_of, jpeg_of)
        for size in ((0, 0), (0, 50), (50, 0))
    ]
    assert all(errors_of([*empty, bmp_of(0, -(1 << 31))]))


def test_a_palette_bmp_that_lies():
    fine = every_kind()["bmp palette"]
    lies = ((10, 0), (10, 1 << 31), (14, 1 << 31), (28, 3), (30, 1), (18, 9000))
    errors = errors_of(
        fine[:place] + struct.pack("<I", value) + fine[place + 4 :]
        for place, value in lies
    )
    assert {error[:11] for error in errors} == {"undecodable"}


def test_endless_chains_end():
    gif = every_kind()["gif"]
    webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02" + bytes(9)
    chains = [
        gif[:13] + b"\x21\xfe\x00" * 2000,
        gif[:781] + b"\x21\xfe" + b"\x01a" * 2000,
        webp + b"NONE" + bytes(4),
        webp + b"NONE\xff\xff\xff\xff" * 50,
        webp + b"NONE\xf0\xff\xff\x7f" * 50,
    ]
    assert {error[:11] for error in errors_of(chains)} == {"undecodable"}


def test_damaged_pictures_never_fail_the_batch():
    """Cut short, or with bytes of the header or of anywhere replaced."""
    rng = np.random.default_rng(0)
    damaged = []
    for contents in every_kind().values():
        for end in (64, 200, len(contents)):
            copy = bytearray(contents)
            for place in rng.integers(0, min(end, len(copy)), 4):
                copy[place] = rng.choice([0, 1, 127, 128, 255])
            damaged += [bytes(copy), contents[: rng.integers(1, len(contents))]]
    errors = errors_of(damaged)
    assert len(errors) == len(damaged)
    assert 0.3 < np.mean([error != "" for error in errors]) < 1


def test_noise_behind_every_signature():
    rng = np.random.default_rng(1)
    starts = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF....WEBP"]
    noise = [start + rng.bytes(4000) for start in starts for _ in range(10)]
    assert all(errors_of(noise))
