"""A batch of encoded pictures to a batch of squares, each failing for itself.

TensorFlow's decoders raise, and one broken picture would fail its whole batch. Here
each picture is an element of a dataset inside the graph, `ignore_errors` drops those
that raise, and what is left is put back in its place. TensorFlow only.
"""

import tensorflow as tf

from tftransfer.serving import headers
from tftransfer.serving.decoding import decode_rgb
from tftransfer.serving.resizing import largest_short_side
from tftransfer.serving.resizing import resize_and_crop

_FINE, _EMPTY, _UNKNOWN, _TOO_LARGE, _BROKEN = range(5)
_ERRORS = (
    "",
    "empty: no bytes received",
    "unknown format: expected JPEG, PNG, GIF, BMP or WebP",
    f"too large: more than {headers.MAX_PIXELS} pixels",
    "undecodable: truncated or corrupt picture",
)


def decode_batch(
    contents: tf.Tensor, *, image_size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode, resize and crop every picture that can be decoded.

    Args:
        contents: (batch,) strings, encoded pictures of any sizes and formats.
        image_size: Pixels of the square cut from the middle.

    Returns:
        The pictures, (batch, image_size, image_size, 3) float32 RGB in [0, 255], black
        where decoding failed, and the errors, (batch,) strings, "" where it did not.
    """
    count = tf.size(contents, out_type=tf.int64)
    shape = (image_size, image_size, 3)

    def decode(index, picture):
        image, code = _decode_one(picture, image_size)
        return index, image, code

    pictures = tf.data.Dataset.from_tensor_slices(contents).enumerate()
    decoded = pictures.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    # One picture more, so that a batch of nothing but errors is not an empty dataset.
    spare = tf.data.Dataset.from_tensors((count, tf.zeros(shape), _FINE))
    kept = decoded.ignore_errors().concatenate(spare).batch(count + 1)
    places, images, codes = kept.get_single_element()
    places = places[:, None]
    every = tf.concat([count[None] + 1, shape], axis=0)
    images = tf.scatter_nd(places, images, every)[:-1]
    broken = tf.fill([count + 1], _BROKEN)
    codes = tf.tensor_scatter_nd_update(broken, places, codes)[:-1]
    return images, tf.gather(tf.constant(_ERRORS), codes)


def _decode_one(contents: tf.Tensor, image_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return one square picture, or black and the reason why it was not decoded."""
    head = headers.leading_bytes(contents)
    kind = headers.picture_format(head)
    pixels = headers.pixel_count(contents, head, kind)
    code = tf.where(pixels > headers.MAX_PIXELS, _TOO_LARGE, _FINE)
    code = tf.where(tf.equal(kind, headers.UNKNOWN), _UNKNOWN, code)
    code = tf.where(tf.equal(tf.strings.length(contents), 0), _EMPTY, code)

    def decoded():
        short_side = largest_short_side(image_size)
        image = decode_rgb(contents, head, kind, short_side=short_side)
        return resize_and_crop(image, image_size=image_size)

    def black():
        return tf.zeros((image_size, image_size, 3))

    return tf.cond(tf.equal(code, _FINE), decoded, black), code
