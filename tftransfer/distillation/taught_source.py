"""TaughtSource: pictures, labels and what a teacher made of them, batch by batch.

TensorFlow only.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tftransfer.data import Source


@dataclasses.dataclass(frozen=True)
class TaughtSource(Source):
    """A `Source` whose batches carry rows of an array beside the pictures.

    Attributes:
        rows: (views * n, d): per picture one row a view. Those of unaugmented pictures
            are in the pictures' order, those of view v in the order of epoch v.
        views: Epochs that the rows were computed from; epoch e repeats the pictures of
            epoch e mod views, in the same batches. None: unaugmented, any order.
        unpack: Maps rows (batch, d) to the structure that batches carry.
    """

    rows: np.ndarray | None = None
    views: int | None = None
    unpack: object = None

    def _order(self, epoch: tf.Tensor) -> tf.data.Dataset:
        """Return (seed, codes) of every batch; a code is row * n + picture."""
        count = tf.constant(len(self), tf.int64)
        if self.views is None:
            ordered = super()._order(epoch)
            return ordered.map(lambda seed, chosen: (seed, chosen * count + chosen))
        view = epoch % self.views
        seed = tf.stack([tf.constant(self.seed, tf.int64), view])
        pictures = tf.range(count)
        if self.shuffle:
            pictures = tf.random.experimental.stateless_shuffle(pictures, seed)
        codes = (view * count + tf.range(count)) * count + pictures
        steps = tf.range(self.steps, dtype=tf.int64)
        if self.shuffle:  # the same batches, after the first time in another order
            again = tf.stack([tf.constant(self.seed + 1, tf.int64), epoch])
            mixed = tf.random.experimental.stateless_shuffle(steps, again)
            steps = tf.where(epoch < self.views, steps, mixed)

        def batch(step):
            chosen = codes[step * self.batch_size : (step + 1) * self.batch_size]
            return tf.random.experimental.stateless_fold_in(seed, step), chosen

        return tf.data.Dataset.from_tensor_slices(steps).map(batch)

    def _load(self, seed: tf.Tensor, codes: tf.Tensor) -> tuple:
        outputs = [tf.float32, tf.as_dtype(self.pictures.dtype)]
        if self.labels is not None:
            outputs.append(tf.int32)
        rows, *values = tf.numpy_function(self._fetch, [codes], outputs, stateful=False)
        rows.set_shape((None, self.rows.shape[1]))
        values[0].set_shape((None, *self.pictures.shape))
        values[0] = tf.cast(values[0], tf.float32)
        if self.labels is not None:
            values[1].set_shape((None,))
        return (seed, rows, *values)

    def _fetch(self, codes: np.ndarray) -> list[np.ndarray]:
        pictures, rows = codes % len(self), codes // len(self)
        fine, *values = self._fetched(pictures)
        return [self.rows[rows[fine]].astype("float32"), *values]

    def _loaded(self, order: tf.data.Dataset, steps: int, augment) -> tf.data.Dataset:
        def element(seed, rows, *values):
            if self.augmentation is not None:
                values = augment(seed, *values)
                values = values if isinstance(values, tuple) else (values,)
            x = {"student": values[0], "teacher_outputs": self.unpack(rows)}
            return (x, *values[1:]) if len(values) > 1 else x

        data = order.map(self._load, num_parallel_calls=2, deterministic=True)
        data = data.map(element, num_parallel_calls=tf.data.AUTOTUNE)
        data = data.apply(tf.data.experimental.assert_cardinality(steps))
        return data.prefetch(2)
