"""Views of a picture whose features are averaged: mirror, or ten crops.

"flip" is the picture and its mirror. "crops" is the four corners, the centre and the
mirrors of all five, as at test time in Razavian 2014 (there with the SVM's responses
summed) and Krizhevsky 2012. TensorFlow only.
"""

from collections.abc import Callable
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_one_of

AUGMENTATIONS = (None, "flip", "crops")
_CROP_MARGIN = 8 / 7  # pictures are 8/7 of a crop's side: 256 for crops of 224


def check_augment(augment: str | None) -> None:
    """Raise ValueError unless `augment` is None, "flip" or "crops"."""
    check_one_of("augment", augment, AUGMENTATIONS)


def loading_size(image_size: int, augment: str | None) -> int:
    """Return the side in pixels that pictures are loaded at, before any crop.

    Example:
        >>> loading_size(224, "crops")
        256
    """
    return round(image_size * _CROP_MARGIN) if augment == "crops" else image_size


def average_over_views(
    compute: Callable, images, augment: str | None, side: int
) -> list[np.ndarray]:
    """Return the mean of `compute(view)` over the views of a batch, output by output.

    Args:
        compute: Maps `(batch, side, side, 3)` to a list of tensors `(batch, ...)`.
        images: `(batch, height, width, 3)`; resized where not of `loading_size`.
        augment: None, "flip" or "crops".
        side: Side of a view in pixels.
    """
    images = tf.convert_to_tensor(images)
    wanted = loading_size(side, augment)
    if images.shape[1:3] != (wanted, wanted):
        images = tf.image.resize(images, (wanted, wanted), antialias=True)
    sums, count = None, 0
    for view in views(images, augment, side):
        outputs = [np.asarray(output) for output in compute(view)]
        sums = outputs if sums is None else [s + o for s, o in zip(sums, outputs)]
        count += 1
    return sums if count == 1 else [total / count for total in sums]


def views(images: tf.Tensor, augment: str | None, side: int) -> Iterator[tf.Tensor]:
    """Yield the views of a batch, each `(batch, side, side, 3)` of the same dtype.

    Args:
        images: `(batch, height, width, 3)`, for "crops" larger than `side`.
        augment: None (the batch alone), "flip" or "crops".
        side: Side of a view in pixels; used by "crops".

    Example:
        >>> len(list(views(tf.zeros((1, 8, 8, 3)), "crops", 7)))
        10
    """
    crops = _five_crops(images, side) if augment == "crops" else [images]
    for crop in crops:
        yield crop
        if augment is not None:
            yield tf.reverse(crop, axis=[2])


def _five_crops(images: tf.Tensor, side: int) -> list[tf.Tensor]:
    down, right = images.shape[1] - side, images.shape[2] - side
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return [images[:, y : y + side, x : x + side] for y, x in corners]
