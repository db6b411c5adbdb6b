"""Encoded pictures of any kind to upright RGB of one geometry, with Pillow.

The geometry of ImageNet models: the short side is resized to 256/224 of the wanted
size and the centre cut out. A smaller picture is enlarged at most to the wanted size:
it would be blurred only to lose its border. No TensorFlow here; the SavedModels of
`tftransfer.serving` repeat these steps inside their graph and are compared with them.
"""

import io
import os

import numpy as np
from PIL import Image

# Pillow's own warning limit for decompression bombs: a quarter of a gigabyte as RGB.
MAX_PIXELS = 89_478_485
# Of a file: 16 bits of red, green, blue and alpha, not compressed.
_MAX_BYTES = 8 * MAX_PIXELS
# Decoded pictures are cached under this number: change it when they come out otherwise.
DECODING = 1
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp")
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP")
_MAX_ASPECT = 32
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadablePicture(ValueError):
    """Says that a picture cannot be decoded; `reason` says why in a few words."""

    def __init__(self, name: str, reason: str):
        super().__init__(
            f"Expected {name} to be a whole picture (JPEG, PNG, GIF, BMP, WebP). "
            f"Received: {reason}."
        )
        self.reason = reason


def short_side_of(shorter: int, image_size: int) -> int:
    """Return the short side in pixels that a picture gets before the centre crop.

    256/224 of `image_size`; what is smaller keeps its own, but at least `image_size`.

    Example:
        >>> short_side_of(500, 224)
        256
    """
    return min(max(shorter, image_size), round(image_size * 256 / 224))


def decode_image(
    source: str | os.PathLike | bytes,
    *,
    image_size: int | None = None,
    region_of: int | None = None,
) -> np.ndarray:
    """Decode one picture: JPEG, PNG, GIF or WebP (first frame), BMP.

    Grey, palette, CMYK and 16-bit pictures become RGB, transparent parts white; the
    EXIF orientation is applied. Large JPEGs are decoded at reduced scale.

    Args:
        source: Path, or the encoded bytes.
        image_size: Side in pixels of the square centre crop, after resizing the short
            side to at most 256/224 of it (bilinear, antialiased); None keeps the size.
        region_of: Another size, whose part of the picture is shown at `image_size`:
            small pictures are cropped less at larger sizes. None: `image_size`'s own.

    Returns:
        uint8 (height, width, 3), RGB in [0, 255].

    Raises:
        ValueError: When the picture is corrupt, truncated, too large (more than
            89 megapixels) or of another format.
        OSError: When the file cannot be read.

    Example:
        >>> encoded = io.BytesIO()
        >>> Image.new("L", (60, 40)).save(encoded, "PNG")
        >>> decode_image(encoded.getvalue(), image_size=32).shape
        (32, 32, 3)
    """
    if isinstance(source, bytes):
        return decode_bytes(source, image_size=image_size, region_of=region_of)
    name = f"'{os.fspath(source)}'"
    contents = _contents(source, name)
    options = {"image_size": image_size, "region_of": region_of}
    return decode_bytes(contents, **options, name=name)


def _contents(path: str | os.PathLike, name: str) -> bytes:
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except ValueError as error:  # a NUL in the path
        raise UnreadablePicture(repr(os.fspath(path)), str(error)) from error
    with file:
        if (size := os.fstat(file.fileno()).st_size) > _MAX_BYTES:
            raise UnreadablePicture(name, f"{size} bytes, more than {_MAX_BYTES}")
        return file.read()


def header_size(source: str | os.PathLike | bytes) -> tuple[int, int]:
    """Return (width, height) in pixels as the file's header says, before any turn.

    Nothing is decoded.

    Raises:
        OSError: When the file cannot be read, or is of no format of `decode_image`.
        ValueError: When its header is corrupt.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(stream, formats=_FORMATS) as image:
            return image.size
    except OSError:
        raise
    except Exception as error:  # Pillow's decoders raise errors of many types
        raise UnreadablePicture("the picture", str(error)) from error


def decode_bytes(
    contents: bytes,
    *,
    image_size: int | None = None,
    region_of: int | None = None,
    name: str = "bytes",
) -> np.ndarray:
    """Decode as `decode_image` does; errors call the picture `name`."""
    try:
        with Image.open(io.BytesIO(contents), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width} x {image.height} pixels, more than {MAX_PIXELS}"
                )
            if image_size is not None:
                short = round(image_size * 256 / 224)
                image.draft("RGB", (short, short))
            rgb = upright_rgb(image)
    except Exception as error:
        raise UnreadablePicture(name, _reason(error, contents)) from error
    if image_size is None:
        return np.asarray(rgb)
    return np.asarray(square(rgb, image_size, region_of))


def square(
    image: Image.Image, image_size: int, region_of: int | None = None
) -> Image.Image:
    """Resize to the short side of `short_side_of`, cut the middle square out."""
    image = _without_far_ends(image)
    width, height = image.size
    shorter = min(width, height)
    region = region_of or image_size
    short = round(short_side_of(shorter, region) * image_size / region)
    size = [
        short if side == shorter else round(side * short / shorter)
        for side in (width, height)
    ]
    if size != [width, height]:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - image_size) // 2, (size[1] - image_size) // 2
    return image.crop((left, top, left + image_size, top + image_size))


def _without_far_ends(image: Image.Image) -> Image.Image:
    """Cut off what the centre crop never sees, lest a thin line grow to gigabytes."""
    width, height = image.size
    longest = _MAX_ASPECT * min(width, height)
    left = max(0, (width - longest) // 2)
    top = max(0, (height - longest) // 2)
    if left or top:
        image = image.crop((left, top, width - left, height - top))
    return image


def load_images(paths, *, image_size: int) -> np.ndarray:
    """Decode pictures one after the other, as `decode_image` does.

    Args:
        paths: Of the pictures, one or more.
        image_size: Side in pixels of the squares.

    Returns:
        uint8 (n, image_size, image_size, 3), RGB in [0, 255].

    Raises:
        ValueError: When a picture is corrupt; see `decode_image`.
    """
    return np.stack([decode_image(path, image_size=image_size) for path in paths])


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any mode as RGB, turned as its EXIF orientation says."""
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION))
    if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion clips at 255
        image = _eight_bits(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the grey picture that is meant by integers above 255."""
    pixels = np.asarray(image).astype("uint32")
    wide = image.mode != "I" or pixels.max(initial=0) > 255  # "I" may hold 8 bits, too
    grey = (pixels >> 8 if wide else pixels).astype("uint8")
    grey[pixels == image.info.get("transparency", -1)] = 255
    return Image.fromarray(grey)


def reason_of(error: Exception) -> str:
    """Return why a file was not read, in a few words, from what reading it raised."""
    short = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return short or str(error)


def _reason(error: Exception, contents: bytes) -> str:
    if not contents:
        return "an empty file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "an unknown format"
    return f"{error}" if str(error) else type(error).__name__
