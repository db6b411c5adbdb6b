import io

import numpy as np
import pytest
from PIL import Image
from PIL import ImageOps

from tftransfer.data import decode
from tftransfer.data import decode_image
from tftransfer.data import load_images


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(width=40, height=24):
    """Red, green, blue and white quarters."""
    pixels = np.zeros((height, width, 3), "uint8")
    pixels[: height // 2, : width // 2] = (200, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 200, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 200)
    pixels[height // 2 :, width // 2 :] = (255, 255, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_every_format(kind):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(kind, {})
    found = decode_image(encoded(quarters(), kind, **options))
    assert found.dtype == np.uint8
    tolerance = 3 if kind == "JPEG" else 0
    # JPEG halves the colour resolution: pixels beside an edge are mixed.
    inside = np.s_[[6, 6, 18, 18], [8, 30, 8, 30]]
    np.testing.assert_allclose(
        found[inside].astype(int), np.asarray(quarters())[inside], atol=tolerance
    )


def test_grey_palette_bits_and_alpha():
    grey = Image.new("L", (9, 7), 77)
    assert np.all(decode_image(encoded(grey, "PNG")) == 77)
    assert np.all(decode_image(encoded(grey.convert("1", dither=0), "PNG")) == 0)
    palette = quarters().quantize(8)
    np.testing.assert_array_equal(
        decode_image(encoded(palette, "PNG")), np.asarray(palette.convert("RGB"))
    )
    half = Image.new("RGBA", (5, 5), (0, 100, 0, 128))
    expected = np.array([0, 100, 0]) * 128 / 255 + 255 * (1 - 128 / 255)
    np.testing.assert_allclose(
        decode_image(encoded(half, "PNG"))[0, 0], expected, atol=1
    )
    clear = Image.new("LA", (5, 5), (10, 0))
    assert np.all(decode_image(encoded(clear, "PNG")) == 255)
    indexed = Image.new("P", (5, 5), 0)
    assert np.all(decode_image(encoded(indexed, "PNG", transparency=0)) == 255)


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.arange(0, 65536, 256, dtype="uint16").reshape(16, 16)
    found = decode_image(encoded(Image.fromarray(ramp), "PNG"))
    np.testing.assert_array_equal(found[..., 0], ramp >> 8)


def test_cmyk_jpeg_is_not_inverted():
    cmyk = quarters().convert("CMYK")
    found = decode_image(encoded(cmyk, "JPEG", quality=100))
    assert np.abs(found[6, 8].astype(int) - (200, 0, 0)).max() < 12


def test_the_first_frame_of_animations():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP"):
        options = {"save_all": True, "append_images": frames[1:]}
        if kind == "WEBP":
            options["lossless"] = True
        found = decode_image(encoded(frames[0], kind, **options))
        assert found[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """Stored so that a viewer who obeys the tag sees the quarters upright."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = quarters()
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(encoded(stored, "JPEG", quality=100, exif=exif))
    expected = np.asarray(quarters())
    assert found.shape == expected.shape
    inside = np.s_[[6, 6, 18, 18], [8, 30, 8, 30]]
    np.testing.assert_allclose(found[inside].astype(int), expected[inside], atol=4)


@pytest.mark.parametrize(
    ("size", "short"),
    [
        ((800, 500), 256),
        ((500, 800), 256),
        ((256, 256), 256),
        ((240, 300), 240),
        ((90, 37), 224),
    ],
)
def test_geometry_is_short_side_then_centre(size, short):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), "uint8"))
    found = decode_image(encoded(image, "PNG"), image_size=224)
    scale = short / min(size)
    sides = [short if s == min(size) else round(s * scale) for s in size]
    resized = np.asarray(image.resize(sides, Image.Resampling.BILINEAR))
    top, left = (sides[1] - 224) // 2, (sides[0] - 224) // 2
    np.testing.assert_array_equal(found, resized[top : top + 224, left : left + 224])


def test_extreme_shapes():
    for size in ((1, 1), (3000, 10), (2, 900)):
        image = Image.new("RGB", size, (9, 99, 199))
        found = decode_image(encoded(image, "PNG"), image_size=32)
        assert found.shape == (32, 32, 3)
        assert np.all(found == (9, 99, 199))


def test_a_large_jpeg_decoded_at_reduced_scale_is_close():
    x, y = np.meshgrid(np.linspace(0, 6, 2000), np.linspace(0, 5, 1600))
    waves = 127 + 100 * np.stack([np.sin(x), np.cos(y), np.sin(x + y)], axis=-1)
    image = Image.fromarray(waves.astype("uint8"))
    found = decode_image(encoded(image, "JPEG", quality=95), image_size=112)
    expected = np.asarray(decode.square(image, 112))
    assert np.abs(found.astype(int) - expected).max() <= 6


@pytest.mark.parametrize(
    ("contents", "reason"),
    [(b"", "empty file"), (b"plain text", "an unknown format"), (b"\xff\xd8\xff", "")],
)
def test_what_is_no_picture_is_refused(contents, reason):
    with pytest.raises(ValueError, match="whole picture") as error:
        decode_image(contents)
    assert reason in str(error.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_a_truncated_picture_is_refused(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    contents = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(contents[: len(contents) // 2])
    with pytest.raises(ValueError, match=r"cut\.img"):
        decode_image(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_header_size_needs_no_pixels(tmp_path):
    contents = encoded(quarters(40, 24), "PNG")
    assert decode.header_size(contents) == (40, 24)
    file = tmp_path / "cut.png"
    file.write_bytes(contents[:60])
    assert decode.header_size(file) == (40, 24)
    with pytest.raises(OSError, match="cannot identify"):
        decode.header_size(b"text")


def test_a_decompression_bomb_is_refused():
    bomb = encoded(Image.new("1", (12_000, 9_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="more than 89478485"):
        decode_image(bomb)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        decode_image(tmp_path / "absent.png")


def test_load_images(tmp_path):
    quarters().save(tmp_path / "a.png")
    found = load_images([tmp_path / "a.png"] * 2, image_size=16)
    assert found.shape == (2, 16, 16, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "16 bits"])
def test_orientation_agrees_with_pillow(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = quarters()
    if kind == "16 bits":
        grey = np.asarray(image)[..., 0].astype("uint16") * 256
        image, kind = Image.fromarray(grey), "PNG"
    contents = encoded(image, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(contents))))
    if expected.ndim == 2:
        expected = np.repeat((expected >> 8)[..., None], 3, axis=-1)
    np.testing.assert_array_equal(decode_image(contents), expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "exif", [b"garbage", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*\0\0\xff\xff", b""]
)
def test_broken_exif_does_not_cost_the_picture(exif):
    contents = encoded(quarters(), "JPEG", exif=b"Exif\0\0" + exif)
    assert decode_image(contents).shape == (24, 40, 3)


def test_multi_picture_jpegs_give_the_first():
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("white", "black")]
    contents = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode_image(contents).min() == 255


def test_transparent_sixteen_bits_are_white():
    grey = np.full((4, 4), 30_000, "uint16")
    grey[0, 0] = 20_000
    found = decode_image(encoded(Image.fromarray(grey), "PNG", transparency=20_000))
    assert found[0, 0, 0] == 255
    assert found[1, 1, 0] == 30_000 >> 8


def test_only_the_middle_of_a_thin_line_is_enlarged():
    """Whole, the long one would take 4 GB."""
    line = np.random.default_rng(0).integers(0, 256, (10, 3000, 3), "uint8")
    image = Image.fromarray(line)
    whole = image.resize((9600, 32), Image.Resampling.BILINEAR)
    expected = np.asarray(whole)[:, 4784:4816]
    np.testing.assert_array_equal(decode.square(image, 32), expected)
    contents = encoded(Image.new("1", (20_000, 1), 1), "PNG")
    assert decode_image(contents, image_size=224).min() == 255
