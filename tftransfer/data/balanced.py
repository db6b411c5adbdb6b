"""balanced_batches: P classes with K pictures each in every batch (Hermans, 2017).

Losses that compare the rows of a batch need several rows of a class in it. TensorFlow
only.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_range
from tftransfer.data.source import Source
from tftransfer.data.source import source_of


def balanced_batches(
    dataset: tf.data.Dataset,
    *,
    classes_per_batch: int,
    per_class: int,
    seed: int = 0,
) -> tf.data.Dataset:
    """Return a dataset whose batches hold P classes with K pictures each.

    An epoch has n // (P K) batches, one at least, of n pictures. Classes come in turn,
    those of a batch are different; so do a class' pictures, which repeat within a batch
    only where the class has fewer than K. A class with a single picture has no pair and
    is left out. What an epoch holds is a function of seed and epoch alone.

    Args:
        dataset: Labelled pictures of `from_folder` or `as_dataset`, augmented or not;
            its own batches and order do not count.
        classes_per_batch: P, 2 or more.
        per_class: K, 2 or more.
        seed: Of the choice.

    Returns:
        Dataset of (pictures float32 (P K, height, width, 3), int32 labels (P K,)), the
        rows of a class together.

    Raises:
        TypeError: When the dataset is not of this package.
        ValueError: When it has no labels, or fewer than P classes with two pictures.

    Example:
        >>> from tftransfer.data import as_dataset
        >>> pictures, labels = np.zeros((9, 4, 4, 3), "uint8"), np.arange(9) // 3
        >>> dataset = as_dataset((pictures, labels), image_size=4)
        >>> data = balanced_batches(dataset, classes_per_batch=2, per_class=2)
        >>> [len(set(labels.numpy())) for _, labels in data]
        [2, 2]

    References:
        Hermans, Beyer & Leibe, In Defense of the Triplet Loss for Person
        Re-Identification, 2017, arXiv:1703.07737, section 2.
    """
    check_range("classes_per_batch", classes_per_batch, 2, 100_000)
    check_range("per_class", per_class, 2, 100_000)
    source = source_of(dataset)
    settings = {field: getattr(source, field) for field in _INHERITED}
    settings |= {
        "batch_size": classes_per_batch * per_class,
        "shuffle": True,
        "seed": seed,
        "per_class": per_class,
    }
    return _BalancedSource(**settings).dataset()


_INHERITED = tuple(field.name for field in dataclasses.fields(Source))


@dataclasses.dataclass(frozen=True)
class _BalancedSource(Source):
    """A source of batches of `batch_size // per_class` classes.

    Attributes:
        per_class: Pictures of each class of a batch.
    """

    per_class: int = 2

    def __post_init__(self):
        if self.labels is None:
            raise ValueError(
                "Expected labelled pictures. Received pictures alone: give `(pictures, "
                "labels)`, or a folder with one sub-folder per class."
            )
        wanted, pairable = self.batch_size // self.per_class, len(self._members())
        if pairable < wanted:
            raise ValueError(
                f"Expected {wanted} classes or more with two pictures each, for "
                f"`classes_per_batch={wanted}`. Received: {pairable} of "
                f"{len(np.unique(self.labels))} classes."
            )

    @property
    def steps(self) -> int:
        return max(1, len(self) // self.batch_size)

    def _members(self) -> list[np.ndarray]:
        """Return the indices of each class that has a pair."""
        order = np.argsort(self.labels, kind="stable")
        _, starts = np.unique(self.labels[order], return_index=True)
        return [part for part in np.split(order, starts[1:]) if len(part) > 1]

    def _index_batches(self, epoch, seed):
        chosen = tf.numpy_function(self._chosen, [epoch], tf.int64, stateful=False)
        chosen = tf.ensure_shape(chosen, (self.steps, self.batch_size))
        return tf.data.Dataset.from_tensor_slices(chosen)

    def _chosen(self, epoch) -> np.ndarray:
        rng = np.random.default_rng([self.seed, int(epoch)])
        members = self._members()
        groups = _in_turn(
            np.arange(len(members)), self.batch_size // self.per_class, rng
        )
        pictures = [_in_turn(part, self.per_class, rng) for part in members]
        rows = [
            np.concatenate([next(pictures[label]) for label in next(groups)])
            for _ in range(self.steps)
        ]
        return np.stack(rows).astype("int64")


def _in_turn(pool: np.ndarray, size: int, rng) -> Iterator[np.ndarray]:
    """Yield `size` of the pool without end, all different where it has as many."""
    while True:
        order = np.resize(rng.permutation(pool), max(size, len(pool)))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]
