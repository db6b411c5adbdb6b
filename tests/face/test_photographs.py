"""Pictures of every form become the same RGB pixels, or are refused clearly."""

import io

import numpy as np
import pytest
from PIL import Image

from tftransfer.face import as_photograph

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), "uint8")


def encoded(image: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "form",
    [
        lambda path: path,
        lambda path: str(path),
        lambda path: path.read_bytes(),
        lambda path: Image.open(path),
        lambda path: RGB,
        lambda path: RGB.astype("float64"),
        lambda path: RGB.astype("int32"),
        lambda path: RGB / 255,
        lambda path: np.asarray(Image.open(path).convert("RGBA")),
    ],
    ids=["path", "str", "bytes", "PIL", "array", "floats", "ints", "unit", "RGBA"],
)
def test_same_pixels_of_every_form(form, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.fromarray(RGB)))
    found = as_photograph(form(path))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, RGB)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_grey_has_three_equal_channels(shape):
    grey = RGB[..., 0].reshape(shape)
    found = as_photograph(grey)
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel], RGB[..., 0])


@pytest.mark.parametrize("mode", ["I", "F", "unit F"])
def test_wide_modes_of_pil_with_narrow_values_do_not_turn_black(mode):
    grey = RGB[..., 0]
    if mode == "I":
        picture = Image.fromarray(grey).convert("I")
    else:
        scale = 255 if mode == "unit F" else 1
        picture = Image.fromarray((grey / scale).astype("float32"))
        assert picture.mode == "F"
    np.testing.assert_array_equal(as_photograph(picture)[..., 1], grey)


def test_transparent_turns_white():
    rgba = np.zeros((2, 2, 4), "uint8")
    assert (as_photograph(rgba) == 255).all()


@pytest.mark.parametrize(
    ("picture", "error", "text"),
    [
        (np.zeros((0, 4, 3), "uint8"), ValueError, "Received: 4 x 0"),
        (np.zeros((2, 4, 4, 3), "uint8"), ValueError, "Received: "),
        (np.zeros((4, 4, 2), "uint8"), ValueError, "Received: "),
        (np.full((4, 4, 3), np.nan), ValueError, "nan"),
        (np.full((4, 4, 3), -1.0), ValueError, "from -1 to -1"),
        (np.full((4, 4, 3), 300), ValueError, "to 300"),
        (np.full((4, 4, 3), "a"), TypeError, "array of numbers"),
        ([1, 2], TypeError, "Received: list"),
        (None, TypeError, "Received: NoneType"),
        (b"", ValueError, "an empty file"),
        (b"no picture", ValueError, "an unknown format"),
        ("absent.jpg", FileNotFoundError, "absent.jpg"),
    ],
)
def test_others_are_refused(picture, error, text):
    with pytest.raises(error, match=text):
        as_photograph(picture)


def test_a_broken_lazy_picture_is_named():
    noise = np.random.default_rng(1).integers(0, 256, (99, 99, 3), "uint8")
    half = encoded(Image.fromarray(noise))[:2000]
    with pytest.raises(ValueError, match="the PIL picture"):
        as_photograph(Image.open(io.BytesIO(half)))


def test_an_array_as_large_as_a_bomb_is_refused():
    bomb = np.broadcast_to(np.uint8(0), (10_000, 10_000, 3))
    with pytest.raises(ValueError, match="10000 x 10000"):
        as_photograph(bomb)
