"""Restyler: target pictures redrawn in the source's look (image to image)."""

import keras
from keras import ops

from tftransfer.core import TransferModel
from tftransfer.core import call_with_frozen_weights
from tftransfer.core import chain
from tftransfer.core import register
from tftransfer.domain.batches import LabelledTargetFit
from tftransfer.domain.batches import domains_of
from tftransfer.domain.discriminator import measure_domains
from tftransfer.losses import DomainLoss


@register
class Restyler(LabelledTargetFit, TransferModel):
    """Image-to-image adaptation: a generator, a discriminator, the source's classifier.

    The generator G, an encoder-decoder, redraws a target picture so that the
    discriminator d takes it for one of the source. The trained classifier c stays as it
    is and answers for what was redrawn. The terms, each with a weight:

    - discriminator = DomainLoss(d(x_s), d(G(x_t))), which trains d alone;
    - adversarial = -log p("source" | d(G(x_t))), which trains G alone;
    - content = mean |G(x_t) - x_t| / scale: the picture stays what it shows;
    - identity = mean |G(x_s) - x_s| / scale: the source's look needs no change;
    - the task loss of `compile`, if any, CE(y, c(G(x_s))), which trains G alone: what
      is redrawn keeps its class.

    Args:
        generator: A built model: picture -> picture of the same shape and range.
        discriminator: A built model: picture -> logits of "target" (batch, 1), or one
            per patch (batch, rows, columns, 1).
        classifier: The trained model of the source: picture -> scores. Of a
            `TransferModel`, such as a `Classifier`, its `deployed` is taken.
        adversarial_weight: Factor of that term.
        content_weight: Factor of that term.
        identity_weight: Factor of that term.
        scale: Range of the pictures' values, 255 or 1.
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} of `tft.data.pair_domains` while
            training; else pictures of the target.

    Returns:
        The classifier's answers for the redrawn pictures; while training, a dict that
        holds those for the redrawn source as "prediction".

    Raises:
        ValueError: When shapes do not fit.

    Example:
        >>> import keras
        >>> from tftransfer.domain import Restyler
        >>> def net(*layers):
        ...     return keras.Sequential([keras.Input((8, 8, 1)), *layers])
        >>> flat = keras.layers.Flatten
        >>> model = Restyler(
        ...     net(keras.layers.Conv2D(1, 3, padding="same")),
        ...     net(flat(), keras.layers.Dense(1)),
        ...     net(flat(), keras.layers.Dense(3)),
        ... )
        >>> model.deployed.output_shape
        (None, 3)

    References:
        Isola et al., Image-to-Image Translation with Conditional Adversarial Networks,
        CVPR 2017, arXiv:1611.07004. The identity and content terms are those of
        Taigman et al., ICLR 2017, arXiv:1611.02200, on pictures.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        classifier: keras.Model,
        *,
        adversarial_weight: float = 1.0,
        content_weight: float = 1.0,
        identity_weight: float = 1.0,
        scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if isinstance(classifier, TransferModel):
            classifier = classifier.deployed
        _check_shapes(generator, discriminator, classifier)
        self.generator, self.discriminator = generator, discriminator
        self.classifier, self.scale = classifier, scale
        self.adversarial_weight = adversarial_weight
        self.content_weight, self.identity_weight = content_weight, identity_weight
        self.add_term("discriminator")
        self.add_term("adversarial", adversarial_weight)
        self.add_term("content", content_weight)
        self.add_term("identity", identity_weight)
        self._domain_accuracy = self.add_measure("domain_accuracy")
        self._domain_loss = DomainLoss()
        self._adversarial = keras.losses.BinaryCrossentropy(from_logits=True)
        self._difference = keras.losses.MeanAbsoluteError()
        self.finish_init()

    def frozen_parts(self) -> tuple:
        return (self.classifier,)

    def restyle(self, x):
        """Return pictures of the target redrawn in the source's look, (batch, ...)."""
        return self.generator(x, training=False)

    def forward_train(self, x):
        domains = domains_of(x)
        rows = ops.shape(domains.source)[0]
        both = ops.concatenate([domains.source, domains.target])
        drawn = self.generator(both, training=True)
        real, redrawn = ops.cast(domains.source, drawn.dtype), drawn[rows:]
        judged = ops.concatenate([real, ops.stop_gradient(redrawn)])
        logits = self.discriminator(judged, training=True)
        # Beside the source again: BatchNorm in it would take away what they differ by.
        fooled = call_with_frozen_weights(
            self.discriminator, ops.concatenate([real, redrawn]), training=True
        )
        answers = call_with_frozen_weights(self.classifier, drawn, training=False)
        return {
            "prediction": domains.of_labels(answers[:rows], answers[rows:]),
            "logits": [logits[:rows], logits[rows:]],
            "fooled": fooled[rows:],
            "source": [domains.source, drawn[:rows]],
            "target": [domains.target, drawn[rows:]],
        }

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        measure_domains(self._domain_accuracy, *outputs["logits"])
        fooled = ops.cast(outputs["fooled"], "float32")
        return {
            "discriminator": self._domain_loss(*outputs["logits"]),
            "adversarial": self._adversarial(ops.zeros_like(fooled), fooled),
            "content": self._changed(outputs["target"]),
            "identity": self._changed(outputs["source"]),
        }

    def _changed(self, pair):
        return self._difference(
            *(ops.cast(pictures, "float32") / self.scale for pictures in pair)
        )

    def evaluation_input(self, x):
        return x["source"] if isinstance(x, dict) else x

    def build_deployed(self):
        return chain(self.generator, self.classifier, name=f"{self.name}_deployed")


def _check_shapes(generator, discriminator, classifier) -> None:
    taken, drawn = tuple(generator.input_shape), tuple(generator.output_shape)
    if taken != drawn:
        raise ValueError(
            "Expected a generator whose pictures have the shape of its input, "
            f"{taken}. Received: one that draws {drawn}."
        )
    for role, net in (("discriminator", discriminator), ("classifier", classifier)):
        shape = tuple(net.input_shape)
        unequal = any(a != b and None not in (a, b) for a, b in zip(shape, drawn))
        if len(shape) != len(drawn) or unequal:
            raise ValueError(
                f"Expected a {role} of the generator's pictures {drawn}. Received: one "
                f"of {shape}."
            )
    if discriminator.output_shape[-1] != 1:
        raise ValueError(
            "Expected a discriminator with one logit per picture or patch. Received: "
            f"output {tuple(discriminator.output_shape)}."
        )
