"""An animated WebP rebuilt as a still picture of its first frame.

Needed for safety: TensorFlow 2.21's `decode_image(expand_animations=False)` makes room
for one frame of an animated WebP, writes all of them and corrupts the heap, so that
one picture could end the server. It must never see an animation. TensorFlow only.
"""

import tensorflow as tf

from tftransfer.serving.headers import little_endian

_ANIMATION_FLAG, _ALPHA_FLAG = 0x02, b"\x10"
_FRAME_HEADER = 16


def still_webp(contents: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Return `contents`, or a still WebP of the first frame when it is animated.

    A first frame smaller than the canvas comes out in its own size.

    Args:
        contents: Scalar string, a WebP.
        head: (bytes,) int32, its leading bytes.

    Raises (in the graph) for an animation without a frame.
    """
    extended = tf.reduce_all(head[12:16] == tf.constant(list(b"VP8X")))
    flags = tf.bitwise.bitwise_and(head[20], _ANIMATION_FLAG)
    return tf.cond(
        extended & (flags > 0), lambda: _first_frame(contents), lambda: contents
    )


def _first_frame(contents: tf.Tensor) -> tf.Tensor:
    """Return the first ANMF chunk's picture with a still picture's header."""
    data = tf.cast(tf.io.decode_raw(contents, tf.uint8), tf.int32)
    data = tf.pad(data, [[0, 32]])
    frame = tf.constant(list(b"ANMF"))
    end = tf.size(data, out_type=tf.int64) - 32

    def is_other(position):
        name = tf.slice(data, [position], [4])
        return tf.reduce_any(name != frame)

    def skip(position):
        size = little_endian(data, position + 4, 4)
        # Past the end `slice` raises, which is what a broken picture shall do.
        return (tf.minimum(position + 8 + size + size % 2, end + 32),)

    (position,) = tf.while_loop(is_other, skip, (tf.constant(12, tf.int64),))
    size = little_endian(data, position + 4, 4)
    sides = tf.strings.substr(contents, position + 8 + 6, 6)
    picture = tf.strings.substr(
        contents, position + 8 + _FRAME_HEADER, size - _FRAME_HEADER
    )
    header = b"VP8X" + (10).to_bytes(4, "little") + _ALPHA_FLAG + bytes(3)
    body = b"WEBP" + header + sides + picture
    return b"RIFF" + _four_bytes(tf.strings.length(body)) + body


def _four_bytes(number: tf.Tensor) -> tf.Tensor:
    """Return an int32 as a string of four bytes, low byte first."""
    alphabet = tf.constant([bytes([value]) for value in range(256)])
    digits = tf.bitwise.right_shift(number, [0, 8, 16, 24])
    return tf.strings.reduce_join(
        tf.gather(alphabet, tf.bitwise.bitwise_and(digits, 255))
    )
