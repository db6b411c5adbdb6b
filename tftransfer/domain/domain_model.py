"""DomainModel: what the methods on networks share."""

import keras
from keras import ops

from tftransfer.core import TransferModel
from tftransfer.core import as_logits
from tftransfer.core import chain
from tftransfer.core import gather_replicas
from tftransfer.core import kind_of_outputs
from tftransfer.domain.batches import LabelledTargetFit
from tftransfer.domain.batches import domains_of
from tftransfer.domain.passes import APART
from tftransfer.domain.passes import Passes


class DomainModel(LabelledTargetFit, TransferModel):
    """Base of the methods that train an extractor and a head on two domains.

    A method adds its terms, calls `finish_init()`, and computes the terms from the
    outputs that `forward_train` returns:

    - "prediction": the head's answers for the rows that have labels, in y's order;
    - "source", "target": features (n, ...) and (m, ...);
    - "source_scores", "target_scores": the head's logits, float32, where the class
      attribute `reads_scores` is set.

    Args:
        extractor: A built model: input -> features.
        head: A built model: features -> logits (batch, classes).
        batch_norm: How the domains share batch normalisation, see `Passes`.
        head_output: "logits", "probabilities", or "auto", which reads it off the head's
            last layer.
        **kwargs: `name`.
    """

    reads_scores = False

    def __init__(
        self,
        extractor: keras.Model,
        head: keras.Model,
        *,
        batch_norm: str = "joint",
        head_output: str = "auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.extractor, self.head, self.batch_norm = extractor, head, batch_norm
        self.head_output = head_output
        check_fit(extractor, head)
        if self.reads_scores:
            self._kind = kind_of_outputs(head, head_output, "head")
        self._passes = Passes(self, extractor, batch_norm)

    def _without_frozen_parts(self, variables) -> list:
        # The source's scales rest with the layer whose scales they stand in for.
        passes = getattr(self, "_passes", None)
        resting = {id(v) for v in passes.scales(trainable=False)} if passes else ()
        found = super()._without_frozen_parts(variables)
        return [v for v in found if id(v) not in resting]

    def backbone_variables(self) -> list:
        """Return what trains as a part of the extractor, also of the source alone."""
        found = self.encoder_of("target").trainable_variables
        return [*found, *self._passes.scales(trainable=True)]

    def forward_train(self, x):
        domains = domains_of(x)
        source, target = self._passes(domains.source, domains.target)
        outputs = {"source": source, "target": target}
        if self.reads_scores:
            scores = self.head(ops.concatenate([source, target]), training=True)
            rows = ops.shape(source)[0]
            outputs["prediction"] = domains.of_labels(scores[:rows], scores[rows:])
            scores = as_logits(scores, self._kind)
            outputs |= {"source_scores": scores[:rows], "target_scores": scores[rows:]}
        else:
            features = domains.of_labels(source, target)
            outputs["prediction"] = self.head(features, training=True)
        return {**outputs, **self.forward_domains(domains, outputs)}

    def forward_domains(self, domains, outputs: dict) -> dict:
        """Return what a method computes besides; nothing by default.

        Args:
            domains: The batch's rows, `Domains`.
            outputs: As above.
        """
        return {}

    def evaluation_input(self, x):
        return x["source"] if isinstance(x, dict) else x  # the rows that y is of

    def encoder_of(self, domain: str) -> keras.Model:
        """Return the extractor that serves a domain, "source" or "target"."""
        return self.extractor

    @property
    def reads_source_apart(self) -> bool:
        """Whether the source's rows are read by another net or other averages."""
        other = self.encoder_of("source") is not self.encoder_of("target")
        return other or self.batch_norm in APART

    def features_of(self, x, domain: str):
        """Return features as in inference; of the source by averages of its own.

        Args:
            x: Rows (batch, ...).
            domain: "source" or "target".
        """
        return self._passes.inferred(x, domain)

    def answers_of(self, features):
        """Return the answers for features, as the deployed model gives them."""
        return self.head(features, training=False)

    def read(self, x, domain: str = "target") -> tuple:
        """Return what validation looks at: features and class probabilities.

        Args:
            x: Rows of the domain (batch, ...).
            domain: "source" or "target".

        Returns:
            Features (batch, ...) and probabilities (batch, classes), NumPy.
        """
        features = self.features_of(ops.convert_to_tensor(x), domain)
        kind = kind_of_outputs(self.head, self.head_output, "head")
        scores = as_logits(self.answers_of(features), kind)
        return tuple(map(ops.convert_to_numpy, (features, ops.softmax(scores))))

    def build_deployed(self):
        return chain(self.extractor, self.head, name=f"{self.name}_deployed")


def gathered(outputs: dict, names, across_replicas: bool) -> list:
    """Return outputs by name: of this replica's rows, or of those of all replicas."""
    values = [outputs[name] for name in names]
    return gather_replicas(values) if across_replicas else values


def check_several_classes(head: keras.Model) -> None:
    """Raise unless a head tells two classes or more, for what reads its softmax."""
    if head.output_shape[-1] == 1:
        raise ValueError(
            "Expected a head with two logits or more: the softmax of a single one is "
            f"always 1, which says nothing. Received: output {head.output_shape} of "
            f"'{head.name}'. Give two classes two logits, and a sparse loss."
        )


def check_fit(
    extractor: keras.Model, head: keras.Model, *, role: str = "extractor"
) -> None:
    """Raise unless both are built and the head takes what the extractor gives.

    Args:
        extractor: What gives the features.
        head: What takes them.
        role: What the first one is called, for the error text.
    """
    for part, model in ((role, extractor), ("head", head)):
        if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
            raise TypeError(
                f"Expected a built functional or Sequential model as `{part}`. "
                f"Received: {model!r}. Give it an Input."
            )
    features, taken = tuple(extractor.output_shape), tuple(head.input_shape)
    pairs = zip(features, taken, strict=False)
    unequal = any(a != b and None not in (a, b) for a, b in pairs)
    if len(features) != len(taken) or unequal:
        raise ValueError(
            f"Expected a head that takes the {role}'s features {features}. "
            f"Received: one that takes {taken}."
        )
