"""Pillow's bilinear resize as TensorFlow ops, so that serving sees what training saw.

Pillow resizes columns, rounds to uint8, resizes rows and rounds again; TensorFlow's
antialiased resize has the same weights but rounds nowhere. Done in two rounded steps
the two agree to the last bit but for ties. TensorFlow only.
"""

import tensorflow as tf


def resize_and_crop(image: tf.Tensor, *, short_side: int, image_size: int) -> tf.Tensor:
    """Resize the short side with antialiasing, then cut out the middle square.

    Args:
        image: (height, width, 3) uint8 in [0, 255].
        short_side: Pixels of the shorter side after resizing.
        image_size: Pixels of the square that is cut from the centre.

    Returns:
        (image_size, image_size, 3) float32, whole numbers in [0, 255].
    """
    size = tf.shape(image)[:2]
    target = scaled_size(size, short_side)
    image = _resize(image, tf.stack([size[0], target[1]]))
    image = _resize(image, target)
    top, left = tf.unstack((target - image_size) // 2)
    image = image[top : top + image_size, left : left + image_size]
    return tf.ensure_shape(tf.cast(image, tf.float32), (image_size, image_size, 3))


def scaled_size(size: tf.Tensor, short_side: int) -> tf.Tensor:
    """Return (height, width) with the shorter side `short_side`, aspect kept."""
    longer = tf.cast(tf.reduce_max(size), tf.float64)
    shorter = tf.cast(tf.reduce_min(size), tf.float64)
    long_side = tf.cast(tf.round(longer * short_side / shorter), tf.int32)
    return tf.where(tf.equal(size, tf.reduce_min(size)), short_side, long_side)


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
    return tf.cast(tf.clip_by_value(tf.floor(resized + 0.5), 0.0, 255.0), tf.uint8)
