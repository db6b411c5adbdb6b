"""Batches of raw RGB pictures from whatever a caller holds, in the order given.

TensorFlow only: pictures that are not there yet are decoded by tf.data, ahead of the
computation.
"""

from collections.abc import Iterator

import tensorflow as tf

from tftransfer.core.validation import check_range
from tftransfer.data import as_dataset
from tftransfer.data.pictures import ArrayPictures
from tftransfer.data.pictures import FilePictures


class PictureBatches:
    """Iterates over picture batches, uint8 or float32 `(batch, side, side, 3)`.

    A dataset of `from_folder` or `as_dataset` is read anew from its source, so that the
    rows are those of its `.paths` and `.labels`, neither shuffled nor augmented.

    Args:
        data: What `tft.data.as_dataset` takes; labels are left aside.
        image_size: Side in pixels that pictures are brought to.
        batch_size: Pictures per batch, 1 or more; a foreign batched dataset keeps its
            own.

    Raises:
        ValueError: When `batch_size` is below 1, or the data hold no pictures.
    """

    def __init__(self, data, *, image_size: int, batch_size: int):
        check_range("batch_size", batch_size, 1, 100_000)
        self.batch_size = batch_size
        dataset = as_dataset(data, image_size=image_size, batch_size=batch_size)
        source = getattr(dataset, "source", None)
        self.pictures = None if source is None else _sized(source.pictures, image_size)
        if source is not None:
            dataset = source.replace(
                pictures=self.pictures,
                labels=None,
                shuffle=False,
                augmentation=None,
                batch_size=batch_size,
            ).dataset()
        self._dataset = dataset.prefetch(tf.data.AUTOTUNE)

    @property
    def count(self) -> int | None:
        """Number of pictures, or None when nobody knows it."""
        return None if self.pictures is None else len(self.pictures)

    @property
    def steps(self) -> int | None:
        """Number of batches, or None when nobody knows it."""
        steps = int(self._dataset.cardinality())
        return steps if steps >= 0 else None

    def __iter__(self) -> Iterator:
        if isinstance(self.pictures, ArrayPictures):
            array = self.pictures.array
            for start in range(0, len(array), self.batch_size):
                yield array[start : start + self.batch_size]
            return
        for element in self._dataset:
            yield element[0] if isinstance(element, tuple) else element


def _sized(pictures, image_size: int):
    """Return picture files at another size; decoded pictures as they are."""
    files = isinstance(pictures, FilePictures)
    if not files or pictures.image_size == image_size:
        return pictures
    return FilePictures(
        pictures.paths, image_size=image_size, on_error=pictures.on_error
    )
