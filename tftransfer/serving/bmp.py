"""BMP pictures: those with a palette, and what TensorFlow's decoder does not check.

TensorFlow reads the indices of an 8-bit palette as greys and refuses 1 and 4 bits;
both are looked up here. Run-length compression and 16-bit colour raise in the graph.
TensorFlow only.
"""

import tensorflow as tf

from tftransfer.serving.headers import little_endian

_UNCOMPRESSED, _BITFIELDS = 0, 3
_USUAL_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF)


def decode_bmp(contents: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decode a BMP to (height, width, 4) uint8 with straight alpha.

    Args:
        contents: Scalar string, the BMP.
        head: (bytes,) int32, its leading bytes.
    """
    depth = little_endian(head, 28, 2)
    return tf.cond(
        depth <= 8,
        lambda: _with_palette(contents, head, tf.cast(depth, tf.int32)),
        lambda: _true_colour(contents, head),
    )


def _true_colour(contents: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decode 24 or 32 bits a pixel; alpha counts only where the header declares it."""
    masked = tf.equal(little_endian(head, 30, 4), _BITFIELDS)
    plain = tf.equal(little_endian(head, 30, 4), _UNCOMPRESSED)
    for number, mask in enumerate(_USUAL_MASKS):
        masked &= tf.equal(little_endian(head, 54 + 4 * number, 4), mask)
    has_alpha = (
        masked & (little_endian(head, 14, 4) >= 56) & (little_endian(head, 66, 4) > 0)
    )
    known = tf.debugging.Assert(plain | masked, ["BMP compression"])
    with tf.control_dependencies([known]):
        image = tf.io.decode_bmp(contents)
    opaque = tf.fill(tf.shape(image[..., :1]), tf.constant(255, tf.uint8))
    four = tf.concat([image, opaque], axis=-1)[..., :4]
    return tf.where(has_alpha, four, tf.concat([image[..., :3], opaque], axis=-1))


def _with_palette(contents: tf.Tensor, head: tf.Tensor, depth: tf.Tensor) -> tf.Tensor:
    """Decode 1, 4 or 8 bits a pixel by looking the colours up."""
    width, height, start = (_int32(head, at) for at in (18, 22, 10))
    plain = tf.debugging.Assert(
        tf.equal(little_endian(head, 30, 4), _UNCOMPRESSED)
        & tf.reduce_any(tf.equal(depth, [1, 4, 8]))
        & (start > _palette_start(head)),
        ["BMP compression, depth or palette"],
    )
    with tf.control_dependencies([plain]):
        row_bytes = (width * depth + 31) // 32 * 4
    rows = tf.strings.substr(contents, start, row_bytes * tf.abs(height))
    rows = tf.cast(tf.io.decode_raw(rows, tf.uint8), tf.int32)
    rows = tf.reshape(rows, [tf.abs(height), row_bytes, 1])
    shifts = tf.range(8 - depth, -1, -depth)
    indices = tf.bitwise.bitwise_and(
        tf.bitwise.right_shift(rows, shifts), tf.bitwise.left_shift(1, depth) - 1
    )
    indices = tf.reshape(indices, [tf.abs(height), -1])[:, :width]
    indices = tf.cond(height > 0, lambda: indices[::-1], lambda: indices)
    return tf.gather(_palette(contents, head), indices)


def _palette(contents: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Return the colour table, (colours, 4) uint8 RGB and 255."""
    begin, end = _palette_start(head), _int32(head, 10)
    table = tf.strings.substr(contents, begin, (end - begin) // 4 * 4)
    table = tf.reshape(tf.io.decode_raw(table, tf.uint8), [-1, 4])
    opaque = tf.fill(tf.shape(table[:, :1]), tf.constant(255, tf.uint8))
    return tf.concat([table[:, 2::-1], opaque], axis=-1)


def _palette_start(head: tf.Tensor) -> tf.Tensor:
    return 14 + _int32(head, 14)


def _int32(head: tf.Tensor, offset: int) -> tf.Tensor:
    """Return a signed 32-bit number; a negative height means rows from the top."""
    value = little_endian(head, offset, 4)
    return tf.cast(tf.where(value >= 1 << 31, value - (1 << 32), value), tf.int32)
