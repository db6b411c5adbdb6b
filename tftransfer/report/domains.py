"""Classifiers on two domains: what can be said with target labels, and without.

TensorFlow only.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tftransfer.domain import answer_information
from tftransfer.domain import dev_risk
from tftransfer.domain import importance_weights
from tftransfer.domain import proxy_a_distance
from tftransfer.domain import reweighted_risk
from tftransfer.domain import soft_neighbourhood_density
from tftransfer.domain import target_entropy
from tftransfer.report.adaptation_noise import ScoredRows
from tftransfer.report.domain_bias import DomainBias
from tftransfer.report.domain_bias import measure_bias
from tftransfer.report.metrics import wilson_interval


@dataclasses.dataclass(frozen=True)
class DomainFacts:
    """One classifier on a source and a target.

    Attributes:
        source_right: (n,) bool, which validation pictures of the source it has right.
        scores: {validator: value} on the target pictures held out, without labels.
        a_distance: Proxy A-distance of the features, those held out against the
            source's validation, in [0, 2].
        predictions: (m,) its answers for all pictures of the target.
        confidence: (m,) their probabilities.
        target_right: (k,) bool by the target's labels, of the pictures that have one;
            None where none has.
        source_features: (n, d) of the validation pictures.
        target_features: (h, d) of the target pictures held out.
        rows: What the scores are means of.
        bias: How well the features tell the domains, and what is lost between them.
    """

    source_right: np.ndarray
    scores: dict
    a_distance: float
    predictions: np.ndarray
    confidence: np.ndarray
    target_right: np.ndarray | None
    source_features: np.ndarray
    target_features: np.ndarray
    rows: ScoredRows
    bias: DomainBias

    @property
    def source_accuracy(self) -> float:
        """Share of the source's validation pictures that are right."""
        return float(self.source_right.mean())

    @property
    def oracle(self) -> float | None:
        """Share of `target_right`; None without labels."""
        return None if self.target_right is None else float(self.target_right.mean())

    def numbers(self) -> dict:
        """Return what a JSON document says of it."""
        found = {
            "source_accuracy": self.source_accuracy,
            "source_interval": _interval(self.source_right),
            **self.scores,
            "a_distance": self.a_distance,
            **self.bias.numbers(),
        }
        if self.target_right is not None:
            found["oracle_accuracy"] = self.oracle
            found["oracle_interval"] = _interval(self.target_right)
            found["oracle_pictures"] = len(self.target_right)
        return found


def measure_adaptation(
    models: Mapping[str, object],
    validation,
    held_out,
    target,
    *,
    source_encoders: Mapping[str, object] | None = None,
) -> dict[str, DomainFacts]:
    """Measure classifiers on the same pictures of two domains.

    Args:
        models: {name: `Classifier`}.
        validation: Labelled pictures of the source that were not trained on.
        held_out: Pictures of the target that were not trained on; labels are not read.
        target: All pictures of the target; with labels the oracle is measured, on those
            of 0 or more: below 0 they are unknown.
        source_encoders: {name: backbone} of the source's features where it is not that
            of the classifier, as after ADDA.

    Returns:
        {name: facts}.
    """
    encoders = source_encoders or {}
    return {
        name: _facts(model, encoders.get(name), validation, held_out, target)
        for name, model in models.items()
    }


def _facts(model, encoder, validation, held_out, target) -> DomainFacts:
    read = _reader(model.backbone, model.head)
    of_source = read if encoder is None else _reader(encoder, model.head)
    source_features, answers, labels = of_source(validation)
    features, held, _ = read(held_out)
    all_features, whole, true = read(target)
    mistakes = (answers.argmax(axis=1) != labels).astype(float)
    folds = min(5, len(source_features), len(features))
    weights = importance_weights(source_features, features, folds=folds)
    if encoder is not None:
        _, answers, labels = read(validation)
    predictions = whole.argmax(axis=1)
    return DomainFacts(
        source_right=answers.argmax(axis=1) == labels,
        scores={
            "information": answer_information(held),
            "snd": soft_neighbourhood_density(held),
            "entropy": target_entropy(held),
            "iwv": reweighted_risk(mistakes, weights),
            "dev": dev_risk(mistakes, weights),
        },
        a_distance=proxy_a_distance(source_features, features, folds=folds),
        predictions=predictions,
        confidence=whole.max(axis=1),
        target_right=_right(predictions, true),
        source_features=source_features,
        target_features=features,
        rows=ScoredRows(held, mistakes, weights),
        bias=measure_bias((source_features, labels), features, (all_features, true)),
    )


def _right(predictions: np.ndarray, labels) -> np.ndarray | None:
    known = np.flatnonzero(labels >= 0) if labels is not None else []
    return predictions[known] == labels[known] if len(known) else None


def _reader(backbone, head):
    """Return the function from batches to features, probabilities and labels."""

    @tf.function(reduce_retracing=True)
    def run(x):
        features = backbone(x, training=False)
        scores = tf.cast(head(features, training=False), tf.float32)
        return features, tf.nn.softmax(scores)

    def read(batches) -> tuple:
        found, labels = [], []
        for batch in batches:
            x, *rest = batch if isinstance(batch, tuple) else (batch,)
            found.append([np.asarray(each) for each in run(x)])
            labels += [np.ravel(rest[0])] if rest else []
        features, answers = (np.concatenate(each) for each in zip(*found))
        return features, answers, np.concatenate(labels) if labels else None

    return read


def _interval(right: np.ndarray) -> list[float]:
    return list(wilson_interval(int(right.sum()), len(right)))
