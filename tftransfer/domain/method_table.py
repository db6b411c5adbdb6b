"""The methods that `adapt` builds around a classifier, by name."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from tftransfer.core import check_one_of
from tftransfer.domain.adda import ADDA
from tftransfer.domain.alignment import DAN
from tftransfer.domain.alignment import JAN
from tftransfer.domain.alignment import DeepCORAL
from tftransfer.domain.cdan import CDAN
from tftransfer.domain.confusion import DomainConfusion
from tftransfer.domain.dann import DANN
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.mcd import MCD
from tftransfer.domain.passes import BATCH_NORM


@dataclasses.dataclass(frozen=True)
class Method:
    """How `adapt` uses one method.

    Attributes:
        build: The class.
        ramp: The setting that `DANNRamp` raises from 0, or None.
        reads_labels: Whether it trains on the source's labels.
        options: Arguments that it gets unless the caller gives others.
    """

    build: Callable[..., DomainModel]
    ramp: str | None = None
    reads_labels: bool = True
    options: dict = dataclasses.field(default_factory=dict)


METHODS = {
    "dann": Method(DANN, ramp="reversal"),
    "cdan": Method(CDAN, ramp="reversal"),
    "dan": Method(DAN, ramp="mmd_weight"),
    "jan": Method(JAN, ramp="joint_mmd_weight"),
    "coral": Method(DeepCORAL),
    # Without the balance one class may take the whole target.
    "mcd": Method(MCD, ramp="discrepancy_weight", options={"balance_weight": 0.01}),
    "adda": Method(ADDA, reads_labels=False),
    "confusion": Method(DomainConfusion),
}


def build_method(
    name: str, classifier, *, batch_norm: str, seed: int, options: dict
) -> DomainModel:
    """Build a method on a classifier's own backbone and head, all layers trainable.

    Args:
        name: A key of `METHODS`.
        classifier: The `Classifier`.
        batch_norm: A policy of `Passes`, or "auto": "inference", and for ADDA, which
            knows no other, the statistics of the target's batches.
        seed: Of the noise of MCD's second head.
        options: Further arguments of the method.

    Raises:
        ValueError: When there is no such method or policy.
    """
    check_one_of("method", name, METHODS)
    check_one_of("batch_norm", batch_norm, ("auto", *BATCH_NORM))
    backbone, head = classifier.backbone, classifier.head
    for layer in (*backbone._flatten_layers(), *head._flatten_layers()):
        layer.trainable = True  # a container's flag does not reach all inside it
    options = {**METHODS[name].options, **options}
    if name != "adda":
        options["batch_norm"] = "inference" if batch_norm == "auto" else batch_norm
    elif batch_norm != "auto":
        raise ValueError(
            "Expected `batch_norm='auto'` with ADDA, whose target encoder uses the "
            f"statistics of the target's batches. Received: {batch_norm!r}."
        )
    if name == "mcd" and options.get("second_head") is None:
        options["second_head"] = _like(head, seed)
    return METHODS[name].build(backbone, head, **options)


def _like(head: keras.Model, seed: int) -> keras.Model:
    """Return a second head that knows the source as the first and differs from it.

    A new one of random weights, or of zeros as a `Classifier`'s starts, would draw the
    features to where both are undecided; the authors train both on the source first.
    """
    copy = keras.models.clone_model(head)
    copy.name = f"{head.name}_2"
    rng = np.random.default_rng(seed)
    copy.set_weights(
        [
            weight + (0.3 * np.std(weight) * rng.normal(size=weight.shape))
            if weight.ndim > 1
            else weight
            for weight in head.get_weights()
        ]
    )
    return copy
