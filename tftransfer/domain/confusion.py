"""DomainConfusion: features that leave a domain classifier undecided (Tzeng, 2015)."""

import keras
from keras import ops

from tftransfer.core import call_with_frozen_weights
from tftransfer.core import register
from tftransfer.domain.discriminator import checked_discriminator
from tftransfer.domain.discriminator import flat
from tftransfer.domain.discriminator import flat_size
from tftransfer.domain.discriminator import measure_domains
from tftransfer.domain.discriminator import tell_domains
from tftransfer.domain.domain_model import DomainModel
from tftransfer.losses import ClassSoftLabelLoss
from tftransfer.losses import ConfusionLoss
from tftransfer.losses import DomainLoss


@register
class DomainConfusion(DomainModel):
    """Simultaneous transfer across domains and tasks.

    loss = CE(y, head(f(x))) + DomainLoss(d(f(x_s)), d(f(x_t))), which trains the
    discriminator d alone, + confusion_weight * ConfusionLoss of the same logits, which
    trains the extractor f alone. Both are computed from the same weights, where the
    authors alternate.

    With labelled rows of the target (`pair_domains(..., labelled_target=...)`) and
    `soft_labels` it is semi-supervised as the paper: those rows' softened answers are
    taught the mean softened answer of the source's pictures of their class, with
    soft_label_weight * CE(soft_labels[y], softmax(head(f(x)) / temperature)).

    Args:
        extractor: A built model: input -> features (batch, ...).
        head: A built model: features -> logits or probabilities (batch, classes).
        discriminator: A built model: flat features -> one logit. None: two hidden
            layers of 1,024 units with Dropout.
        confusion_weight: Factor of the confusion; the paper's is 0.01.
        soft_labels: (classes, classes), a row of probabilities per class: the mean of
            softmax(logits / temperature) of a source model over the source's pictures
            of the class, see `tft.distillation.class_soft_labels`. Kept as a list.
        soft_label_weight: Factor of the soft labels' loss; the paper's is 0.1.
        temperature: That of the soft labels, above 0.
        batch_norm: As in `DANN`.
        head_output: "logits", "probabilities", or "auto".
        **kwargs: `name`.

    Call arguments:
        x: {"source": (n, ...), "target": (m, ...)} of `tft.data.pair_domains` while
            training; else rows of the target.

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
        >>> sorted(tft.DomainConfusion(part(4, 8), part(8, 3)).scalars)
        ['confusion_weight', 'discriminator_weight']

    References:
        Tzeng et al., Simultaneous Deep Transfer Across Domains and Tasks, ICCV 2015,
        arXiv:1510.02192.
    """

    reads_scores = True

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        discriminator: keras.Model | None = None,
        *,
        confusion_weight: float = 0.01,
        soft_labels=None,
        soft_label_weight: float = 0.1,
        temperature: float = 2.0,
        batch_norm: str = "joint",
        head_output: str = "auto",
        **kwargs,
    ):
        super().__init__(
            extractor, head, batch_norm=batch_norm, head_output=head_output, **kwargs
        )
        self.discriminator = checked_discriminator(discriminator, flat_size(extractor))
        self.confusion_weight = confusion_weight
        self.soft_label_weight, self.temperature = soft_label_weight, temperature
        self.soft_labels = soft_labels
        self.add_term("discriminator")
        self.add_term("confusion", confusion_weight)
        if soft_labels is not None:
            self._soft_label_loss = ClassSoftLabelLoss(soft_labels, temperature)
            self.soft_labels = self._soft_label_loss.matrix.tolist()
            self.add_term("soft_label", soft_label_weight)
        self._domain_accuracy = self.add_measure("domain_accuracy")
        self._domain_loss, self._confusion_loss = DomainLoss(), ConfusionLoss()
        self.finish_init()

    def forward_domains(self, domains, outputs):
        sides = outputs["source"], outputs["target"]

        def judged(rows):
            return self.discriminator(rows, training=True)

        def frozen(rows):
            return call_with_frozen_weights(self.discriminator, rows, training=True)

        found = {
            "judged": tell_domains(judged, *map(ops.stop_gradient, sides)),
            "confused": tell_domains(frozen, *map(flat, sides)),
        }
        if self.soft_labels is not None:
            if domains.order is None:
                raise ValueError(
                    "Expected labelled rows of the target: `soft_labels` teach those. "
                    "Received a batch without any. Give `pair_domains` a "
                    "`labelled_target`, or leave out `soft_labels`."
                )
            found |= {"from_target": domains.from_target}
            found |= {
                "labelled_scores": domains.of_labels(
                    outputs["source_scores"], outputs["target_scores"]
                )
            }
        return found

    def transfer_losses(self, x, y, outputs, sample_weight=None):
        measure_domains(self._domain_accuracy, *outputs["judged"])
        terms = {
            "discriminator": self._domain_loss(*outputs["judged"]),
            "confusion": self._confusion_loss(*outputs["confused"]),
        }
        if self.soft_labels is not None:
            terms["soft_label"] = self._taught(y, outputs)
        return terms

    def _taught(self, y, outputs):
        """Return the soft labels' loss: the mean over the labelled target rows."""
        if len(y.shape) == 2 and y.shape[-1] > 1:
            y = ops.argmax(y, axis=-1)  # one-hot, as other losses may want it
        own = ops.cast(outputs["from_target"], "float32")
        weights = own / ops.maximum(ops.mean(own), 1e-6)
        return self._soft_label_loss(y, outputs["labelled_scores"], weights)
