"""Source: how labelled pictures become batches, so that it can be repeated.

The order of every epoch is a function of seed and epoch number alone. The same epochs
can therefore be read again after a restart, on other values (cached activations in
place of pictures), or on a part of the data.
"""

import dataclasses
import itertools
import math

import numpy as np
import tensorflow as tf

from tftransfer.data.augment import Augmentation


@dataclasses.dataclass(frozen=True)
class Source:
    """Pictures, labels and how they are batched.

    Attributes:
        pictures: Object with `fetch(indices)`, as in `tftransfer.data.pictures`.
        labels: (n,) int32, or None.
        class_names: Names in label order, or None.
        image_size: Side of the pictures in pixels, or None where they are no squares.
        batch_size: Pictures per batch.
        shuffle: Whether each epoch has an order of its own.
        seed: Of order and augmentation.
        augmentation: Applied to every batch, or None.
    """

    pictures: object
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    image_size: int | None
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    augmentation: Augmentation | None = None

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.pictures)

    @property
    def steps(self) -> int:
        """Batches per epoch; the last one may be smaller."""
        return math.ceil(len(self) / self.batch_size)

    def dataset(self) -> tf.data.Dataset:
        """Return one epoch as a dataset; when shuffled, each reading is another one.

        Its elements are pictures (batch, height, width, 3) float32, alone or with
        labels; it carries `source`, `paths`, `labels`, `class_names`, `image_size`.
        """
        if self.shuffle or self.augmentation is not None:
            # One number a reading; it stands in for the epoch's number.
            epoch = tf.data.Dataset.random(self.seed, rerandomize_each_iteration=True)
            epoch = epoch.take(1)
        else:
            epoch = tf.data.Dataset.range(1)
        data = self._described(self._batches(epoch, self.steps))
        data.part = lambda of, which: self._parts(_counted(), self.steps, of, which)
        return data

    def epochs(self, start: int, stop: int) -> tf.data.Dataset:
        """Return epochs `start` to `stop - 1`, one after the other, as one dataset."""
        numbers, steps = tf.data.Dataset.range(start, stop), self.steps * (stop - start)
        data = self._described(self._batches(numbers, steps))
        data.part = lambda of, which: self._parts(numbers, steps, of, which)
        return data

    def subset(self, indices) -> "Source":
        """Return the source of the pictures at `indices`."""
        indices = np.asarray(indices)
        labels = None if self.labels is None else self.labels[indices]
        pictures = self.pictures.subset(indices)
        return dataclasses.replace(self, pictures=pictures, labels=labels)

    def at_size(self, image_size: int, *, same_region: bool = False) -> "Source":
        """Return the source of the same pictures at another size.

        Files are decoded anew, so that a larger size shows more than it would enlarged.

        Args:
            image_size: Side in pixels.
            same_region: Whether they show the part of each picture that they show now;
                else the part that is shown at `image_size`: small pictures are cropped
                less at larger sizes.

        Raises:
            TypeError: When the pictures come in one size alone.
        """
        if image_size == self.image_size:
            return self
        if not hasattr(self.pictures, "at_size"):
            raise TypeError(
                "Expected pictures of files or of an array of larger ones. Received: "
                f"{type(self.pictures).__name__} of {self.image_size}x{self.image_size}"
                " pixels."
            )
        region = self.image_size if same_region else None
        pictures = self.pictures.at_size(image_size, region)
        return self.replace(pictures=pictures, image_size=image_size)

    def replace(self, **changes) -> "Source":
        """Return a copy with other attributes."""
        return dataclasses.replace(self, **changes)

    def _parts(self, epochs, steps: int, of: int, which: range) -> tf.data.Dataset:
        """Return parts `which` of `of` of every batch: what one worker reads.

        Augmentation draws for each part alone, so that a run with several workers is
        another one than with a single worker, of the same kind.
        """

        def parts(seed, chosen):
            rows = tf.size(chosen)
            pieces = [chosen[rows * i // of : rows * (i + 1) // of] for i in which]
            seeds = [tf.random.experimental.stateless_fold_in(seed, i) for i in which]
            ragged = tf.RaggedTensor.from_row_lengths(
                tf.concat(pieces, axis=0), [tf.size(piece) for piece in pieces]
            )
            each = tf.data.Dataset.from_tensor_slices((tf.stack(seeds), ragged))
            return each.map(lambda seed, piece: (seed, piece))

        order = epochs.flat_map(self._order).flat_map(parts)
        return self._loaded(order, steps * len(which), self._augmented_part)

    def _batches(self, epochs: tf.data.Dataset, steps: int) -> tf.data.Dataset:
        return self._loaded(epochs.flat_map(self._order), steps, self.augmentation)

    def _loaded(self, order: tf.data.Dataset, steps: int, augment) -> tf.data.Dataset:
        data = order.map(self._load, num_parallel_calls=2, deterministic=True)
        if self.augmentation is not None:
            data = data.map(
                augment, num_parallel_calls=tf.data.AUTOTUNE
            )  # deterministic: the seed travels with the batch
        elif self.labels is not None:
            data = data.map(lambda seed, x, y: (x, y))
        else:
            data = data.map(lambda seed, x: x)
        data = data.apply(tf.data.experimental.assert_cardinality(steps))
        return data.prefetch(2)

    def _augmented_part(self, seed: tf.Tensor, *values):
        """Augment a part that may have no rows, which Keras' layers refuse."""
        rows = tf.shape(values[0])[0]

        def padded(value):
            missing = [[0, tf.maximum(0, 1 - rows)], *[[0, 0]] * (value.shape.rank - 1)]
            return tf.pad(value, missing)

        found = self.augmentation(seed, *map(padded, values))
        return tf.nest.map_structure(lambda value: value[:rows], found)

    def _order(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """Return (seed, indices) of every batch of an epoch."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), epoch])
        return (
            self._index_batches(epoch, seed)
            .enumerate()
            .map(
                lambda step, chosen: (
                    tf.random.experimental.stateless_fold_in(seed, step),
                    chosen,
                )
            )
        )

    def _index_batches(self, epoch: tf.Tensor, seed: tf.Tensor) -> tf.data.Dataset:
        """Return the indices of every batch of an epoch."""
        indices = tf.range(len(self), dtype=tf.int64)
        if self.shuffle:
            indices = tf.random.experimental.stateless_shuffle(indices, seed)
        return tf.data.Dataset.from_tensor_slices(indices).batch(self.batch_size)

    def _load(self, seed: tf.Tensor, indices: tf.Tensor) -> tuple:
        outputs = [tf.as_dtype(self.pictures.dtype)]
        if self.labels is not None:
            outputs.append(tf.int32)
        values = tf.numpy_function(self._fetch, [indices], outputs, stateful=False)
        values[0].set_shape((None, *self.pictures.shape))
        values[0] = tf.cast(values[0], tf.float32)
        if self.labels is not None:
            values[1].set_shape((None,))
        return (seed, *values)

    def _fetch(self, indices: np.ndarray) -> list[np.ndarray]:
        return self._fetched(indices)[1:]

    def _fetched(self, indices: np.ndarray) -> list[np.ndarray]:
        """Return the mask of the readable ones, their pictures, and their labels."""
        if len(indices):
            values, fine = self.pictures.fetch(indices)
        else:  # a worker's part of a last batch
            values = np.zeros((0, *self.pictures.shape), self.pictures.dtype)
            fine = np.zeros(0, bool)
        if not fine.any() and len(fine):
            # An empty batch would make batch normalization's averages NaN.
            raise ValueError(
                f"Expected readable pictures. Received: a batch of {len(fine)} without "
                "one; the warnings name them. Read the folder again with `verify=True`."
            )
        if not fine.all():
            values, indices = values[fine], indices[fine]
        if self.labels is None:
            return [fine, values]
        return [fine, values, self.labels[indices]]

    def _described(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        dataset.source = self
        dataset.paths = self.pictures.paths
        dataset.labels = self.labels
        dataset.class_names = self.class_names
        dataset.image_size = self.image_size
        return dataset


def _counted() -> tf.data.Dataset:
    """Return a dataset of one number: how often it was read before.

    Unlike a random number it is the same on all workers, whatever their seeds.
    """
    readings = itertools.count()
    return tf.data.Dataset.range(1).map(
        lambda _: tf.ensure_shape(
            tf.numpy_function(lambda: np.int64(next(readings)), [], tf.int64), ()
        )
    )


def source_of(dataset) -> Source:
    """Return the source of a dataset that this package made.

    Raises:
        TypeError: When the dataset is another one, or was mapped since: its order
            cannot be repeated.
    """
    source = getattr(dataset, "source", None)
    if not isinstance(source, Source):
        raise TypeError(
            "Expected a dataset of `tft.data.from_folder` or `tft.data.as_dataset`. "
            f"Received: {type(dataset).__name__} of unknown origin; give the arrays or "
            "the folder instead, and no `.map` or `.shuffle` behind."
        )
    return source
