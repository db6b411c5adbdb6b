"""What an encoded picture says of itself before it is decoded, as TensorFlow ops.

Format and size are read from the leading bytes, so that a server can refuse a
decompression bomb without decoding it. TensorFlow only.
"""

import tensorflow as tf

# Pillow's own limit for decompression bombs: a quarter of a gigabyte as RGB.
MAX_PIXELS = 89_478_485

UNKNOWN, JPEG, PNG, GIF, BMP, WEBP = range(6)

# The last marker that may hold a size or an orientation lies before this byte in every
# picture that cameras and editors write; JPEG sizes are read by TensorFlow itself.
_HEAD_BYTES = 65536 + 1024


def leading_bytes(contents: tf.Tensor) -> tf.Tensor:
    """Return the first 65 KB as int32 values in [0, 255], followed by 64 zeros.

    Args:
        contents: Scalar string, the encoded picture.
    """
    return _padded(tf.strings.substr(contents, 0, _HEAD_BYTES))


def trailing_bytes(contents: tf.Tensor) -> tf.Tensor:
    """Return the last 65 KB as int32 values in [0, 255], followed by 64 zeros."""
    start = tf.maximum(tf.strings.length(contents) - _HEAD_BYTES, 0)
    return _padded(tf.strings.substr(contents, start, _HEAD_BYTES))


def little_endian(head: tf.Tensor, offset, length: int) -> tf.Tensor:
    """Return the unsigned integer of `length` bytes at `offset`, low byte first."""
    weights = tf.constant([1 << (8 * i) for i in range(length)], tf.int64)
    return tf.reduce_sum(tf.cast(_at(head, offset, length), tf.int64) * weights)


def big_endian(head: tf.Tensor, offset, length: int) -> tf.Tensor:
    """Return the unsigned integer of `length` bytes at `offset`, high byte first."""
    weights = tf.constant([1 << (8 * i) for i in reversed(range(length))], tf.int64)
    return tf.reduce_sum(tf.cast(_at(head, offset, length), tf.int64) * weights)


def picture_format(head: tf.Tensor) -> tf.Tensor:
    """Return the format's number (`JPEG`, `PNG`, ...; `UNKNOWN` = 0), int32 scalar."""
    signatures = (
        (JPEG, b"\xff\xd8\xff", 0),
        (PNG, b"\x89PNG\r\n\x1a\n", 0),
        (GIF, b"GIF8", 0),
        (BMP, b"BM", 0),
        (WEBP, b"WEBP", 8),
    )
    found = tf.constant(UNKNOWN)
    for number, signature, offset in signatures:
        found = tf.where(_starts_with(head, signature, offset), number, found)
    return found


def pixel_count(contents: tf.Tensor, head: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
    """Return width times height as the header states them, an int64 scalar.

    Raises (in the graph) for a JPEG whose header TensorFlow cannot read.
    """

    def jpeg():
        shape = tf.io.extract_jpeg_shape(contents, output_type=tf.int32)
        return tf.reduce_prod(tf.cast(shape[:2], tf.int64))

    def png():
        return big_endian(head, 16, 4) * big_endian(head, 20, 4)

    def gif():
        return little_endian(head, 6, 2) * little_endian(head, 8, 2)

    def bmp():
        return _signed(little_endian(head, 18, 4)) * _signed(little_endian(head, 22, 4))

    return tf.switch_case(
        kind,
        {
            UNKNOWN: lambda: tf.constant(0, tf.int64),
            JPEG: jpeg,
            PNG: png,
            GIF: gif,
            BMP: bmp,
            WEBP: lambda: _webp_pixels(head),
        },
    )


def _padded(part: tf.Tensor) -> tf.Tensor:
    return tf.pad(tf.cast(tf.io.decode_raw(part, tf.uint8), tf.int32), [[0, 64]])


def _webp_pixels(head: tf.Tensor) -> tf.Tensor:
    """Return the pixels of a WebP: extended, lossless or plain lossy layout."""
    bits = little_endian(head, 21, 4)
    fourteen = tf.constant(0x3FFF, tf.int64)
    lossless = (tf.bitwise.bitwise_and(bits, fourteen) + 1) * (
        tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, 14), fourteen) + 1
    )
    lossy = tf.bitwise.bitwise_and(
        little_endian(head, 26, 2), fourteen
    ) * tf.bitwise.bitwise_and(little_endian(head, 28, 2), fourteen)
    extended = (little_endian(head, 24, 3) + 1) * (little_endian(head, 27, 3) + 1)
    pixels = tf.where(_starts_with(head, b"VP8L", 12), lossless, lossy)
    return tf.where(_starts_with(head, b"VP8X", 12), extended, pixels)


def _signed(value: tf.Tensor) -> tf.Tensor:
    """Return the size behind a 32-bit two's complement (BMP stores rows top-down)."""
    return tf.where(value >= 1 << 31, (1 << 32) - value, value)


def _starts_with(head: tf.Tensor, signature: bytes, offset: int) -> tf.Tensor:
    expected = tf.constant(list(signature), tf.int32)
    return tf.reduce_all(head[offset : offset + len(signature)] == expected)


def _at(head: tf.Tensor, offset, length: int) -> tf.Tensor:
    """Return `length` bytes at `offset`; positions past the end read the last zero."""
    positions = tf.cast(offset, tf.int32) + tf.range(length)
    return tf.gather(head, tf.clip_by_value(positions, 0, tf.size(head) - 1))
