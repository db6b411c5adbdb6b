"""DecoupledKDLoss: the label's class and the others apart (DKD, Zhao, 2022)."""

from keras import ops

from tftransfer.core import register
from tftransfer.losses.distillation_loss import DistillationLoss
from tftransfer.losses.soft_target import check_same_classes
from tftransfer.losses.soft_target import check_temperature

# Far below any logit, and finite: a difference of two is no NaN.
_NEVER = -1e30


@register
class DecoupledKDLoss(DistillationLoss):
    """Divergence for the label's class, and among the others, with factors apart.

    loss = T^2 * (a * KL(b_t || b_s) + c * KL(q_t || q_s)), with T the `temperature`, a
    the `target_weight` and c the `non_target_weight`. b is (p_y, 1 - p_y), the softened
    probability of the label's class y and of all others together; q is the softmax
    over the others alone. The usual divergence is KL(b_t || b_s) + (1 - p_y of the
    teacher) * KL(q_t || q_s): where the teacher is sure, it says little of the others.

    In a `Distiller` y is the label of `fit`; where there is none, and where the loss is
    called on the teacher's logits alone, y is the teacher's likeliest class. The
    authors raise the weight from 0 in the first 20 epochs on CIFAR-100: see
    `tft.callbacks.Ramp`.

    Args:
        temperature: T above 0. Inside a `Distiller` it is a variable that a callback
            may change. Defaults to 4, the authors' for CIFAR-100 (1 for ImageNet).
        target_weight: a, 0 or more. Defaults to 1, the authors'.
        non_target_weight: c, 0 or more. Defaults to 8, the authors' for most pairs of
            nets on CIFAR-100 (0.5 for ImageNet).
        pairs: As in `SoftTargetLoss`.
        name: Name of the loss and of its term.
        **kwargs: `reduction`.

    Call arguments:
        y_true: The teacher's logits (batch, num_classes), or {"teacher": these,
            "labels": integers (batch,) or (batch, 1), or one row per label (batch,
            num_classes), whose largest element counts}.
        y_pred: The student's logits (batch, num_classes).

    Returns:
        The mean over the batch.

    Raises:
        ValueError: When the temperature is not above 0, a weight is negative, there are
            fewer than two classes, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import DecoupledKDLoss
        >>> teacher, student = np.array([[8.0, -2, -4]]), np.array([[-1.0, -2, -3]])
        >>> loss = DecoupledKDLoss(1.0, target_weight=0.0, non_target_weight=1.0)
        >>> y_true = {"teacher": teacher, "labels": np.array([0])}
        >>> round(float(loss(y_true, student)), 4)
        0.0671

    References:
        Zhao et al., Decoupled Knowledge Distillation, CVPR 2022, arXiv:2203.08679.
    """

    needs_labels = True
    softens_scores = True

    def __init__(
        self,
        temperature: float = 4.0,
        *,
        target_weight: float = 1.0,
        non_target_weight: float = 8.0,
        pairs=((None, None),),
        name="decoupled_kd",
        **kwargs,
    ):
        super().__init__(pairs, name=name, **kwargs)
        check_temperature(temperature)
        if min(target_weight, non_target_weight) < 0:
            raise ValueError(
                "Expected `target_weight` and `non_target_weight` of 0 or more. "
                f"Received: {target_weight} and {non_target_weight}."
            )
        self.temperature = temperature
        self.target_weight = target_weight
        self.non_target_weight = non_target_weight

    def call(self, y_true, y_pred):
        teacher, labels = y_true, None
        if isinstance(y_true, dict):
            teacher, labels = y_true["teacher"], y_true.get("labels")
        check_same_classes(teacher, y_pred)
        if y_pred.shape[-1] < 2:
            raise ValueError(
                "Expected logits of two classes or more. Received: "
                f"{tuple(y_pred.shape)}."
            )
        chosen = _one_hot(teacher if labels is None else labels, y_pred.shape[-1])
        temperature = ops.cast(self.temperature, y_pred.dtype)
        b_t, q_t = _parts(teacher / temperature, chosen)
        b_s, q_s = _parts(y_pred / temperature, chosen)
        both = self.target_weight * _divergence(b_t, b_s)
        both = both + self.non_target_weight * _divergence(q_t, q_s)
        return ops.square(temperature) * both

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "target_weight": self.target_weight,
            "non_target_weight": self.non_target_weight,
        }


def _one_hot(labels, num_classes: int):
    """Return booleans (batch, num_classes) of integers or of one row per label."""
    if len(labels.shape) == 2 and labels.shape[-1] == num_classes:
        labels = ops.argmax(labels, axis=-1)
    elif len(labels.shape) > 2 or (len(labels.shape) == 2 and labels.shape[-1] != 1):
        raise ValueError(
            f"Expected labels (batch,), (batch, 1) or (batch, {num_classes}). "
            f"Received: {tuple(labels.shape)}."
        )
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    return ops.one_hot(labels, num_classes, dtype="bool")


def _parts(logits, chosen) -> tuple:
    """Return log b (batch, 2) and log q (batch, num_classes), 0 at the label's class.

    All from differences of logarithms, which stay finite where a probability is 0.
    """
    everything = ops.logsumexp(logits, axis=-1, keepdims=True)
    others = ops.logsumexp(ops.where(chosen, _NEVER, logits), axis=-1, keepdims=True)
    own = ops.sum(ops.where(chosen, logits, 0.0), axis=-1, keepdims=True)
    binary = ops.concatenate([own, others], axis=-1) - everything
    return binary, ops.where(chosen, 0.0, logits - others)


def _divergence(teacher, student):
    """Return KL of log-probabilities; places that are 0 in both count nothing."""
    return ops.sum(ops.exp(teacher) * (teacher - student), axis=-1)
