"""evaluate_classifier: one pass over labelled pictures, all numbers of the report.

TensorFlow only: pictures come as a `tf.data.Dataset`.
"""

import keras
import numpy as np
import tensorflow as tf

from tftransfer.report.evaluation import Evaluation
from tftransfer.report.mistakes import WorstMistakes


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
        batch_size: Pictures per step, for what is not a `tf.data.Dataset`.

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
    known = getattr(model, "class_names", None)
    served = getattr(model, "deployed", model)
    classes = served.output_shape[-1]
    batches = _as_batches(dataset, served, batch_size, known)
    names = _class_names(known, getattr(batches, "class_names", None), classes)
    tally = _Tally(classes, worst)
    predict = tf.function(
        lambda x: tf.cast(served(x, training=False), tf.float32), reduce_retracing=True
    )
    for batch in batches:
        pictures, labels = _pair(batch)
        tally.add(pictures, labels, predict(batch[0]).numpy())
    return tally.finish(names, _paths(batches, tally))


class _Tally:
    """Running counts over batches."""

    def __init__(self, classes: int, worst: int):
        self.classes = classes
        self.labels, self.predictions, self.scores = [], [], []
        self.log_loss, self.top5_hits, self.count = 0.0, 0, 0
        self.worst = WorstMistakes(worst)
        self.is_logits = None

    def add(self, pictures, labels: np.ndarray, outputs: np.ndarray) -> None:
        if not np.isfinite(outputs).all():
            raise ValueError(
                "Expected finite outputs. Received: NaN or infinity. Did the training "
                "diverge?"
            )
        if self.is_logits is None:
            self.is_logits = not _is_distribution(outputs)
        probabilities = _softmax(outputs) if self.is_logits else outputs
        labels = _integer_labels(labels, self.classes)
        rows = np.arange(len(labels))
        predictions = probabilities.argmax(axis=1).astype("int32")
        true = probabilities[rows, labels]
        scores = probabilities[rows, predictions]
        self.log_loss -= float(np.log(np.maximum(true, 1e-12)).sum())
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
        self.top5_hits += int((best == labels[:, None]).any(axis=1).sum())
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
            class_names=names,
            labels=labels,
            predictions=predictions,
            scores=np.concatenate(self.scores),
            confusion=confusion,
            mean_log_loss=self.log_loss / self.count,
            top5_hits=self.top5_hits if self.classes > 5 else None,
            mistakes=self.worst.ranked(paths),
        )


def _class_names(known, given, classes: int) -> tuple[str, ...]:
    """Return the model's names, else the dataset's, else numbers."""
    names = known if known is not None else given
    names = tuple(map(str, range(classes) if names is None else names))
    if len(names) != classes:
        raise ValueError(
            f"Expected {classes} class names, as the model has {classes} outputs. "
            f"Received: {len(names)}. Is the dataset the one of this model?"
        )
    given = names if given is None else tuple(map(str, given))
    if given != names and sorted(given) == sorted(names):
        raise ValueError(
            f"Expected labels in the model's order, {list(names)}. Received a dataset "
            f"with {list(given)}. Give `as_dataset` the model's `class_names`."
        )
    return names


def _as_batches(
    dataset, model: keras.Model, batch_size: int, class_names
) -> tf.data.Dataset:
    if isinstance(dataset, tf.data.Dataset):
        return dataset
    from tftransfer.data import as_dataset

    size = model.input_shape[1]
    if size is None:
        raise ValueError(
            "Expected a `tf.data.Dataset`, as the model takes pictures of any size. "
            f"Received: {type(dataset).__name__}. Use `tft.data.as_dataset(data, "
            "image_size=...)` with the size that it was trained with."
        )
    return as_dataset(
        dataset, image_size=size, batch_size=batch_size, class_names=class_names
    )


def _pair(batch) -> tuple:
    if not isinstance(batch, tuple) or len(batch) < 2 or len(batch[0].shape) != 4:
        raise ValueError(
            "Expected batches of (pictures (batch, height, width, 3), labels). "
            f"Received: {tf.nest.map_structure(lambda t: tuple(t.shape), batch)}. "
            "Batch the dataset with `.batch(32)` and keep its labels."
        )
    return np.asarray(batch[0]), np.asarray(batch[1])


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
