"""Pictures that somebody could send who means harm, or whose disk is failing.

Real files of every format, broken at random; bombs; shapes at the limits; arrays that
are no pictures. Also the material of `benchmarks/face_hostile.py`.
"""

import io
import pathlib
import struct
import zlib
from collections.abc import Iterator

import matplotlib
import numpy as np
from PIL import Image
from PIL import ImageDraw

_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"


def hopper(side: int = 160) -> Image.Image:
    """Return the face that matplotlib ships, cut out, about 1.2 times as high."""
    folder = pathlib.Path(matplotlib.get_data_path()) / "sample_data"
    with Image.open(folder / "grace_hopper.jpg") as image:
        return image.crop((96, 0, 446, 420)).resize((side, round(side * 1.2)))


def originals(image: Image.Image) -> dict[str, bytes]:
    """Return an RGB picture as whole files of all formats and modes, by name."""
    grey, palette = image.convert("L"), image.quantize(64)
    clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    frames = [image.rotate(angle).quantize(64) for angle in (90, 180)]
    deep = Image.fromarray(np.asarray(grey).astype("uint16") * 257)
    exif = Image.Exif()
    exif[_ORIENTATION], exif[0x010F] = 6, "a maker"
    moving = {"save_all": True, "append_images": frames}
    return {
        "JPEG": _file(image, "JPEG", quality=85),
        "progressive JPEG": _file(image, "JPEG", progressive=True),
        "JPEG with EXIF": _file(image, "JPEG", exif=exif),
        "CMYK JPEG": _file(image.convert("CMYK"), "JPEG"),
        "PNG": _file(image, "PNG"),
        "PNG of 16 bits": _file(deep, "PNG"),
        "PNG with alpha": _file(clear, "PNG"),
        "PNG with a palette": _file(palette, "PNG", transparency=bytes(range(64))),
        "animated PNG": _file(palette, "PNG", **moving),
        "animated GIF": _file(palette, "GIF", transparency=3, **moving),
        "WebP": _file(image, "WEBP", exif=exif),
        "lossless WebP": _file(clear, "WEBP", lossless=True),
        "animated WebP": _file(image, "WEBP", **moving),
        "BMP": _file(image, "BMP"),
        "BMP with a palette": _file(palette, "BMP"),
    }


def _file(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def fuzzed(
    files: dict[str, bytes], count: int, seed: int = 0, *, pictures: bool = True
) -> Iterator[tuple[str, bytes]]:
    """Yield (which, what was done; the file): in turn, each broken at random."""
    random = np.random.default_rng(seed)
    names = list(files)
    ways = [way for way in _WAYS if pictures or way not in _OF_PICTURES]
    for place in range(count):
        name = names[place % len(names)]
        way = ways[random.integers(len(ways))]
        other = files[names[random.integers(len(names))]]
        yield f"{name}, {way}", _WAYS[way](files[name], other, random)


def _flipped(file, _, random, first=0, last=None):
    found = bytearray(file)
    for place in random.integers(first, last or len(file), random.integers(1, 20)):
        found[place] ^= 1 << random.integers(8)
    return bytes(found)


def _flipped_in_front(file, other, random):
    return _flipped(file, other, random, 0, min(64, len(file)))


def _truncated(file, _, random):
    return file[: random.integers(1, len(file))]


def _spliced(file, other, random):
    """Return the head of one file with the body of another."""
    head = random.integers(4, 200)
    return file[:head] + other[head:]


def _repeated(file, _, random):
    start, stop = sorted(random.integers(0, len(file), 2))
    return file[:stop] + file[start:]


def _holed(file, _, random):
    start, stop = sorted(random.integers(2, len(file), 2))
    return file[:start] + file[stop:]


def _overwritten(file, _, random):
    start = random.integers(2, len(file))
    fill = [b"\0", b"\xff", b"\x7f"][random.integers(3)]
    length = min(len(file) - start, random.integers(1, 64))
    return file[:start] + fill * length + file[start + length :]


def _with_wrong_exif(_, __, random):
    """Return a JPEG whose EXIF names types, counts and offsets at random."""
    tags = b"".join(
        struct.pack("<HHII", tag, random.integers(0, 15), *random.integers(0, 2**32, 2))
        for tag in (_ORIENTATION, 0x8769, 0x8825, 0xA005, 0x0112)
    )
    block = b"II*\0" + struct.pack("<IH", 8, random.choice([5, 65535])) + tags
    return _file(hopper(48), "JPEG", exif=b"Exif\0\0" + block)


_WAYS = {
    "flipped bits": _flipped,
    "flipped bits in front": _flipped_in_front,
    "truncated": _truncated,
    "spliced": _spliced,
    "repeated": _repeated,
    "with a hole": _holed,
    "overwritten": _overwritten,
    "wrong EXIF": _with_wrong_exif,
}

_OF_PICTURES = ("spliced", "wrong EXIF")


def png(width: int, height: int, rows: bytes, *, bits=8, colours=0, more=()) -> bytes:
    """Return a PNG that says this size and holds these compressed rows."""
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", rows), (b"IEND", b"")]
    return _PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", _crc(kind, data))
        for kind, data in chunks
    )


def _crc(kind: bytes, data: bytes) -> int:
    return zlib.crc32(kind + data)


def zeros(count: int) -> bytes:
    """Return so many zeros, compressed without holding them."""
    packer, block = zlib.compressobj(), bytes(2**20)
    parts = [packer.compress(block) for _ in range(count // len(block))]
    return b"".join(
        [*parts, packer.compress(bytes(count % len(block))), packer.flush()]
    )


def bombs(*, side: int = 20_000, mib: int = 256) -> dict[str, bytes]:
    """Return small files that say or hold far too much, by name."""
    much = zeros(mib * 2**20)
    text, profile = b"Comment\0\0" + much, b"icc\0\0" + much
    fine = zlib.compress(bytes(3 * 5))
    jpeg = bytearray(_file(Image.new("RGB", (8, 8)), "JPEG"))
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = struct.pack(">HH", 65_500, 65_500)
    bmp = bytearray(_file(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 30_000, -30_000)
    gif = bytearray(_file(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    return {
        "PNG of 30,000 x 30,000, said only": png(30_000, 30_000, fine),
        "PNG of 2**31 - 1 a side, said only": png(2**31 - 1, 2**31 - 1, fine),
        f"PNG of {side:,} x {side:,} zeros": png(
            side, side, zeros((3 * side + 1) * side), colours=2
        ),
        f"PNG with {mib} MiB of text": png(4, 3, fine, more=[(b"zTXt", text)]),
        f"PNG with a colour profile of {mib} MiB": png(
            4, 3, fine, more=[(b"iCCP", profile)]
        ),
        f"PNG of 4 x 3 with {mib} MiB of rows": png(4, 3, much),
        "JPEG of 65,500 x 65,500, said only": bytes(jpeg),
        "BMP of 30,000 x -30,000, said only": bytes(bmp),
        "GIF of 65,535 x 65,535, said only": bytes(gif),
    }


def thin() -> dict[str, np.ndarray]:
    """Return pictures of a few pixels, or of a few lines, by name."""
    sizes = [
        (1, 1),
        (1, 2),
        (11, 11),
        (12, 12),
        (10, 20_000),
        (20_000, 10),
        (1, 99_999),
    ]
    random = np.random.default_rng(1)
    return {
        f"{width} x {height} pixels": random.integers(
            0, 256, (height, width, 3), "uint8"
        )
        for height, width in sizes
    }


def no_pictures() -> dict[str, object]:
    """Return arrays and objects that are refused, by name."""
    fine = np.zeros((24, 24, 3))
    broken = fine.copy()
    broken[3, 4, 1] = np.nan
    objects = np.empty((24, 24, 3), object)
    return {
        "NaN": broken,
        "infinite": np.where(fine == 0, np.inf, fine),
        "minus infinite": np.where(fine == 0, -np.inf, fine),
        "negative": fine - 0.5,
        "above 255": fine + 1e9,
        "16 bits": np.full((24, 24), 65_535, "uint16"),
        "5 channels": np.zeros((24, 24, 5), "uint8"),
        "2 channels": np.zeros((24, 24, 2), "uint8"),
        "5 axes": np.zeros((1, 1, 24, 24, 3), "uint8"),
        "no axis": np.array(3),
        "no pixels": np.zeros((0, 24, 3), "uint8"),
        "no columns": np.zeros((24, 0, 3), "uint8"),
        "objects": objects,
        "numbers as objects": fine.astype(object),
        "texts": np.full((24, 24, 3), "a"),
        "complex": fine.astype(complex),
        "dates": np.zeros((24, 24), "datetime64[s]"),
        "records": np.zeros((24, 24), [("red", "u1"), ("green", "u1")]),
        "too many pixels": np.broadcast_to(np.uint8(0), (30_000, 30_000, 3)),
        "a list": fine.tolist(),
        "None": None,
        "a number": 3.5,
        "a class": Image.Image,
        "no bytes": b"",
        "text as bytes": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "no file": "no/such/file.jpg",
        "a path with NUL": "a\0b.jpg",
        "a very long path": "a" * 100_000,
        "a folder": "/",
        "a closed picture": _closed(),
    }


def _closed() -> Image.Image:
    image = Image.open(io.BytesIO(_file(Image.new("RGB", (24, 24)), "PNG")))
    image.close()
    return image


def scribble(size=(160, 192)) -> Image.Image:
    """Return a picture without a face."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).line([(0, 0), size], "black", 5)
    return image
