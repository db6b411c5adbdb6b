"""EXIF orientation inside the graph: the camera's rotation is undone before the model.

TensorFlow only. The tag is looked for in the first IFD of a JPEG's APP1 segment, as
`PIL.ImageOps.exif_transpose` does.
"""

import tensorflow as tf

_ORIENTATION_TAG = 0x0112
_IFD_ENTRY_BYTES = 12


def exif_orientation(head: tf.Tensor) -> tf.Tensor:
    """Return the EXIF orientation 1..8 of a JPEG; 1 when it has none.

    Args:
        head: (bytes,) int32 in [0, 255], the picture's leading bytes.
    """
    marker = _find(head, b"\xff\xe1??Exif\0\0")
    return tf.cond(marker >= 0, lambda: _tiff_orientation(head, marker + 10), lambda: 1)


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
    return tf.switch_case(orientation - 1, branches, default=turns[1])


def _tiff_orientation(head: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Return the orientation in the TIFF block that begins at byte `start`."""
    big = tf.equal(_byte(head, start), ord("M"))
    ifd = start + _number(head, start + 4, 4, big)
    count = tf.minimum(_number(head, ifd, 2, big), 512)
    entries = ifd + 2 + _IFD_ENTRY_BYTES * tf.range(count)
    is_tag = tf.equal(_number(head, entries, 2, big), _ORIENTATION_TAG)
    # A SHORT sits in the first two bytes of the four-byte value field.
    values = _number(head, entries + 8, 2, big)
    found = tf.reduce_max(tf.where(is_tag, values, 0))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def _find(head: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Return the first position of `pattern` ('?' = any byte), or -1."""
    length = tf.size(head) - len(pattern) + 1
    hits = tf.ones([length], tf.bool)
    for offset, value in enumerate(pattern):
        if value != ord("?"):
            hits &= tf.equal(head[offset : offset + length], value)
    return tf.where(
        tf.reduce_any(hits), tf.argmax(hits, output_type=tf.int32), tf.constant(-1)
    )


def _number(head: tf.Tensor, positions, length: int, big: tf.Tensor) -> tf.Tensor:
    """Return the unsigned integers at `positions` in the TIFF block's byte order."""
    total = tf.zeros_like(positions)
    for i in range(length):
        index = tf.where(big, i, length - 1 - i)
        total = total * 256 + _byte(head, positions + index)
    return total


def _byte(head: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    return tf.gather(head, tf.clip_by_value(positions, 0, tf.size(head) - 1))
