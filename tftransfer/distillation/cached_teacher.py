"""cache_teacher: what a teacher says, computed once; an epoch then costs the student.

TensorFlow only.
"""

import dataclasses
import json
import math
import os

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from tftransfer.core import check_one_of
from tftransfer.core import check_range
from tftransfer.core import model_digest
from tftransfer.core import weights_digest
from tftransfer.data import ActivationCache
from tftransfer.data import source_of
from tftransfer.data.rows import rows_in_memory
from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.taught_source import TaughtSource


def cache_teacher(
    distiller: Distiller,
    dataset: tf.data.Dataset,
    *,
    views: int = 1,
    cache: str | os.PathLike | None = None,
    dtype: str = "float32",
) -> tf.data.Dataset:
    """Run the teacher once over a dataset; training on the result leaves it out.

    Kept is what the losses read: logits, attention maps, layers, gradients. Without
    augmentation that is a row per picture, and training is what it is with the teacher
    live. Of augmented pictures each epoch is another view: of these the first `views`
    are kept, and epoch e shows the pictures of epoch e mod `views` again, in another
    order of batches. The first `views` epochs are those of the live teacher. Files are
    decoded in the teacher's size for it, where that is another than the student's.

    Args:
        distiller: The `Distiller`; of its student nothing is used.
        dataset: Of `tft.data.from_folder` or `as_dataset`, augmented or not.
        views: Number of different augmented views, 1 or more; 8 to 16 are a fair
            choice. Ignored where nothing is augmented.
        cache: Folder of a `tft.ActivationCache`, which finds the rows again for the
            same teacher, losses, pictures and views; None keeps them in memory.
        dtype: "float32", or "float16" for half the room.

    Returns:
        The dataset of ({"student": pictures, "teacher_outputs": {...}}, labels), with
        the attributes of `from_folder`'s.

    Raises:
        TypeError: When the dataset's order cannot be repeated.
        MemoryError: When the rows would take more than 4 GiB and there is no `cache`.
        ValueError: When the losses need whole numbers that float16 cannot hold.

    Example:
        >>> import tftransfer as tft
        >>> nets = [tft.Classifier(tft.Backbone("tiny", weights=None), 3)
        ...         for _ in range(2)]
        >>> x = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), "uint8")
        >>> data = tft.data.as_dataset((x, [0, 1, 2] * 2), image_size=32)
        >>> taught = cache_teacher(tft.Distiller(*nets), data)
        >>> inputs, labels = next(iter(taught))
        >>> inputs["teacher_outputs"]["soft_target"].shape
        TensorShape([6, 3])
    """
    check_one_of("dtype", dtype, ["float32", "float16"])
    check_range("views", views, 1, 10_000)
    source = source_of(dataset)
    views = None if source.augmentation is None else views
    seen = _as_seen(source, distiller)
    outputs = _Outputs(distiller, seen, dtype)
    pieces = (outputs.pack(x) for x in _stream(seen, views))
    expected = len(source) * (views or 1)
    if cache is None:
        rows = rows_in_memory(pieces, expected, dtype)
    else:
        key = outputs.key() | {"views": views}
        rows = ActivationCache(cache).get(key, lambda: pieces)
    if len(rows) != expected:
        raise ValueError(
            f"Expected {len(source)} readable pictures. Received fewer; they are named "
            "in the warnings. Read the folder again with `verify=True`."
        )
    fields = {f.name: getattr(source, f.name) for f in dataclasses.fields(source)}
    taught = TaughtSource(**fields, rows=rows, views=views, unpack=outputs.unpack)
    return taught.dataset()


def _as_seen(source, distiller):
    """Return the source of the pictures in the teachers' size, where there is one.

    Pictures in the student's size would be enlarged for a teacher of a larger one,
    which then sees less than there is. The same seeds make the same views of both.
    """
    sides = distiller.teacher_sizes()
    own = sides == {source.image_size} or len(sides) != 1 or None in sides
    if own or not hasattr(source.pictures, "at_size"):
        return source
    return source.at_size(*sides, same_region=True)


def _stream(source, views: int | None):
    """Yield batches of pictures in the order of the rows."""
    if views is None:
        yield from source.replace(shuffle=False, labels=None).dataset()
        return
    for element in source.epochs(0, views):
        yield element[0] if isinstance(element, tuple) else element


class _Outputs:
    """The teacher's outputs as rows of one array, and back.

    Args:
        distiller: Whose teacher.
        source: Of the pictures.
        dtype: Of the rows.
    """

    def __init__(self, distiller, source, dtype: str):
        self.distiller, self.source, self.dtype = distiller, source, dtype
        signature = tf.TensorSpec((None, *source.pictures.shape), tf.float32)
        # As in the training step: no XLA, no folded constants, which would change bits.
        self._compute = tf.function(distiller.teacher_outputs).get_concrete_function(
            signature
        )
        spec = self._compute.structured_outputs
        self._leaves = tree.flatten(spec)
        self._structure = tree.map_structure(lambda _: 0, spec)
        self._sizes = [math.prod(leaf.shape[1:]) for leaf in self._leaves]
        if dtype == "float16" and any(leaf.dtype.is_integer for leaf in self._leaves):
            raise ValueError(
                "Expected losses that read no whole numbers, which float16 rounds from "
                "2,048 on. Received a Jacobian of the class scores: use "
                "dtype='float32'."
            )

    def pack(self, pictures) -> np.ndarray:
        """Run the teacher; returns (batch, all its outputs)."""
        leaves = tree.flatten(self._compute(pictures))
        flat = [np.reshape(leaf, (len(leaf), -1)) for leaf in leaves]
        return np.concatenate(flat, axis=1).astype(self.dtype)

    def unpack(self, rows: tf.Tensor):
        """Undo `pack`, within a graph."""
        parts = [
            tf.cast(tf.reshape(part, (-1, *leaf.shape[1:])), leaf.dtype)
            for part, leaf in zip(tf.split(rows, self._sizes, axis=1), self._leaves)
        ]
        return tree.pack_sequence_as(self._structure, parts)

    def _preprocessing(self) -> list:
        each = self.distiller.teacher_preprocessing
        each = each if isinstance(each, list | tuple) else [each]
        return [layer for layer in each if layer is not None]

    def key(self) -> dict:
        """Return what the rows depend on, but for the number of views."""
        distiller, source = self.distiller, self.source
        serialize = keras.saving.serialize_keras_object
        found = {
            "kind": "teacher outputs",
            "teachers": [model_digest(teacher) for teacher in distiller.teachers],
            "teacher_output": distiller.teacher_output,
            "preprocessing": serialize(distiller.teacher_preprocessing),
            "losses": [serialize(loss) for loss in distiller.distillation_losses],
            "data": source.pictures.fingerprint(),
            "dtype": self.dtype,
        }
        # A config does not tell what `adapt` found.
        adapted = [layer for layer in self._preprocessing() if layer.variables]
        if adapted:
            found["preprocessing weights"] = [weights_digest(x) for x in adapted]
        if source.augmentation is not None:
            found["augmentation"] = source.augmentation.describe()
            found["batches"] = [source.batch_size, source.shuffle, source.seed]
        return json.loads(json.dumps(found, default=str))
