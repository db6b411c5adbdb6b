"""Pictures without labels get the teacher's answers, to measure the student against.

TensorFlow only.
"""

import numpy as np
import tensorflow as tf
from keras import ops

from tftransfer.distillation.distiller import Distiller
from tftransfer.distillation.scores import as_logits
from tftransfer.distillation.scores import kind_of_outputs

_BATCH = 32


def has_labels(dataset: tf.data.Dataset) -> bool:
    """Say whether the batches are pairs (pictures, labels)."""
    return isinstance(dataset.element_spec, tuple)


def answered(distiller: Distiller, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Return the dataset with the teacher's likeliest class as each picture's label.

    It is that of the picture as it is, also where the dataset augments.

    Args:
        distiller: Whose teachers are asked; of several the probabilities are averaged.
        dataset: Batches of pictures alone.
    """
    answer = tf.function(lambda x: _answers(distiller, x), reduce_retracing=True)
    source = getattr(dataset, "source", None)
    if source is None:
        return dataset.map(lambda x: (x, answer(x)))
    labels = np.zeros(len(source), "int32")
    for start in range(0, len(source), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(source)))
        pictures, fine = source.pictures.fetch(rows)
        if fine.any():  # the others are left out of training as well
            labels[rows[fine]] = answer(tf.cast(pictures[fine], tf.float32))
    return source.replace(labels=labels).dataset()


def _answers(distiller: Distiller, x):
    total = 0
    shares = zip(distiller._teacher_nets, distiller._shares, strict=True)
    for net, share in shares:
        kind = net.kind or kind_of_outputs(
            net.model, distiller.teacher_output, "teacher"
        )
        logits = as_logits(net.model(net.prepared(x), training=False), kind)
        total = total + share * ops.softmax(logits)
    return ops.cast(ops.argmax(total, axis=-1), "int32")
