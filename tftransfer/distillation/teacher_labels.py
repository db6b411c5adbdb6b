"""Pictures without labels get the teacher's answers, to measure the student against.

TensorFlow only.
"""

import numpy as np
import tensorflow as tf
from keras import ops

from tftransfer.distillation.distiller import Distiller

_BATCH = 32


def has_labels(dataset: tf.data.Dataset) -> bool:
    """Say whether the batches are pairs (pictures, labels)."""
    return isinstance(dataset.element_spec, tuple)


def answered(distiller: Distiller, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the dataset with the teacher's likeliest class as each picture's label.

    It is that of the picture as it is, also where the dataset augments.

    Args:
        distiller: Whose teachers are asked; of several the probabilities are averaged.
        dataset: Batches of pictures, whose labels, if any, are left aside.
    """
    return _labelled(distiller.teacher_answers, dataset)


def labelled_by(teacher, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the same of one classifier, which takes the pictures as they are."""
    return _labelled(lambda x: _likeliest(teacher.deployed(x, training=False)), dataset)


def _labelled(answer, dataset: tf.data.Dataset) -> tf.data.Dataset:
    answer = tf.function(answer, reduce_retracing=True)
    source = getattr(dataset, "source", None)
    if source is None:
        return dataset.map(lambda x, *_: (x, answer(x)))
    labels = np.zeros(len(source), "int32")
    for start in range(0, len(source), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(source)))
        pictures, fine = source.pictures.fetch(rows)
        if fine.any():  # the others are left out of training as well
            labels[rows[fine]] = answer(tf.cast(pictures[fine], tf.float32))
    return source.replace(labels=labels).dataset()


def _likeliest(scores):
    return ops.cast(ops.argmax(scores, axis=-1), "int32")
