"""Pillow's bilinear resize as TensorFlow ops, so that serving sees what training saw.

Pillow resizes columns, rounds to uint8, resizes rows and rounds again; TensorFlow's
antialiased resize has the same weights but rounds nowhere. Done in two rounded steps
the two agree to the last bit but for ties. TensorFlow only.
"""

import tensorflow as tf

# Pillow rounds halves up. Float32 puts some of them just below, so a little is added:
# resizing 56 to 64 pixels, 6 % of the values were off by one without it, now none is.
_HALF = 0.5003
# Longer sides are cut before resizing, as `tftransfer.data.decode` does.
_MAX_ASPECT = 32


def largest_short_side(image_size: int) -> int:
    """Return the most pixels that a short side gets: 256/224 of `image_size`."""
    return round(image_size * 256 / 224)


def resize_and_crop(image: tf.Tensor, *, image_size: int) -> tf.Tensor:
    """Resize the short side with antialiasing, then cut out the middle square.

    The short side gets 256/224 of `image_size`; where it is smaller it stays, or grows
    to `image_size`.

    Args:
        image: (height, width, 3) uint8 in [0, 255].
        image_size: Pixels of the square that is cut from the centre.

    Returns:
        (image_size, image_size, 3) float32, whole numbers in [0, 255].
    """
    image = _without_far_ends(image)
    size = tf.shape(image)[:2]
    target = _scaled_size(size, image_size)
    image = _resize(image, tf.stack([size[0], target[1]]))
    image = _resize(image, target)
    top, left = tf.unstack((target - image_size) // 2)
    image = image[top : top + image_size, left : left + image_size]
    return tf.ensure_shape(tf.cast(image, tf.float32), (image_size, image_size, 3))


def _without_far_ends(image: tf.Tensor) -> tf.Tensor:
    """Cut off what the centre crop never sees, lest a thin line grow to gigabytes."""
    size = tf.shape(image)[:2]
    longest = _MAX_ASPECT * tf.reduce_min(size)
    top, left = tf.unstack(tf.maximum(0, (size - longest) // 2))
    return image[top : size[0] - top, left : size[1] - left]


def _scaled_size(size: tf.Tensor, image_size: int) -> tf.Tensor:
    """Return the (height, width) to resize to, aspect kept."""
    shorter = tf.reduce_min(size)
    short_side = tf.minimum(
        tf.maximum(shorter, image_size), largest_short_side(image_size)
    )
    # Sides times short side first: that is exact, and halves round as Python's do.
    longer = tf.cast(tf.reduce_max(size) * short_side, tf.float64)
    long_side = tf.cast(tf.round(longer / tf.cast(shorter, tf.float64)), tf.int32)
    return tf.where(tf.equal(size, shorter), short_side, long_side)


def _resize(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resize uint8 to uint8, bilinear, antialiased when smaller."""
    same = tf.reduce_all(tf.equal(tf.shape(image)[:2], size))
    return tf.cond(same, lambda: image, lambda: _scale(image, size))


def _scale(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    scale = tf.cast(size, tf.float32) / tf.cast(tf.shape(image)[:2], tf.float32)
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=size,
        scale=scale,
        translation=tf.zeros([2]),
        kernel_type="triangle",
        antialias=True,
    )[0]
    rounded = tf.floor(resized + _HALF)
    return tf.cast(tf.clip_by_value(rounded, 0.0, 255.0), tf.uint8)
