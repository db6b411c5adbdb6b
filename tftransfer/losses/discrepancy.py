"""Discrepancies of two samples: MMD, joint MMD and CORAL, as losses of Keras."""

import keras
from keras import ops

from tftransfer.core import check_one_of
from tftransfer.core import register
from tftransfer.losses.covariances import covariance_distance
from tftransfer.losses.kernels import kernel_values
from tftransfer.losses.kernels import linear_time
from tftransfer.losses.kernels import mean_of_pairs
from tftransfer.losses.kernels import mean_or_zero
from tftransfer.losses.kernels import squared_distances

DAN_MULTIPLIERS = (0.25, 0.5, 1.0, 2.0, 4.0)
_ESTIMATORS = ("biased", "unbiased", "linear")
_JAN_SCORES = 2 * 0.92**2  # the authors' sigma of the softmax layer, as a bandwidth


class _TwoSamples(keras.losses.Loss):
    """A loss of two samples that need not have as many rows: one value per call."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError(
                f"Expected `{type(self).__name__}` to be called without "
                "`sample_weight`: it compares samples, not rows. Received one."
            )
        return super().__call__(y_true, y_pred)


@register
class MMDLoss(_TwoSamples):
    """Squared maximum mean discrepancy with a sum of Gaussian kernels.

    MMD^2 = E k(x, x') + E k(z, z') - 2 E k(x, z), with k(x, z) = sum over `multipliers`
    of exp(-||x - z||^2 / (multiplier * bandwidth)).

    Args:
        estimator: "biased": the mean over all pairs, a row with itself included; never
            below 0. "unbiased": without those; may be below 0. "linear": over disjoint
            quadruples (rows 2 i and 2 i + 1 of both, as many as the smaller sample
            has), unbiased, in linear time, with more variance.
        bandwidth: A squared distance above 0; or "mean", the mean squared distance
            between two different rows of both samples together. No gradient flows
            through it.
        multipliers: Above 0; the default is DAN's.
        name: Name of the loss.
        reduction: As in every Keras loss.

    Call arguments:
        y_true: Source features (n, ...), flattened per row.
        y_pred: Target features (m, ...).

    Returns:
        A scalar, float32.

    Raises:
        ValueError: When an argument is none of these, or a `sample_weight` comes.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import MMDLoss
        >>> near, far = np.zeros((4, 2)), np.ones((3, 2))
        >>> float(MMDLoss()(near, near)) < float(MMDLoss()(near, far))
        True

    References:
        Gretton et al., A Kernel Two-Sample Test, JMLR 13, 2012. Long et al., Learning
        Transferable Features with Deep Adaptation Networks, ICML 2015,
        arXiv:1502.02791.
    """

    def __init__(
        self,
        *,
        estimator: str = "biased",
        bandwidth: float | str = "mean",
        multipliers=DAN_MULTIPLIERS,
        name: str = "mmd",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_one_of("estimator", estimator, _ESTIMATORS)
        self.estimator = estimator
        self.bandwidth = _checked_bandwidth(bandwidth)
        self.multipliers = _checked_multipliers(multipliers)

    def call(self, y_true, y_pred):
        kernel = [(y_true, y_pred, self.bandwidth, self.multipliers)]
        return _mmd(kernel, self.estimator)

    def get_config(self):
        return {
            **super().get_config(),
            "estimator": self.estimator,
            "bandwidth": self.bandwidth,
            "multipliers": list(self.multipliers),
        }


@register
class JointMMDLoss(_TwoSamples):
    """MMD of several layers' joint distribution: the product of their kernels.

    Args:
        estimator: As in `MMDLoss`.
        bandwidths: One per layer, each as in `MMDLoss`; None: "mean" for all but the
            last, and for that one, the class probabilities, 2 * 0.92^2.
        multipliers: A sequence per layer; None: DAN's for all but the last, which has
            one kernel.
        name: Name of the loss.
        reduction: As in every Keras loss.

    Call arguments:
        y_true: List of the source's layers, each (n, ...); one or more.
        y_pred: List of the target's, each (m, ...).

    Returns:
        A scalar, float32.

    Raises:
        ValueError: When the numbers of layers differ.

    Example:
        >>> import numpy as np
        >>> from tftransfer.losses import JointMMDLoss
        >>> source = [np.zeros((4, 2)), np.eye(4)]
        >>> float(JointMMDLoss()(source, source))
        0.0

    References:
        Long et al., Deep Transfer Learning with Joint Adaptation Networks, ICML 2017,
        arXiv:1605.06636.
    """

    def __init__(
        self,
        *,
        estimator: str = "biased",
        bandwidths=None,
        multipliers=None,
        name: str = "joint_mmd",
        reduction: str = "sum_over_batch_size",
    ):
        super().__init__(name=name, reduction=reduction)
        check_one_of("estimator", estimator, _ESTIMATORS)
        self.estimator = estimator
        self.bandwidths = bandwidths and [_checked_bandwidth(b) for b in bandwidths]
        self.multipliers = multipliers and [
            _checked_multipliers(m) for m in multipliers
        ]

    def __call__(self, y_true, y_pred, sample_weight=None):
        _check_layers(y_true, y_pred, self.bandwidths, self.multipliers)
        return super().__call__(list(y_true), list(y_pred), sample_weight)

    def call(self, y_true, y_pred):
        upper = len(y_true) - 1
        widths = self.bandwidths or [*["mean"] * upper, _JAN_SCORES]
        several = self.multipliers or [*[DAN_MULTIPLIERS] * upper, (1.0,)]
        kernels = list(zip(y_true, y_pred, widths, several, strict=True))
        return _mmd(kernels, self.estimator)

    def get_config(self):
        several = self.multipliers and [list(each) for each in self.multipliers]
        return {
            **super().get_config(),
            "estimator": self.estimator,
            "bandwidths": self.bandwidths,
            "multipliers": several,
        }


@register
class CORALLoss(_TwoSamples):
    """Squared distance of two samples' covariances: ||C_s - C_t||_F^2 / (4 d^2).

    The covariances are those of n - 1. Of a sample of one row it is taken to be 0.
    Where d > n + m, and above 1,024 in a graph that takes any number of rows, they are
    not made: memory and time grow with d (n + m), not with d^2.

    Args:
        name: Name of the loss.
        reduction: As in every Keras loss.

    Call arguments:
        y_true: Source features (n, ...), d values per row.
        y_pred: Target features (m, ...).

    Returns:
        A scalar, float32, 0 or more.

    Example:
        >>> from tftransfer.losses import CORALLoss
        >>> float(CORALLoss()([[-1.0], [1.0]], [[0.0], [0.0]]))  # (2 - 0)^2 / 4
        1.0

    References:
        Sun & Saenko, Deep CORAL, ECCV 2016 workshops, arXiv:1607.01719.
    """

    def __init__(self, *, name="coral", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)

    def call(self, y_true, y_pred):
        source, target = _rows(y_true), _rows(y_pred)
        d = source.shape[1]
        found = covariance_distance(source, target)
        return ops.reshape(found / float(4 * d * d), (1,))


def _mmd(kernels: list[tuple], estimator: str):
    """Return MMD^2, (1,), with the product of the kernels of several layers."""
    layers = [(_rows(x), _rows(z), *rest) for x, z, *rest in kernels]
    if estimator == "linear":
        return linear_time(layers)
    product, n = 1.0, ops.shape(layers[0][0])[0]
    for x, z, bandwidth, multipliers in layers:
        distances = squared_distances(ops.concatenate([x, z], axis=0))
        product = product * kernel_values(distances, bandwidth, multipliers)
    within = mean_of_pairs(product[:n, :n], estimator)
    within = within + mean_of_pairs(product[n:, n:], estimator)
    across = product[:n, n:]
    # A replica may have rows of one domain alone, which are at no distance.
    both = ops.cast(ops.size(across) > 0, across.dtype)
    return ops.reshape(both * (within - 2 * mean_or_zero(across)), (1,))


def _rows(features):
    features = ops.cast(features, "float32")
    return ops.reshape(features, (ops.shape(features)[0], _size(features)))


def _size(features) -> int:
    size = 1
    for side in features.shape[1:]:
        size *= side
    return size


def _checked_bandwidth(bandwidth):
    if bandwidth == "mean" or (not isinstance(bandwidth, str) and bandwidth > 0):
        return bandwidth
    raise ValueError(
        "Expected a bandwidth above 0, in squared distances, or 'mean'. Received: "
        f"{bandwidth!r}."
    )


def _checked_multipliers(multipliers) -> tuple[float, ...]:
    multipliers = tuple(float(value) for value in multipliers)
    if not multipliers or min(multipliers) <= 0:
        raise ValueError(
            f"Expected one multiplier or more, above 0. Received: {multipliers}."
        )
    return multipliers


def _check_layers(y_true, y_pred, *settings) -> None:
    counts = [len(y_true), len(y_pred), *(len(each) for each in settings if each)]
    if len(set(counts)) > 1 or not counts[0]:
        raise ValueError(
            "Expected lists of as many layers of source and target, and as many "
            f"bandwidths and multipliers where they are given. Received: {counts}."
        )
