"""Encoded pictures of any kind to upright RGB of one geometry, with Pillow.

The geometry of ImageNet models: the short side is resized to 256/224 of the wanted
size, the centre is cut out. No TensorFlow here; the SavedModels of `tftransfer.serving`
repeat these steps inside their graph and are compared with them.
"""

import io
import os

import numpy as np
from PIL import Image
from PIL import ImageOps

# Pillow's own warning limit for decompression bombs: a quarter of a gigabyte as RGB.
MAX_PIXELS = 89_478_485
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp")
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP")


def short_side_of(image_size: int) -> int:
    """Return the short side in pixels that pictures have before the centre crop.

    Example:
        >>> short_side_of(224)
        256
    """
    return round(image_size * 256 / 224)


def decode_image(
    source: str | os.PathLike | bytes, *, image_size: int | None = None
) -> np.ndarray:
    """Decode one picture: JPEG, PNG, GIF or WebP (first frame), BMP.

    Grey, palette, CMYK and 16-bit pictures become RGB, transparent parts white; the
    EXIF orientation is applied. Large JPEGs are decoded at reduced scale.

    Args:
        source: Path, or the encoded bytes.
        image_size: Side in pixels of the square centre crop, after resizing the short
            side to 256/224 of it (bilinear, antialiased); None keeps the size.

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
    contents = source if isinstance(source, bytes) else _read(source)
    where = "bytes" if isinstance(source, bytes) else f"'{os.fspath(source)}'"
    try:
        with Image.open(io.BytesIO(contents), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width} x {image.height} pixels, more than {MAX_PIXELS}"
                )
            if image_size is not None:
                short = short_side_of(image_size)
                image.draft("RGB", (short, short))
            rgb = _upright_rgb(image)
    except Exception as error:
        raise ValueError(
            f"Expected {where} to be a whole picture (JPEG, PNG, GIF, BMP, WebP). "
            f"Received: {_reason(error, contents)}."
        ) from error
    return np.asarray(rgb if image_size is None else square(rgb, image_size))


def square(image: Image.Image, image_size: int) -> Image.Image:
    """Resize the short side to 256/224 of `image_size`, cut the middle square out."""
    short, width, height = short_side_of(image_size), image.width, image.height
    shorter = min(width, height)
    size = [
        short if side == shorter else round(side * short / shorter)
        for side in (width, height)
    ]
    if size != [width, height]:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - image_size) // 2, (size[1] - image_size) // 2
    return image.crop((left, top, left + image_size, top + image_size))


def load_images(paths, *, image_size: int) -> np.ndarray:
    """Decode pictures one after the other into uint8 (n, image_size, image_size, 3)."""
    return np.stack([decode_image(path, image_size=image_size) for path in paths])


def _read(path) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _upright_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion clips at 255
        pixels = np.asarray(image).astype("uint32") >> 8
        image = Image.fromarray(pixels.astype("uint8"))
    orientation = image.getexif().get(0x0112, 1)
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    image = image.convert("RGB")
    return _turned(image, orientation)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    if orientation == 1:
        return image
    exif = image.getexif()
    exif[0x0112] = orientation
    return ImageOps.exif_transpose(image)


def _reason(error: Exception, contents: bytes) -> str:
    if not contents:
        return "an empty file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "something else"
    return f"{error}" if str(error) else type(error).__name__
