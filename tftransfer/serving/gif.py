"""A GIF cut down to its first frame before it is decoded.

TensorFlow decodes every frame of a GIF even when one is wanted, so that a few
megabytes can ask for gigabytes; and it ignores transparency. Both are mended on the
bytes. TensorFlow only.
"""

import tensorflow as tf

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, b"\x3b"
_GRAPHIC_CONTROL = 0xF9


def first_frame(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the GIF up to its first frame, transparent parts made white.

    Args:
        contents: Scalar string, the whole GIF.

    Returns:
        The shortened GIF (scalar string) and the frame's pixels (int64 scalar).
    """
    data = tf.cast(tf.io.decode_raw(contents, tf.uint8), tf.int32)
    data = tf.pad(data, [[0, 16]])
    image, transparent = _skip_extensions(data)
    pixels = _short(data, image + 5) * _short(data, image + 7)
    own_table = _table_bytes(data, image + 9)
    end = _skip_blocks(data, image + 11 + own_table)
    table = tf.where(own_table > 0, image + 10, 13)
    whitened = tf.cond(
        transparent >= 0,
        lambda: _whiten(contents, table + 3 * transparent),
        lambda: contents,
    )
    # Without its extensions the frame is opaque; transparent parts would be black.
    screen = tf.strings.substr(whitened, 0, 13 + _table_bytes(data, 10))
    frame = tf.strings.substr(whitened, image, end - image)
    return screen + frame + _TRAILER, tf.cast(pixels, tf.int64)


def _skip_extensions(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where the first frame begins and the transparent colour's index or -1."""
    start = 13 + _table_bytes(data, 10)

    def is_extension(position, transparent):
        return tf.equal(_byte(data, position), _EXTENSION)

    def skip(position, transparent):
        has_colour = (
            tf.equal(_byte(data, position + 1), _GRAPHIC_CONTROL)
            & (_byte(data, position + 3) % 2 > 0)
        )  # fmt: skip
        colour = tf.where(has_colour, _byte(data, position + 6), transparent)
        return _skip_blocks(data, position + 2), colour

    position, transparent = tf.while_loop(is_extension, skip, (start, tf.constant(-1)))
    checked = tf.debugging.Assert(
        tf.equal(_byte(data, position), _IMAGE), ["GIF without a frame"]
    )
    with tf.control_dependencies([checked] if checked is not None else []):
        return tf.identity(position), transparent


def _skip_blocks(data: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Return the byte after a chain of length-prefixed blocks ended by length 0."""
    last = tf.size(data) - 1

    def more(position):
        return (_byte(data, position) > 0) & (position < last)

    def skip(position):
        return position + 1 + _byte(data, position)

    (end,) = tf.while_loop(more, lambda p: (skip(p),), (position,))
    return end + 1


def _table_bytes(data: tf.Tensor, flags_at) -> tf.Tensor:
    """Return the size in bytes of the colour table that the flag byte announces."""
    flags = _byte(data, flags_at)
    size = 3 * tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7))
    return tf.where(flags >= 128, size, 0)


def _whiten(contents: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Return `contents` with the colour-table entry at byte `offset` set to white."""
    before = tf.strings.substr(contents, 0, offset)
    after = tf.strings.substr(contents, offset + 3, tf.strings.length(contents))
    return before + b"\xff\xff\xff" + after


def _short(data: tf.Tensor, position) -> tf.Tensor:
    return _byte(data, position) + 256 * _byte(data, position + 1)


def _byte(data: tf.Tensor, position) -> tf.Tensor:
    return data[tf.clip_by_value(position, 0, tf.size(data) - 1)]
