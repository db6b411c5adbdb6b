"""FlowLoss: how features turn into the next ones, the FSP matrix (Yim, 2017)."""

from keras import ops

from tftransfer.core import register
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.distillation_loss import paired
from tftransfer.losses.pooling import pool_to_smaller


@register
class FlowLoss(DistillationLoss):
    """Mean squared distance of the products of two layers' maps.

    loss = sum over couples of layers of mean((G_t - G_s)^2), where G = F1^T F2 / (h w),
    (channels of F1, channels of F2), is the mean over positions of the products of two
    maps F1 and F2 of one net. `pairs` come in twos: the first and the second make one
    matrix, the third and the fourth the next. Name a pair twice where its layer ends
    one couple and begins another.

    The two maps of a net may differ in size: the larger is averaged down (the paper
    takes maxima). The sizes of the teacher's maps and of the student's need not agree,
    their channels must. The paper sums over a matrix, of which this is the mean,
    weighs all couples alike and matches them in a stage before the labels: for that,
    fit once with `student_loss_weight=0`.

    Args:
        pairs: [(student layer, teacher layer), ...], an even number of them, outputs
            (batch, height, width, channels); see `DistillationLoss`. Needed in a
            `Distiller` only.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's maps (batch, height, width, channels), a list with two per
            matrix; or a list of matrices made by `flow_matrix`.
        y_pred: The student's, likewise.

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When the number of pairs is odd, an input is no map, or the channels
            differ.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import FlowLoss
        >>> teacher = [np.ones((1, 4, 4, 2)), np.ones((1, 2, 2, 3))]
        >>> student = [np.ones((1, 4, 4, 2)), np.zeros((1, 4, 4, 3))]
        >>> float(FlowLoss()(teacher, student))
        1.0

    References:
        Yim et al., A Gift from Knowledge Distillation: Fast Optimization, Network
        Minimization and Transfer Learning, CVPR 2017.
    """

    def __init__(self, pairs=(), *, name="flow", **kwargs):
        super().__init__(pairs or [(None, None)] * 2, name=name, **kwargs)
        if len(self.pairs) % 2:
            raise ValueError(
                "Expected `pairs` of `FlowLoss` in twos, the layers at whose maps a "
                f"flow begins and ends. Received {len(self.pairs)}: {self.pairs}."
            )

    def teacher_values(self, features, gradient=None):
        return _matrices(features)

    def call(self, y_true, y_pred):
        teachers, students = _matrices(y_true), _matrices(y_pred)
        return sum(_distance(t, s) for t, s in paired(teachers, students))


def flow_matrix(first, second):
    """Return the mean over positions of the products of two maps' channels.

    Args:
        first: (batch, height, width, m).
        second: (batch, height, width, n), perhaps of another height and width.

    Returns:
        (batch, m, n), float32.

    Raises:
        ValueError: When one is no map.
    """
    for features in (first, second):
        if len(features.shape) != 4:
            raise ValueError(
                "Expected maps (batch, height, width, channels), two per matrix. "
                f"Received: {tuple(features.shape)}. Name layers below the pooling."
            )
    first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
    first, second = pool_to_smaller(first, second)
    positions = first.shape[1] * first.shape[2]
    first = ops.reshape(first, (-1, positions, first.shape[-1]))
    second = ops.reshape(second, (-1, positions, second.shape[-1]))
    return ops.matmul(ops.transpose(first, (0, 2, 1)), second) / positions


def _matrices(values) -> list:
    """Return the matrices of maps in twos; of matrices themselves as they are."""
    values = list(values) if isinstance(values, list | tuple) else [values]
    if all(len(value.shape) == 3 for value in values):
        return values
    if len(values) % 2:
        raise ValueError(
            "Expected a list of maps, two per matrix. Received: "
            f"{[tuple(value.shape) for value in values]}."
        )
    twos = zip(values[::2], values[1::2], strict=True)
    return [flow_matrix(first, second) for first, second in twos]


def _distance(teacher, student):
    if teacher.shape[1:] != student.shape[1:]:
        raise ValueError(
            "Expected layers of as many channels in the teacher as in the student. "
            f"Received products of {tuple(teacher.shape[1:])} channels of the teacher "
            f"and {tuple(student.shape[1:])} of the student. Choose other layers, or "
            "`AttentionTransferLoss`, which needs no equal channels."
        )
    return ops.mean(ops.square(teacher - student), axis=(1, 2))
