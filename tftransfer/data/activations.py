"""Batches of a frozen trunk's activations in place of pictures.

The trunk runs once over the pictures instead of once an epoch. Order, labels and
batches are those of the dataset given, so that training on the result gives the same
weights, bit by bit in float32. TensorFlow only.
"""

import os

import keras
import tensorflow as tf

from tftransfer.core.fingerprint import model_digest
from tftransfer.data.cache import ActivationCache
from tftransfer.data.pictures import ArrayPictures
from tftransfer.data.rows import rows_in_memory
from tftransfer.data.source import source_of


def with_activations(
    dataset: tf.data.Dataset,
    trunk: keras.Model,
    *,
    cache: str | os.PathLike | None = None,
    dtype: str = "float32",
) -> tf.data.Dataset:
    """Return the dataset with `trunk(pictures)` in place of the pictures.

    Args:
        dataset: Of `from_folder` or `as_dataset`, without augmentation.
        trunk: Frozen model, pictures -> activations; run in inference mode.
        cache: Folder of an `ActivationCache` that keeps them for the next run; None
            keeps them in memory.
        dtype: "float32", or "float16" for half the room; training is then no longer
            equal to that on pictures (activations differ by up to 1 part in 2,000).

    Returns:
        The dataset of (activations (batch, ...), labels).

    Raises:
        TypeError: When the dataset is not of this package, or is augmented.
        MemoryError: When they would take more than 4 GiB and there is no `cache`.
    """
    source = source_of(dataset)
    if source.augmentation is not None:
        raise TypeError(
            "Expected pictures that are the same in every epoch. Received augmented "
            "ones, whose activations cannot be computed once."
        )
    if cache is not None:
        key = {
            "kind": "activations",
            "trunk": model_digest(trunk),
            "data": source.pictures.fingerprint(),
            "dtype": dtype,
        }
        array = ActivationCache(cache).get(key, lambda: _computed(source, trunk, dtype))
    else:
        pieces = _computed(source, trunk, dtype)
        array = rows_in_memory(pieces, len(source), dtype)
    pictures = ArrayPictures(array, paths=source.pictures.paths)
    return source.replace(pictures=pictures, image_size=None).dataset()


def _computed(source, trunk, dtype):
    """Yield activations in the order of the pictures, a batch at a time."""
    # As in the training step: no XLA, no folded constants, which would change bits.
    compute = tf.function(lambda x: trunk(x, training=False)).get_concrete_function(
        tf.TensorSpec((None, *trunk.input_shape[1:]), tf.float32)
    )
    plain = source.replace(shuffle=False, labels=None)
    count = 0
    for pictures in plain.dataset():
        activations = compute(pictures).numpy().astype(dtype)
        count += len(activations)
        yield activations
    if count != len(source):
        raise ValueError(
            f"Expected {len(source)} readable pictures. Received: {count}; the others "
            "are named in the warnings. Read the folder again with `verify=True`."
        )
