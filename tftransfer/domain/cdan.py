"""CDAN: a discriminator that also sees the predicted class (Long et al., 2018)."""

import keras
from keras import ops

from tftransfer.core import GradientReversal
from tftransfer.core import register
from tftransfer.domain.discriminator import checked_discriminator
from tftransfer.domain.discriminator import flat_size
from tftransfer.domain.discriminator import measure_domains
from tftransfer.domain.discriminator import tell_domains
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.domain_model import check_several_classes
from tftransfer.losses import DomainLoss

_LARGEST = 4096  # values of the outer product, above which the authors project
_PROJECTED = 1024


@register
class CDAN(DomainModel):
    """Conditional adversarial network: as `DANN`, on features times probabilities.

    The discriminator sees the outer product of f(x), (d,), and the class probabilities
    p(x), (c,), so that it aligns the domains class by class. No gradient flows through
    p. With `entropy_weights` rows of which the head is sure count more: 1 + exp(-H(p)),
    rescaled to a mean of 1 in each domain. Where d * c is above `largest`, the product
    is replaced by (A f) * (B p) / sqrt(1,024) with fixed Gaussian A and B, which are
    saved with the model.

    Args:
        extractor: A built model: input -> features (batch, ...), d values per row.
        head: A built model: features -> logits or probabilities (batch, c).
        discriminator: A built model: (batch, d * c), or (batch, 1024) where projected,
            -> one logit. None: two hidden layers of 1,024 units with Dropout.
        reversal: Lambda, 0 or more; the setting "reversal" of callbacks.
        domain_weight: Factor of the discriminator's loss.
        entropy_weights: Whether sure rows count more (the paper's CDAN+E).
        largest: d * c from which on the product is projected.
        batch_norm: As in `DANN`.
        head_output: "logits", "probabilities", or "auto".
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} while training; else rows of the
            target.

    Returns:
        As `DANN`.

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> tft.CDAN(part(4, 8), part(8, 3)).discriminator.input_shape
        (None, 24)

    References:
        Long et al., Conditional Adversarial Domain Adaptation, NeurIPS 2018,
        arXiv:1705.10667.
    """

    reads_scores = True

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        discriminator: keras.Model | None = None,
        *,
        reversal: float = 1.0,
        domain_weight: float = 1.0,
        entropy_weights: bool = True,
        largest: int = _LARGEST,
        batch_norm: str = "joint",
        head_output: str = "auto",
        **kwargs,
    ):
        super().__init__(
            extractor, head, batch_norm=batch_norm, head_output=head_output, **kwargs
        )
        check_several_classes(head)
        sizes = flat_size(extractor), flat_size(head)
        product = sizes[0] * sizes[1]
        self._projections = self._fixed(sizes) if product > largest else None
        self.discriminator = checked_discriminator(
            discriminator, _PROJECTED if product > largest else product
        )
        self.reversal, self.domain_weight = reversal, domain_weight
        self.entropy_weights, self.largest = entropy_weights, largest
        self._reverse = GradientReversal(reversal)
        self.share_scalar("reversal", self._reverse.scale)
        self.add_term("domain", domain_weight)
        self._domain_accuracy = self.add_measure("domain_accuracy")
        self._domain_loss = DomainLoss()
        self.finish_init()

    def _fixed(self, sizes) -> list:
        return [
            self.add_weight(
                shape=(size, _PROJECTED),
                initializer=keras.initializers.RandomNormal(stddev=1.0),
                trainable=False,
                name=f"projection_{name}",
            )
            for name, size in zip(("features", "classes"), sizes)
        ]

    def forward_domains(self, domains, outputs):
        seen = [
            self._conditioned(outputs[name], outputs[f"{name}_scores"])
            for name in ("source", "target")
        ]

        def judged(rows):
            return self.discriminator(self._reverse(rows), training=True)

        return dict(
            zip(("source_domain", "target_domain"), tell_domains(judged, *seen))
        )

    def _conditioned(self, features, scores):
        """Return what the discriminator sees of rows, (rows, values)."""
        features = ops.cast(features, "float32")
        rows = ops.shape(features)[0]
        features = ops.reshape(features, (rows, flat_size(self.extractor)))
        probabilities = ops.stop_gradient(ops.softmax(scores))
        if self._projections is None:
            product = features[:, :, None] * probabilities[:, None]
            return ops.reshape(product, (rows, self.discriminator.input_shape[-1]))
        of_features, of_classes = (ops.cast(v, "float32") for v in self._projections)
        projected = ops.matmul(features, of_features)
        return projected * ops.matmul(probabilities, of_classes) / _PROJECTED**0.5

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        logits = outputs["source_domain"], outputs["target_domain"]
        measure_domains(self._domain_accuracy, *logits)
        weights = None
        if self.entropy_weights:
            weights = [
                certainty(outputs[f"{name}_scores"]) for name in ("source", "target")
            ]
        return {"domain": self._domain_loss(*logits, weights)}


def certainty(scores):
    """Return the weights 1 + exp(-entropy) of rows, (n,), scaled to a mean of 1.

    Args:
        scores: Logits (n, classes); no gradient flows through them.
    """
    log = ops.log_softmax(ops.stop_gradient(scores))
    weights = 1 + ops.exp(ops.sum(ops.exp(log) * log, axis=-1))
    return weights / ops.mean(weights)
