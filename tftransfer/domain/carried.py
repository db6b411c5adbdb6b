"""What a classifier gets of an adapted method, and how good that looks unlabelled.

TensorFlow only.
"""

import keras
import numpy as np
import tensorflow as tf

from tftransfer.core import as_logits
from tftransfer.core import kind_of_outputs
from tftransfer.domain.domain_model import DomainModel
from tftransfer.domain.target_scores import NEED_SOURCE
from tftransfer.domain.target_scores import target_scores

# +1 where a higher value is better.
VALIDATORS = {"information": 1, "snd": 1, "entropy": -1, "iwv": -1, "dev": -1}


class Carried:
    """A method's encoder of the target and one of its heads: the classifier to be.

    Of MCD's two heads it is the one that is right more often on the source's validation
    pictures, of equals the one of lower loss; without such pictures the first.

    Args:
        model: The method.
        classifier: The `Classifier` that it was built on.
        validation: Labelled batches of the source that do not train, or None.
        target: Batches of the target that do not train; labels are not read.
    """

    def __init__(self, model: DomainModel, classifier, validation, target):
        self.model, self.classifier = model, classifier
        self.validation = validation
        self.target = target.map(lambda *batch: batch[0])
        second = getattr(model, "second_head", None)
        self._heads = [model.head] if second is None else [model.head, second]
        read = _reader(model, "target", self._heads)
        self._nets = {"source": read, "target": read}
        if model.reads_source_apart:
            self._nets["source"] = _reader(model, "source", self._heads)

    def scores(self, validators) -> dict:
        """Return the source's "accuracy" and "loss", and the value of each validator.

        Args:
            validators: Names of `VALIDATORS`; NaN where the net diverged.
        """
        found, place = {}, 0
        if self.validation is not None:
            labels, features, answers = self._source()
            place = _better(labels, answers)
            found = _task_scores(labels, answers[place])
        seen, probabilities = self._nets["target"](self.target)
        probabilities = probabilities[place]
        source = None
        if set(validators) & set(NEED_SOURCE):
            source = labels, features, answers[place]
        return found | target_scores(validators, seen, probabilities, source)

    def hand_over(self) -> int:
        """Give the classifier the weights; returns which head's, from 0."""
        place = 0
        if self.validation is not None and len(self._heads) > 1:
            labels, _, answers = self._source()
            place = _better(labels, answers)
        for mine, its in (
            (self.classifier.backbone, self.model.encoder_of("target")),
            (self.classifier.head, self._heads[place]),
        ):
            if mine is not its:
                mine.set_weights(its.get_weights())
        return place

    def _source(self) -> tuple:
        """Return labels, features and each head's probabilities of the validation."""
        labels = []

        def pictures():
            for x, y, *_ in self.validation:
                labels.append(np.ravel(y))
                yield x

        features, answers = self._nets["source"](pictures())
        return np.concatenate(labels), features, answers


def _reader(model: DomainModel, domain: str, heads: list):
    """Return the function from batches to features and each head's probabilities."""
    kinds = [kind_of_outputs(head, model.head_output, "head") for head in heads]

    @tf.function(reduce_retracing=True)
    def run(x):
        # Of the source by averages of its own, where it has some: by the target's it
        # looks lost although it is not.
        features = model.features_of(x, domain)
        answers = [head(features, training=False) for head in heads]
        return features, [
            keras.ops.softmax(as_logits(each, kind))
            for each, kind in zip(answers, kinds)
        ]

    def read(batches) -> tuple:
        found = [run(x) for x in batches]
        features = _joined(each for each, _ in found)
        answers = zip(*(answers for _, answers in found))
        return features.reshape(len(features), -1), [*map(_joined, answers)]

    return read


def _joined(batches) -> np.ndarray:
    return np.concatenate([np.asarray(batch) for batch in batches])


def _task_scores(labels: np.ndarray, probabilities: np.ndarray) -> dict:
    true = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
        "loss": float(-np.mean(np.log(np.maximum(true, 1e-12)))),
    }


def _better(labels: np.ndarray, answers: list) -> int:
    """Return which head has more of the source right, of equals the lower loss."""
    found = [_task_scores(labels, each) for each in answers]
    return max(
        range(len(found)), key=lambda i: (found[i]["accuracy"], -found[i]["loss"])
    )
