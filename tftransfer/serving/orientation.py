"""EXIF orientation inside the graph: the camera's rotation is undone before the model.

TensorFlow only. The tag is looked for in the first IFD of a JPEG's APP1 segment, a
PNG's eXIf chunk or a WebP's EXIF chunk, where `PIL.ImageOps.exif_transpose` finds it.
"""

import tensorflow as tf

from tftransfer.serving import headers

_TIFF_MAGIC = 42
_ORIENTATION_TAG = 0x0112
_IFD_ENTRY_BYTES = 12


def exif_orientation(
    contents: tf.Tensor, head: tf.Tensor, kind: tf.Tensor
) -> tf.Tensor:
    """Return the EXIF orientation 1..8 of a picture; 1 when it has none.

    Args:
        contents: Scalar string, the encoded picture.
        head: (bytes,) int32 in [0, 255], its leading bytes.
        kind: Its format, one of the numbers in `headers`.
    """

    def upright_already():
        return tf.constant(1)

    def jpeg():
        return _orientation_behind(b"\xff\xe1??Exif\0\0", head)

    def png():
        return _orientation_behind(b"eXIf", head)

    def webp():
        # Behind the picture, unlike the others.
        return _orientation_behind(b"EXIF????", headers.trailing_bytes(contents))

    readers = {headers.JPEG: jpeg, headers.PNG: png, headers.WEBP: webp}
    return tf.switch_case(
        kind, [readers.get(n, upright_already) for n in range(headers.WEBP + 1)]
    )


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn and mirror `image` so that its top is up.

    Args:
        image: (height, width, channels).
        orientation: EXIF orientation 1..8, int32 scalar.
    """

    def transposed():
        return tf.transpose(image, [1, 0, 2])

    turns = {
        1: lambda: image,
        2: lambda: image[:, ::-1],
        3: lambda: image[::-1, ::-1],
        4: lambda: image[::-1],
        5: transposed,
        6: lambda: transposed()[:, ::-1],
        7: lambda: transposed()[::-1, ::-1],
        8: lambda: transposed()[::-1],
    }
    branches = [turns[number] for number in range(1, 9)]
    return tf.switch_case(orientation - 1, branches)


def _orientation_behind(marker: bytes, data: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the TIFF block behind `marker` ('?' = any byte)."""
    place = _find(data, marker)
    return tf.cond(
        place >= 0,
        lambda: _tiff_orientation(data, place + len(marker)),
        lambda: tf.constant(1),
    )


def _tiff_orientation(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the TIFF block that begins at byte `start`."""
    big = tf.equal(_byte(data, start), ord("M"))
    is_tiff = tf.equal(_number(data, start + 2, 2, big), _TIFF_MAGIC)
    ifd = start + _number(data, start + 4, 4, big)
    count = tf.minimum(_number(data, ifd, 2, big), 512)
    entries = ifd + 2 + _IFD_ENTRY_BYTES * tf.range(count)
    is_tag = tf.equal(_number(data, entries, 2, big), _ORIENTATION_TAG)
    # A SHORT sits in the first two bytes of the four-byte value field.
    values = _number(data, entries + 8, 2, big)
    found = tf.reduce_max(tf.where(is_tag, values, 0))
    return tf.where(is_tiff & (found >= 1) & (found <= 8), found, 1)


def _find(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Return the first position of `pattern` ('?' = any byte), or -1."""
    length = tf.size(data) - len(pattern) + 1
    hits = tf.ones([length], tf.bool)
    for offset, value in enumerate(pattern):
        if value != ord("?"):
            hits &= tf.equal(data[offset : offset + length], value)
    return tf.where(
        tf.reduce_any(hits), tf.argmax(hits, output_type=tf.int32), tf.constant(-1)
    )


def _number(data: tf.Tensor, positions, length: int, big: tf.Tensor) -> tf.Tensor:
    """Return the unsigned integers at `positions` in the TIFF block's byte order."""
    total = tf.zeros_like(positions)
    for i in range(length):
        index = tf.where(big, i, length - 1 - i)
        total = total * 256 + _byte(data, positions + index)
    return total


def _byte(data: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    return tf.gather(data, tf.clip_by_value(positions, 0, tf.size(data) - 1))
