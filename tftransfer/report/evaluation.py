"""evaluate_classifier: one pass over labelled pictures, all numbers of the report.

TensorFlow only: pictures come as a `tf.data.Dataset`.
"""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tftransfer.report.metrics import Calibration
from tftransfer.report.metrics import ClassScores
from tftransfer.report.metrics import calibration
from tftransfer.report.metrics import class_scores
from tftransfer.report.metrics import wilson_interval
from tftransfer.report.mistakes import Mistake
from tftransfer.report.mistakes import WorstMistakes


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a classifier did on labelled pictures.

    Attributes:
        class_names: One name per class.
        labels: (n,) int32, the true classes in the dataset's order.
        predictions: (n,) int32, the classes with the highest score.
        scores: (n,) float32, the probability that the model gave its prediction.
        confusion: (classes, classes) int64, rows true, columns predicted.
        mean_log_loss: Mean of -log(probability of the true class), nats.
        top5_hits: Pictures whose class is among the five best; None below 6 classes.
        mistakes: The confident mistakes, worst first, with thumbnails.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    predictions: np.ndarray
    scores: np.ndarray
    confusion: np.ndarray
    mean_log_loss: float
    top5_hits: int | None
    mistakes: tuple[Mistake, ...]

    @property
    def count(self) -> int:
        """Number of pictures."""
        return len(self.labels)

    @property
    def correct(self) -> int:
        """Number of pictures that were classified rightly."""
        return int(np.trace(self.confusion))

    @property
    def accuracy(self) -> float:
        """Share of pictures classified rightly, in [0, 1]."""
        return self.correct / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the accuracy."""
        return wilson_interval(self.correct, self.count)

    @property
    def top5_accuracy(self) -> float | None:
        """Share whose class is among the five best; None below 6 classes."""
        return None if self.top5_hits is None else self.top5_hits / self.count

    @functools.cached_property
    def per_class(self) -> list[ClassScores]:
        """Precision, recall, F1 and support of every class."""
        return class_scores(self.confusion, self.class_names)

    @functools.cached_property
    def calibration(self) -> Calibration:
        """Confidence against accuracy, and the expected calibration error."""
        return calibration(self.scores, self.labels == self.predictions)

    def most_confused(self, count: int = 10) -> list[tuple[str, str, int]]:
        """Return (true class, predicted class, pictures), most pictures first."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        places = [np.unravel_index(i, wrong.shape) for i in order if wrong.flat[i]]
        names = self.class_names
        return [(names[row], names[col], int(wrong[row, col])) for row, col in places]


def evaluate_classifier(
    model: keras.Model, dataset, *, worst: int = 24, batch_size: int = 32
) -> Evaluation:
    """Run `model` once over `dataset` and count.

    Memory does not grow with the pictures: only thumbnails of the worst mistakes stay.

    Args:
        model: A `Classifier` or any `keras.Model` from RGB in [0, 255] to logits or
            probabilities (batch, classes).
        dataset: Batched `tf.data.Dataset` of (pictures, labels), or what
            `tft.data.as_dataset` takes with labels: arrays `(x, y)`, a folder. Labels
            are integers (batch,) or one-hot (batch, classes).
        worst: Number of mistakes kept as thumbnails.
        batch_size: Pictures per step, for what is not batched yet.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: When there are no pictures or labels do not fit the output.

    Example:
        >>> import keras, numpy as np
        >>> model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(),
        ...                           keras.layers.Dense(2)])
        >>> x = np.zeros((6, 4, 4, 3), "float32")
        >>> evaluate_classifier(model, (x, np.zeros(6, "int32"))).count
        6
    """
    names = getattr(model, "class_names", None)
    names = names or getattr(dataset, "class_names", None)
    served = getattr(model, "deployed", model)
    batches = _as_batches(dataset, served, batch_size)
    tally = _Tally(served.output_shape[-1], worst)
    predict = tf.function(
        lambda x: tf.cast(served(x, training=False), tf.float32), reduce_retracing=True
    )
    for batch in batches:
        pictures, labels = _pair(batch)
        tally.add(pictures, labels, predict(pictures).numpy())
    return tally.finish(names, _paths(dataset, tally))


class _Tally:
    """Running counts over batches."""

    def __init__(self, classes: int, worst: int):
        self.classes = classes
        self.labels, self.predictions, self.scores = [], [], []
        self.log_loss, self.top5_hits, self.count = 0.0, 0, 0
        self.worst = WorstMistakes(worst)
        self.is_logits = None

    def add(self, pictures, labels: np.ndarray, outputs: np.ndarray) -> None:
        if self.is_logits is None:
            self.is_logits = not _is_distribution(outputs)
        probabilities = _softmax(outputs) if self.is_logits else outputs
        labels = _integer_labels(labels, self.classes)
        rows = np.arange(len(labels))
        predictions = probabilities.argmax(axis=1).astype("int32")
        true = probabilities[rows, labels]
        scores = probabilities[rows, predictions]
        self.log_loss -= float(np.log(np.maximum(true, 1e-12)).sum())
        better = (probabilities > true[:, None]).sum(axis=1)
        self.top5_hits += int((better < 5).sum())
        for row in np.flatnonzero(predictions != labels):
            self.worst.offer(
                self.count + int(row),
                pictures[row],
                label=int(labels[row]),
                prediction=int(predictions[row]),
                score=float(scores[row]),
                true_score=float(true[row]),
            )
        self.count += len(labels)
        self.labels.append(labels)
        self.predictions.append(predictions)
        self.scores.append(scores.astype("float32"))

    def finish(self, names, paths) -> Evaluation:
        if not self.count:
            raise ValueError(
                "Expected a dataset with pictures. Received: none. Is the validation "
                "part of the split empty?"
            )
        labels = np.concatenate(self.labels)
        predictions = np.concatenate(self.predictions)
        confusion = np.zeros((self.classes, self.classes), "int64")
        np.add.at(confusion, (labels, predictions), 1)
        return Evaluation(
            class_names=tuple(map(str, names or range(self.classes))),
            labels=labels,
            predictions=predictions,
            scores=np.concatenate(self.scores),
            confusion=confusion,
            mean_log_loss=self.log_loss / self.count,
            top5_hits=self.top5_hits if self.classes > 5 else None,
            mistakes=self.worst.ranked(paths),
        )


def _as_batches(dataset, model: keras.Model, batch_size: int) -> tf.data.Dataset:
    if isinstance(dataset, tf.data.Dataset):
        return dataset
    from tftransfer.data import as_dataset

    size = model.input_shape[1]
    return as_dataset(dataset, image_size=size, batch_size=batch_size)


def _pair(batch) -> tuple:
    if not isinstance(batch, tuple) or len(batch) < 2 or len(batch[0].shape) != 4:
        raise ValueError(
            "Expected batches of (pictures (batch, height, width, 3), labels). "
            f"Received: {tf.nest.map_structure(lambda t: tuple(t.shape), batch)}. "
            "Batch the dataset with `.batch(32)` and keep its labels."
        )
    return batch[0], np.asarray(batch[1])


def _integer_labels(labels: np.ndarray, classes: int) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == classes > 1:
        labels = labels.argmax(axis=1)
    labels = labels.reshape(-1).astype("int32")
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"Expected labels 0 to {classes - 1}, as the model has {classes} outputs. "
            f"Received: {labels.min()} to {labels.max()}."
        )
    return labels


def _is_distribution(outputs: np.ndarray) -> bool:
    sums = outputs.sum(axis=1)
    return bool((outputs >= 0).all() and np.allclose(sums, 1.0, atol=1e-2))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _paths(dataset, tally: _Tally) -> list | None:
    """Return the pictures' paths when the dataset states them in the order it gives."""
    paths, labels = getattr(dataset, "paths", None), getattr(dataset, "labels", None)
    if paths is None or labels is None or len(paths) != tally.count:
        return None
    seen = np.concatenate(tally.labels) if tally.labels else np.zeros(0, "int32")
    in_order = np.array_equal(np.asarray(labels), seen)
    return [str(path) for path in paths] if in_order else None
