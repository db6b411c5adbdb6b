"""Encoded pictures of every kind that a server meets."""

import io

import numpy as np
from PIL import Image


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """Return `image` as a file of format `kind`."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def scene(width: int = 90, height: int = 70, seed: int = 0) -> Image.Image:
    """Return an RGB picture with gradients, edges and some noise."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    pixels = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x * y + seed)], axis=-1) * 200
    pixels[height // 4 : height // 2, width // 5 : width // 2] = (230, 30, 60)
    pixels += rng.uniform(0, 40, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def with_alpha(image: Image.Image) -> Image.Image:
    """Return `image` fading out from left to right."""
    fade = np.linspace(255, 0, image.width).astype("uint8")
    alpha = Image.fromarray(np.tile(fade, (image.height, 1)))
    return Image.merge("RGBA", (*image.convert("RGB").split(), alpha))


def turned(orientation: int) -> Image.Exif:
    """Return EXIF data that says how the camera was held, 1..8."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    return exif


def every_kind() -> dict[str, bytes]:
    """Return {what: encoded picture}, one of each kind that can be decoded."""
    image = scene()
    grey, palette = image.convert("L"), image.quantize(200)
    deep = np.asarray(grey).astype("uint16") * 257 - 99
    frames = {"save_all": True, "append_images": [scene(seed=1), scene(seed=2)]}
    return {
        "jpeg": encoded(image, "JPEG"),
        "jpeg full chroma": encoded(image, "JPEG", quality=95, subsampling=0),
        "jpeg progressive": encoded(image, "JPEG", progressive=True),
        "jpeg grey": encoded(grey, "JPEG"),
        "jpeg cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "jpeg large": encoded(scene(640, 430), "JPEG"),
        "jpeg turned": encoded(image, "JPEG", exif=turned(6)),
        "png": encoded(image, "PNG"),
        "png grey": encoded(grey, "PNG"),
        "png 1 bit": encoded(image.convert("1"), "PNG"),
        "png 16 bit": encoded(Image.fromarray(deep), "PNG"),
        "png palette": encoded(palette, "PNG"),
        "png 4 bit palette": encoded(image.quantize(16), "PNG", bits=4),
        "png palette clear": encoded(
            palette, "PNG", transparency=palette.getpixel((0, 0))
        ),
        "png grey alpha": encoded(with_alpha(image).convert("LA"), "PNG"),
        "png rgba": encoded(with_alpha(image), "PNG"),
        "png turned": encoded(image, "PNG", exif=turned(8)),
        "gif": encoded(palette, "GIF"),
        "gif clear": encoded(palette, "GIF", transparency=palette.getpixel((40, 25))),
        "gif animated": encoded(image, "GIF", **frames),
        "gif interlaced": encoded(palette, "GIF", interlace=1),
        "bmp": encoded(image, "BMP"),
        "bmp grey": encoded(grey, "BMP"),
        "bmp palette": encoded(palette, "BMP"),
        "bmp 1 bit": encoded(image.convert("1"), "BMP"),
        "bmp rgba": encoded(with_alpha(image), "BMP"),
        "webp": encoded(image, "WEBP", quality=90),
        "webp lossless": encoded(image, "WEBP", lossless=True),
        "webp rgba": encoded(with_alpha(image), "WEBP", lossless=True, exact=True),
        "webp animated": encoded(image, "WEBP", lossless=True, **frames),
        "webp turned": encoded(image, "WEBP", lossless=True, exif=turned(3)),
    }


def broken() -> dict[str, tuple[bytes, str]]:
    """Return {what: (bytes, beginning of the error text)}."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    noise = Image.fromarray(noise)
    cut = {
        kind: (data[: len(data) // 2], "undecodable")
        for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP")
        for data in [encoded(noise, kind)]
    }
    return cut | {
        "nothing": (b"", "empty"),
        "text": (b"This is no picture, it is a text file.\n" * 9, "unknown format"),
        "one byte": (b"\xff", "unknown format"),
        "header alone": (b"\x89PNG\r\n\x1a\n", "undecodable"),
        "jpeg start": (b"\xff\xd8\xff\xe0", "undecodable"),
        "tiff": (encoded(noise, "TIFF"), "unknown format"),
    }
