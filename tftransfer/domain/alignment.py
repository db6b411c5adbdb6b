"""DAN, JAN and DeepCORAL: features whose distributions are equal in both domains."""

import keras
from keras import ops

from tftransfer.core import register
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.domain_model import check_several_classes
from tftransfer.domain.domain_model import gathered
from tftransfer.losses import CORALLoss
from tftransfer.losses import JointMMDLoss
from tftransfer.losses import MMDLoss

_LAYERS = ("features", "scores")


@register
class DAN(DomainModel):
    """Deep adaptation network: multi-kernel MMD between the layers of both domains.

    loss = CE(y, head(f(x_s))) + mmd_weight * sum over `layers` of MMD^2 (`MMDLoss`).

    Args:
        extractor: A built model: input -> features (batch, ...).
        head: A built model: features -> logits or probabilities (batch, classes).
        mmd_weight: Factor of the discrepancy.
        layers: Which are compared: "features", the extractor's output, "scores", the
            head's logits, or both as in the paper.
        estimator: "biased", "unbiased" or "linear" as in the paper, see `MMDLoss`.
        batch_norm: How the domains share batch normalisation: "joint", "separate",
            "specific" or "inference", see the guide.
        head_output: "logits", "probabilities", or "auto".
        across_replicas: Under `tf.distribute`, whether the discrepancy is that of the
            rows of all replicas.
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} of `tft.data.pair_domains` while
            training; else rows of the target.

    Returns:
        The head's answers; while training, a dict that holds those for the labelled
        rows as "prediction".

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit or `layers` are none of these.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> model = tft.DAN(part(4, 8), part(8, 3), mmd_weight=0.3)
        >>> sorted(model.scalars)
        ['mmd_weight']

    References:
        Long et al., Learning Transferable Features with Deep Adaptation Networks, ICML
        2015, arXiv:1502.02791.
    """

    reads_scores = True

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        *,
        mmd_weight: float = 1.0,
        layers: tuple[str, ...] = _LAYERS,
        estimator: str = "biased",
        batch_norm: str = "joint",
        head_output: str = "auto",
        across_replicas: bool = False,
        **kwargs,
    ):
        super().__init__(
            extractor, head, batch_norm=batch_norm, head_output=head_output, **kwargs
        )
        self.mmd_weight, self.estimator = mmd_weight, estimator
        self.compared, self.across_replicas = _checked_layers(layers), across_replicas
        self._mmd = MMDLoss(estimator=estimator)
        self.add_term("mmd", mmd_weight)
        self.finish_init()

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        pairs = _layers(outputs, self.compared, self.across_replicas)
        return {"mmd": sum(self._mmd(source, target) for source, target in pairs)}

    def constructor_value(self, name):
        return list(self.compared) if name == "layers" else getattr(self, name)


@register
class JAN(DomainModel):
    """Joint adaptation network: MMD of features and class probabilities together.

    loss = CE(y, head(f(x_s))) + joint_mmd_weight * `JointMMDLoss` of (f(x), p(x)).

    Args:
        extractor: As in `DAN`.
        head: As in `DAN`.
        joint_mmd_weight: Factor of the discrepancy.
        estimator: As in `DAN`.
        batch_norm: As in `DAN`.
        head_output: As in `DAN`.
        across_replicas: As in `DAN`.
        **kwargs: `name`.

    Call arguments:
        x: As in `DAN`.

    Returns:
        As `DAN`.

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> sorted(tft.JAN(part(4, 8), part(8, 3)).scalars)
        ['joint_mmd_weight']

    References:
        Long et al., Deep Transfer Learning with Joint Adaptation Networks, ICML 2017,
        arXiv:1605.06636.
    """

    reads_scores = True

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        *,
        joint_mmd_weight: float = 1.0,
        estimator: str = "biased",
        batch_norm: str = "joint",
        head_output: str = "auto",
        across_replicas: bool = False,
        **kwargs,
    ):
        super().__init__(
            extractor, head, batch_norm=batch_norm, head_output=head_output, **kwargs
        )
        check_several_classes(head)
        self.joint_mmd_weight, self.estimator = joint_mmd_weight, estimator
        self.across_replicas = across_replicas
        self._joint_mmd = JointMMDLoss(estimator=estimator)
        self.add_term("joint_mmd", joint_mmd_weight)
        self.finish_init()

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        features, scores = _layers(outputs, _LAYERS, self.across_replicas)
        layers = zip(features, (ops.softmax(rows) for rows in scores))
        return {"joint_mmd": self._joint_mmd(*(list(each) for each in layers))}


@register
class DeepCORAL(DomainModel):
    """Deep CORAL: equal covariances of a layer in both domains.

    loss = CE(y, head(f(x_s))) + coral_weight * sum over `layers` of `CORALLoss`. The
    extractor gets the gradients of both. The authors choose the weight so that both
    losses are about equal at the end.

    Args:
        extractor: As in `DAN`.
        head: As in `DAN`.
        coral_weight: Factor of the covariances' distance.
        layers: Which are compared: "features", "scores", as in the paper, or both.
        batch_norm: As in `DAN`.
        head_output: As in `DAN`.
        across_replicas: As in `DAN`.
        **kwargs: `name`.

    Call arguments:
        x: As in `DAN`.

    Returns:
        As `DAN`.

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit or `layers` are none of these.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> sorted(tft.DeepCORAL(part(4, 8), part(8, 3)).scalars)
        ['coral_weight']

    References:
        Sun & Saenko, Deep CORAL: Correlation Alignment for Deep Domain Adaptation, ECCV
        2016 workshops, arXiv:1607.01719.
    """

    reads_scores = True

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        *,
        coral_weight: float = 1.0,
        layers: tuple[str, ...] = ("scores",),
        batch_norm: str = "joint",
        head_output: str = "auto",
        across_replicas: bool = False,
        **kwargs,
    ):
        super().__init__(
            extractor, head, batch_norm=batch_norm, head_output=head_output, **kwargs
        )
        self.coral_weight, self.across_replicas = coral_weight, across_replicas
        self.compared = _checked_layers(layers)
        self._coral = CORALLoss()
        self.add_term("coral", coral_weight)
        self.finish_init()

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        pairs = _layers(outputs, self.compared, self.across_replicas)
        return {"coral": sum(self._coral(source, target) for source, target in pairs)}

    def constructor_value(self, name):
        return list(self.compared) if name == "layers" else getattr(self, name)


def _layers(outputs: dict, layers, across_replicas: bool) -> list[tuple]:
    """Return [(the source's rows, the target's rows), ...] of the layers."""
    ends = {"features": "", "scores": "_scores"}
    names = [
        f"{side}{ends[layer]}" for layer in layers for side in ("source", "target")
    ]
    values = gathered(outputs, names, across_replicas)
    return list(zip(values[::2], values[1::2]))


def _checked_layers(layers) -> tuple[str, ...]:
    """Return the layers to compare.

    Raises:
        ValueError: When there are none, or others than "features" and "scores".
    """
    layers = (layers,) if isinstance(layers, str) else tuple(layers)
    if not layers or not set(layers) <= set(_LAYERS):
        raise ValueError(
            f"Expected `layers` among {list(_LAYERS)}, one or both. Received: {layers}."
        )
    return layers
