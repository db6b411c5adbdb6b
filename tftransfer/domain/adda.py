"""ADDA: a target encoder that a discriminator takes for the source's (Tzeng, 2017)."""

import keras
from keras import ops

from tftransfer.core import call_with_frozen_weights
from tftransfer.core import chain
from tftransfer.core import check_one_of
from tftransfer.core import register
from tftransfer.domain.batches import domains_of
from tftransfer.domain.discriminator import checked_discriminator
from tftransfer.domain.discriminator import flat_size
from tftransfer.domain.discriminator import measure_domains
from tftransfer.domain.discriminator import tell_domains
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.domain_model import check_fit
from tftransfer.losses import DomainLoss


@register
class ADDA(DomainModel):
    """Adversarial discriminative domain adaptation, in the paper's three steps.

    1. Train the source encoder and the head on the source, as any Keras model.
    2. This model: `compile(optimizer)` without a loss, `fit(pair_domains(...))`. The
       source encoder and the head stay as they are and run as in inference. A copy of
       the encoder learns to look like the source to the discriminator (labels
       inverted), which at the same time learns to tell them:
       discriminator = DomainLoss(d(e_s(x_s)), d(e_t(x_t))), the features detached;
       mapping = -log p("source" | e_t(x_t)), through a discriminator that it leaves
       alone. Labels of the source may come along; they are not read.
    3. `deployed` is the target encoder with the source's head.

    Args:
        extractor: The source's encoder, trained: input -> features (batch, ...).
        head: A trained model: features -> logits or probabilities (batch, classes).
        discriminator: A built model: flat features, or scores, -> one logit. None: two
            hidden layers of 1,024 units with Dropout. The paper's has two of 500.
        sees: "features", or "scores": the discriminator sees the head's output, as in
            the authors' code for digits.
        mapping_weight: Factor of the encoder's loss.
        target_encoder: The encoder to start from, which shares no weights with
            `extractor`; None for a copy of that one. What is frozen there is frozen in
            the copy, unless that is all of it: then the whole copy trains.
        head_output: "logits", "probabilities", or "auto".
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} of `tft.data.pair_domains` while
            training; else rows of the target.

    Returns:
        The head's answers; while training, a dict that holds the answers for the
        source, those of step 1, as "prediction".

    Raises:
        TypeError: When a part is not built.
        ValueError: When shapes do not fit or encoders share weights.

    Example:
        >>> import keras, tftransfer as tft
        >>> def part(inputs, units):
        ...     layers = [keras.Input((inputs,)), keras.layers.Dense(units)]
        ...     return keras.Sequential(layers)
        >>> adda = tft.ADDA(part(4, 8), part(8, 3))
        >>> sorted(adda.scalars)
        ['discriminator_weight', 'mapping_weight']

    References:
        Tzeng et al., Adversarial Discriminative Domain Adaptation, CVPR 2017,
        arXiv:1702.05464.
    """

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        discriminator: keras.Model | None = None,
        *,
        sees: str = "features",
        mapping_weight: float = 1.0,
        target_encoder: keras.Model | None = None,
        head_output: str = "auto",
        **kwargs,
    ):
        super().__init__(extractor, head, head_output=head_output, **kwargs)
        check_one_of("sees", sees, ["features", "scores"])
        self.sees = sees
        if target_encoder is None:
            target_encoder = _copy(extractor)
        _check_encoder(target_encoder, extractor, head)
        self.target_encoder = target_encoder
        seen = extractor if sees == "features" else head
        self.discriminator = checked_discriminator(discriminator, flat_size(seen))
        self.mapping_weight = mapping_weight
        self.add_term("discriminator")
        self.add_term("mapping", mapping_weight)
        self._domain_accuracy = self.add_measure("domain_accuracy")
        self._domain_loss = DomainLoss()
        self._mapping_loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self.finish_init()

    def frozen_parts(self) -> tuple:
        return self.extractor, self.head

    def forward_train(self, x):
        domains = domains_of(x)
        source = self.extractor(domains.source, training=False)
        target = self.target_encoder(domains.target, training=True)
        of_source = self.head(source, training=False)
        of_target = None
        if self.sees == "scores" or domains.order is not None:
            of_target = call_with_frozen_weights(self.head, target, training=False)
        seen = (of_source, of_target) if self.sees == "scores" else (source, target)
        # The discriminator's own loss reaches neither encoder.
        logits = tell_domains(self._judged, *map(ops.stop_gradient, seen))
        # Beside the source again: BatchNorm in it would take away what they differ by.
        mapped = tell_domains(self._frozen, ops.stop_gradient(seen[0]), seen[1])[1]
        prediction = domains.of_labels(of_source, of_target)
        return {
            "prediction": ops.stop_gradient(prediction),
            "source_domain": logits[0],
            "target_domain": logits[1],
            "mapped": mapped,
        }

    def _judged(self, rows):
        return self.discriminator(rows, training=True)

    def _frozen(self, rows):
        return call_with_frozen_weights(self.discriminator, rows, training=True)

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        logits = outputs["source_domain"], outputs["target_domain"]
        measure_domains(self._domain_accuracy, *logits)
        mapped = outputs["mapped"]
        return {
            "discriminator": self._domain_loss(*logits),
            "mapping": self._mapping_loss(ops.zeros_like(mapped), mapped),  # "source"
        }

    def encoder_of(self, domain):
        return self.extractor if domain == "source" else self.target_encoder

    def features_of(self, x, domain):
        return self.encoder_of(domain)(x, training=False)

    def build_deployed(self):
        return chain(self.target_encoder, self.head, name=f"{self.name}_deployed")


def _check_encoder(encoder: keras.Model, extractor: keras.Model, head) -> None:
    check_fit(encoder, head, role="target_encoder")
    shapes = tuple(extractor.output_shape), tuple(encoder.output_shape)
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"Expected a `target_encoder` with the extractor's features {shapes[0]}. "
            f"Received: one with {shapes[1]}."
        )
    if {id(v) for v in encoder.variables} & {id(v) for v in extractor.variables}:
        raise ValueError(
            "Expected a `target_encoder` with weights of its own: the extractor's stay "
            "as they are. Received: one that shares some. Leave it out for a copy."
        )


def _copy(extractor: keras.Model) -> keras.Model:
    """Return a copy with the same weights, of which something trains."""
    copy = keras.models.clone_model(extractor)
    copy.set_weights(extractor.get_weights())
    if not copy.trainable_variables:
        for layer in copy._flatten_layers():
            layer.trainable = True  # a container's flag does not reach all inside it
    return copy
