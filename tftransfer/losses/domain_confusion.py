"""Losses of a domain classifier, and of the features that should confuse it."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.losses.kernels import mean_or_zero


@register
class DomainLoss(keras.losses.Loss):
    """Cross-entropy of a domain classifier; each domain counts half.

    loss = (mean over source rows of -log(1 - p) + mean over target rows of -log p) / 2,
    with p = sigmoid(logit), the probability of "target". So a batch of 32 source and 8
    target rows does not teach it to answer "source".

    Args:
        name: Name of the loss.
        reduction: As in every Keras loss.

    Call arguments:
        y_true: The logits of the source rows, (n, 1) or (n,).
        y_pred: The logits of the target rows, (m, 1) or (m,).
        sample_weight: None, or the pair of weights ((n,), (m,)) of the rows, of mean 1.

    Returns:
        A scalar, float32.

    Example:
        >>> from tftransfer.losses import DomainLoss
        >>> round(float(DomainLoss()([[0.0]], [[0.0], [0.0]])), 4)
        0.6931

    References:
        Ganin & Lempitsky, ICML 2015, arXiv:1409.7495.
    """

    def __init__(self, *, name="domain", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        # Losses of Keras, so that `tf.distribute` scales each by its own rows.
        self._half = _Half(name=name, reduction=reduction)

    def __call__(self, y_true, y_pred, sample_weight=None):
        weights = (None, None) if sample_weight is None else sample_weight
        source = self._half(-_flat(y_true), -_flat(y_true), weights[0])
        target = self._half(_flat(y_pred), _flat(y_pred), weights[1])
        return (source + target) / 2


@register
class ConfusionLoss(keras.losses.Loss):
    """Cross-entropy between a domain classifier's answer and "I cannot tell".

    loss = mean over rows of -(log p + log(1 - p)) / 2, p = sigmoid(logit): log 2, the
    least, where p is 1/2. Each domain counts half, as in `DomainLoss`.

    Args:
        name: Name of the loss.
        reduction: As in every Keras loss.

    Call arguments:
        y_true: The logits of the source rows, (n, 1) or (n,).
        y_pred: The logits of the target rows, (m, 1) or (m,).

    Returns:
        A scalar, float32, log 2 or more.

    Example:
        >>> from tftransfer.losses import ConfusionLoss
        >>> round(float(ConfusionLoss()([[0.0]], [[0.0]])), 4)
        0.6931

    References:
        Tzeng et al., Simultaneous Deep Transfer Across Domains and Tasks, ICCV 2015,
        arXiv:1510.02192.
    """

    def __init__(self, *, name="confusion", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        self._half = _Half(name=name, reduction=reduction)

    def __call__(self, y_true, y_pred, sample_weight=None):
        each = [
            self._half(sign * logits, sign * logits)
            for logits in (_flat(y_true), _flat(y_pred))
            for sign in (1, -1)
        ]
        return sum(each) / 4


class _Half(keras.losses.Loss):
    """-log sigmoid(y_pred) per row."""

    def call(self, y_true, y_pred):
        return ops.softplus(-y_pred)


def domain_accuracy(source_logits, target_logits):
    """Return the share of rows whose domain is told, each domain counting half.

    Args:
        source_logits: (n, 1) or (n,); negative means "source".
        target_logits: (m, 1) or (m,).

    Returns:
        A scalar in [0, 1]; 1/2 where the domains cannot be told apart. Where there are
        no rows of one domain, as on a replica, that of the other.
    """
    told = _flat(source_logits) < 0, _flat(target_logits) > 0
    shares = [mean_or_zero(ops.cast(right, "float32")) for right in told]
    present = sum(ops.cast(ops.size(right) > 0, "float32") for right in told)
    return sum(shares) / ops.maximum(present, 1)


def _flat(logits):
    return ops.reshape(ops.cast(logits, "float32"), (-1,))
