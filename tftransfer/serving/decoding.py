"""One encoded picture to upright RGB inside the graph, as `tftransfer.data` decodes it.

JPEG (CMYK too, scaled while decoding when it is large), PNG (palette, alpha, 16-bit),
GIF (first frame), BMP and, where TensorFlow knows it (2.20 or later), WebP.
TensorFlow only.
"""

import tensorflow as tf

from tftransfer.serving import headers
from tftransfer.serving.bmp import decode_bmp
from tftransfer.serving.gif import first_frame
from tftransfer.serving.orientation import exif_orientation
from tftransfer.serving.orientation import upright
from tftransfer.serving.webp import still_webp


def decode_rgb(
    contents: tf.Tensor, head: tf.Tensor, kind: tf.Tensor, *, short_side: int
) -> tf.Tensor:
    """Decode one picture; a broken one raises in the graph.

    Args:
        contents: Scalar string, the encoded picture.
        head: (bytes,) int32, its leading bytes.
        kind: Its format, one of the numbers in `headers`.
        short_side: Pixels that the shorter side is to have later: a JPEG at least
            twice as large is decoded at 1/2, 1/4 or 1/8.

    Returns:
        (height, width, 3) uint8, upright.
    """
    image = tf.switch_case(
        kind - headers.JPEG,
        [
            lambda: _jpeg(contents, short_side),
            lambda: _png(contents, head),
            lambda: _gif(contents),
            lambda: _over_white(decode_bmp(contents, head)),
            lambda: _webp(contents, head),
        ],
    )
    return upright(image, exif_orientation(contents, head, kind))


def _jpeg(contents: tf.Tensor, short_side: int) -> tf.Tensor:
    """Decode a JPEG at the largest reduction that keeps `short_side` pixels."""

    def decode(ratio):
        # INTEGER_ACCURATE is Pillow's transform; TensorFlow's default is a faster one.
        return tf.io.decode_jpeg(
            contents, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    shorter = tf.reduce_min(tf.io.extract_jpeg_shape(contents)[:2])
    room = shorter // short_side
    step = tf.cast(room >= 2, tf.int32) + tf.cast(room >= 4, tf.int32)
    step += tf.cast(room >= 8, tf.int32)
    return tf.switch_case(step, [lambda r=r: decode(r) for r in (1, 2, 4, 8)])


def _png(contents: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    def sixteen_bit():
        image = tf.io.decode_png(contents, channels=4, dtype=tf.uint16)
        return tf.cast(
            tf.bitwise.right_shift(image, tf.constant(8, tf.uint16)), tf.uint8
        )

    def eight_bit():
        image = tf.io.decode_png(contents, channels=4)
        return tf.cond(depth < 8, lambda: _full_alpha(image, depth), lambda: image)

    depth = head[24]
    return _over_white(tf.cond(tf.equal(depth, 16), sixteen_bit, eight_bit))


def _full_alpha(image: tf.Tensor, depth: tf.Tensor) -> tf.Tensor:
    """Mend the alpha that TensorFlow fills in at 1, 2 and 4 bits: 1, 3, 15 for 255."""
    filler = tf.cast(tf.bitwise.left_shift(1, depth) - 1, tf.uint8)
    colour, alpha = tf.split(image, [3, 1], axis=-1)
    alpha = tf.where(tf.equal(alpha, filler), tf.constant(255, tf.uint8), alpha)
    return tf.concat([colour, alpha], axis=-1)


def _gif(contents: tf.Tensor) -> tf.Tensor:
    frame, pixels = first_frame(contents)
    # A frame may be larger than the canvas that the header announces.
    small = tf.debugging.assert_less_equal(
        pixels, tf.constant(headers.MAX_PIXELS, tf.int64)
    )
    with tf.control_dependencies([small]):
        return tf.io.decode_gif(frame)[0]


def _webp(contents: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    still = still_webp(contents, head)
    image = tf.io.decode_image(still, expand_animations=False)
    opaque = tf.fill(tf.shape(image[..., :1]), tf.constant(255, tf.uint8))
    return _over_white(tf.concat([image, opaque], axis=-1)[..., :4])


def _over_white(image: tf.Tensor) -> tf.Tensor:
    """Lay (height, width, 4) uint8 with straight alpha over white."""

    def blended():
        colour, alpha = tf.split(tf.cast(image, tf.int32), [3, 1], axis=-1)
        return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    opaque = tf.equal(tf.reduce_min(image[..., 3]), 255)
    return tf.cond(opaque, lambda: image[..., :3], blended)
