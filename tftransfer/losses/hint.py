"""HintLoss: features of the student pulled to the teacher's (FitNets, Romero, 2015)."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.distillation_loss import paired
from tftransfer.losses.pooling import pool_to_smaller


@register
class HintLoss(DistillationLoss):
    """Mean squared distance of features, through a learned regressor where needed.

    loss = sum over pairs of mean((t - r(s))^2), a mean over the elements of a row. r is
    a linear 1x1 convolution (of vectors a dense layer) to the teacher's width, which
    `Distiller` trains and saves beside the student; where the widths agree it is left
    out. Of maps of unequal sizes the larger is averaged down to the smaller.

    The paper writes 1/2 ||t - r(s)||^2, a sum, whose size grows with the map: here it
    is divided by half the number of elements, as in Tian et al.'s comparison, whose
    factor of 100 is the default weight. The paper's regressor is a larger convolution
    that also changes the map's size, and it trains hints in a stage of their own before
    the labels: for that, fit once with `student_loss_weight=0`.

    Args:
        pairs: [(student layer, teacher layer), ...], outputs (batch, height, width,
            channels) or (batch, features); see `DistillationLoss`. The default compares
            the logits.
        always_regress: Whether there is a regressor between equal widths, too.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's features, (batch, height, width, channels) or (batch,
            features); a list with one per pair.
        y_pred: The student's, of the same width, likewise.

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When features are neither maps nor vectors, one of each, or, without
            a `Distiller`, of unequal widths.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import HintLoss
        >>> float(HintLoss()(np.zeros((2, 3)), np.array([[0, 0, 3], [0, 0, 0]])))
        1.5

    References:
        Romero et al., FitNets: Hints for Thin Deep Nets, ICLR 2015, arXiv:1412.6550.
        Tian et al., Contrastive Representation Distillation, ICLR 2020,
        arXiv:1910.10699.
    """

    default_weight = 100.0

    def __init__(
        self,
        pairs=((None, None),),
        *,
        always_regress: bool = False,
        name="hint",
        **kwargs,
    ):
        super().__init__(pairs, name=name, **kwargs)
        self.always_regress = always_regress

    def student_adapters(self, student_shapes, teacher_shapes):
        return [
            self._regressor(student, teacher)
            for student, teacher in zip(student_shapes, teacher_shapes, strict=True)
        ]

    def _regressor(self, student, teacher):
        if student is None or teacher is None:
            return None
        _check_ranks(teacher, student)
        if student[-1] == teacher[-1] and not self.always_regress:
            return None
        if len(teacher) == 2:
            return keras.layers.Dense(teacher[-1])
        return keras.layers.Conv2D(teacher[-1], 1, data_format="channels_last")

    def call(self, y_true, y_pred):
        return sum(_distance(t, s) for t, s in paired(y_true, y_pred))

    def get_config(self):
        return {**super().get_config(), "always_regress": self.always_regress}


def _distance(teacher, student):
    _check_ranks(teacher.shape, student.shape)
    if teacher.shape[-1] != student.shape[-1]:
        raise ValueError(
            "Expected features of equal width. Received: "
            f"{tuple(teacher.shape)} of the teacher and {tuple(student.shape)} of the "
            "student. A `tft.Distiller` puts a learned regressor between them; called "
            "alone, `HintLoss` needs a layer of your own on the student's features."
        )
    if len(teacher.shape) == 4:
        teacher, student = pool_to_smaller(teacher, student)
    axes = tuple(range(1, len(teacher.shape)))
    return ops.mean(ops.square(teacher - student), axis=axes)


def _check_ranks(teacher, student) -> None:
    if len(teacher) != len(student) or len(teacher) not in (2, 4):
        raise ValueError(
            "Expected maps (batch, height, width, channels) or vectors (batch, "
            f"features), the same of both nets. Received: {tuple(teacher)} of the "
            f"teacher and {tuple(student)} of the student."
        )
