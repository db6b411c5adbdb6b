"""SoftTargetLoss: the teacher's softened probabilities (Hinton, 2015)."""

from keras import ops

from tftransfer.core import register
from tftransfer.losses.distillation_loss import DistillationLoss


@register
class SoftTargetLoss(DistillationLoss):
    """Cross-entropy of softened class probabilities, times temperature squared.

    loss = T^2 * CE(softmax(teacher / T), softmax(student / T)): a sum over the classes
    and a mean over the batch, so that T^2 keeps the gradient's size as T changes. The
    smallest value is T^2 times the teacher's entropy, not 0: as in the paper it is the
    cross-entropy and not the divergence, whose gradient is the same.

    Args:
        temperature: T above 0; 1 leaves the probabilities as they are. Inside a
            `Distiller` it is a variable that a callback may change. Defaults to 4, as
            Zagoruyko & Komodakis use; Hinton's MNIST students were taught at 20.
        pairs: [(None, None)], the scores of both; [(None, (1, None))] takes those of
            the second of several teachers alone.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's logits (batch, num_classes), not probabilities: of those
            give the logarithm, or they are softened twice.
        y_pred: The student's logits (batch, num_classes).

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When the temperature is not above 0, or the numbers of classes
            differ.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import SoftTargetLoss
        >>> teacher, student = np.array([[8.0, -2, -4]]), np.array([[-1.0, -2, -3]])
        >>> round(float(SoftTargetLoss(temperature=1.0)(teacher, student)), 4)
        0.4077

    References:
        Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network, 2015,
        arXiv:1503.02531.
    """

    default_weight = 0.9
    softens_scores = True

    def __init__(
        self,
        temperature: float = 4.0,
        *,
        pairs=((None, None),),
        name="soft_target",
        **kwargs,
    ):
        super().__init__(pairs, name=name, **kwargs)
        check_temperature(temperature)
        self.temperature = temperature

    def call(self, y_true, y_pred):
        check_same_classes(y_true, y_pred)
        temperature = ops.cast(self.temperature, y_pred.dtype)
        teacher = ops.softmax(y_true / temperature, axis=-1)
        student = ops.log_softmax(y_pred / temperature, axis=-1)
        return -ops.square(temperature) * ops.sum(teacher * student, axis=-1)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


def check_temperature(temperature: float) -> None:
    """Raise ValueError unless a temperature is above 0."""
    if not temperature > 0:
        raise ValueError(f"Expected `temperature` above 0. Received: {temperature}.")


def check_same_classes(y_true, y_pred) -> None:
    """Raise ValueError unless both are logits of the same classes."""
    if len(y_pred.shape) != 2 or y_true.shape[-1] != y_pred.shape[-1]:
        raise ValueError(
            "Expected logits (batch, num_classes) of teacher and student for the same "
            f"classes. Received: {tuple(y_true.shape)} and {tuple(y_pred.shape)}."
        )
