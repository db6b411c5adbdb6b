"""JacobianMatchingLoss: equal gradients with respect to the input (Srinivas, 2018)."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.losses.attention_transfer import attention_map
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.pooling import check_known_size
from tftransfer.losses.pooling import pool_to_smaller
from tftransfer.losses.unit import unit_vectors


@register
class JacobianMatchingLoss(DistillationLoss):
    """Squared distance of normalised gradients with respect to the input.

    loss = sum over pairs of ||J_t / ||J_t|| - J_s / ||J_s||||^2, in [0, 4] per pair. J
    is the gradient of one value: of the scores, that of the teacher's likeliest class;
    of a layer's maps, the attention (mean over channels of A^2) at the place where the
    teacher's is largest. Both nets are asked for the same class and the same place.
    Gradients are taken with respect to each net's own input; of inputs of unequal
    sizes the larger one's gradient is averaged down. A gradient of 0 has no direction:
    it stays 0 and learns nothing here. It is meant beside a term that matches the
    values themselves. Second-order, and TensorFlow only.

    Args:
        pairs: [(student layer, teacher layer), ...]; (None, None), the default, for
            the class scores. See `DistillationLoss`.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's gradients (batch, ...), a list with one per pair.
        y_pred: The student's, likewise.

    Returns:
        The mean over the batch.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ValueError: When a layer's output is neither scores nor a map.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import JacobianMatchingLoss
        >>> gradient = np.array([[3.0, 4.0]])
        >>> round(float(JacobianMatchingLoss()(gradient, 2 * gradient)), 6)
        0.0

    References:
        Srinivas & Fleuret, Knowledge Transfer with Jacobian Matching, ICML 2018,
        arXiv:1803.00443. Czarnecki et al., Sobolev Training for Neural Networks, NIPS
        2017, arXiv:1706.04859.
    """

    needs_gradient = True

    def __init__(self, pairs=((None, None),), *, name="jacobian", **kwargs):
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                "Expected the TensorFlow backend, whose tape gives gradients of "
                f"gradients here. Received: '{keras.backend.backend()}'."
            )
        super().__init__(pairs, name=name, **kwargs)

    def teacher_values(self, features, gradient=None):
        flat = [_flat(feature) for feature in features]
        chosen = [ops.argmax(value, axis=-1) for value in flat]
        jacobians = [
            ops.cast(gradient(_at(v, i)), "float32") for v, i in zip(flat, chosen)
        ]
        shapes = [feature.shape[1:3] for feature in features]
        places = [_fraction(i, shape) for i, shape in zip(chosen, shapes)]
        return {"jacobians": jacobians, "places": places}

    def student_values(self, features, target, gradient=None):
        flat = [_flat(feature) for feature in features]
        shapes = [feature.shape[1:3] for feature in features]
        chosen = [_index(p, shape) for p, shape in zip(target["places"], shapes)]
        return [gradient(_at(v, i)) for v, i in zip(flat, chosen)]

    def call(self, y_true, y_pred):
        if isinstance(y_true, dict):
            y_true = y_true["jacobians"]
        teachers = y_true if isinstance(y_true, list | tuple) else [y_true]
        students = y_pred if isinstance(y_pred, list | tuple) else [y_pred]
        return sum(_distance(t, s) for t, s in zip(teachers, students, strict=True))


def _flat(feature):
    """Return scores (batch, classes), or attention (batch, height * width)."""
    if len(feature.shape) == 2:
        return ops.cast(feature, "float32")
    maps = attention_map(feature)
    check_known_size(maps)
    return ops.reshape(maps, (-1, maps.shape[1] * maps.shape[2]))


def _at(values, index):
    chosen = ops.one_hot(index, values.shape[-1], dtype=values.dtype)
    return ops.sum(values * chosen, axis=-1)


def _fraction(index, shape):
    """Return a class as it is, a place as its (row, column) in [0, 1)."""
    if len(shape) == 1:
        return index
    height, width = shape
    row, column = index // width, index % width
    return ops.stack(
        [
            (ops.cast(row, "float32") + 0.5) / height,
            (ops.cast(column, "float32") + 0.5) / width,
        ],
        axis=-1,
    )


def _index(place, shape):
    """Undo `_fraction` for a map of perhaps another size."""
    if len(shape) == 1:
        return ops.cast(place, "int32")
    height, width = shape
    row = ops.cast(place[:, 0] * height, "int32")
    return row * width + ops.cast(place[:, 1] * width, "int32")


def _distance(teacher, student):
    if len(teacher.shape) == 4 and teacher.shape[1:3] != student.shape[1:3]:
        teacher, student = pool_to_smaller(teacher, student)
    axes = tuple(range(1, len(teacher.shape)))
    if teacher.shape[1:] != student.shape[1:]:
        raise ValueError(
            "Expected gradients with respect to inputs of one shape, or to pictures. "
            f"Received: {tuple(teacher.shape)} and {tuple(student.shape)}."
        )
    gap = unit_vectors(teacher, axes) - unit_vectors(student, axes)
    return ops.sum(ops.square(gap), axis=axes)
