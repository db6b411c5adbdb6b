"""export: a SavedModel that answers encoded pictures with labels and scores.

The folder holds TensorFlow ops only, decoding included, so that TensorFlow Serving or
any process with TensorFlow loads it without Keras and without this package.
TensorFlow only.
"""

import dataclasses
import os
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tftransfer.core import check_range
from tftransfer.serving.served_model import ServedModel
from tftransfer.serving.served_model import served_model
from tftransfer.serving.service import Service
from tftransfer.serving.versions import version_folder

_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        path: The version folder.
        labels: Class names in output order.
        image_size: Pixels of the square that the model sees.
        top_k: Labels per answer.
        largest_difference: Between the scores of the Keras model and those of the
            SavedModel read back from disk, over a batch of noise pictures.
        size_mb: Size of the folder in 10^6 bytes.
    """

    path: pathlib.Path
    labels: tuple[str, ...]
    image_size: int
    top_k: int
    largest_difference: float
    size_mb: float


def export(
    model: keras.Model | str | os.PathLike,
    path: str | os.PathLike,
    *,
    labels: list[str] | None = None,
    top_k: int = 5,
    image_size: int | None = None,
) -> ExportResult:
    """Write a SavedModel that serves pictures, and check it against the model.

    Two signatures, both with the `top_k` best classes, best first:

    - `serving_default`: `image_bytes`, strings (batch,), encoded JPEG, PNG, GIF, BMP
      or WebP -> `labels` (batch, top_k) strings, `scores` (batch, top_k) float32
      probabilities, `error` (batch,) strings. A picture that cannot be decoded has its
      reason in `error`, labels "" and scores 0; the others are answered.
    - `image`: `image`, float32 (batch, image_size, image_size, 3) RGB in [0, 255] ->
      `labels`, `scores`.

    Args:
        model: A `Classifier`, any `keras.Model` from RGB in [0, 255] to logits or
            probabilities (batch, classes), or the path of a `.keras` file.
        path: `NAME/VERSION`, VERSION a number that does not exist yet; or `NAME`, for
            its next free version.
        labels: Class names in output order; None takes the model's `class_names`, else
            "0", "1", ... They are also written to `assets/labels.txt`.
        top_k: Labels per answer; at most the number of classes are given.
        image_size: Pixels of the square input; needed only where the model leaves
            it open.

    Returns:
        An `ExportResult`.

    Raises:
        FileExistsError: When the version exists.
        ValueError: When shapes or labels do not fit, or the SavedModel does not agree
            with the model (nothing is left behind then).

    Example:
        >>> import keras, tempfile, tftransfer as tft
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(),
        ...                           keras.layers.Dense(2)])
        >>> folder = tempfile.mkdtemp()
        >>> result = tft.export(model, folder + "/pets", labels=["cat", "dog"])
        >>> result.path.name, result.largest_difference < 1e-5
        ('1', True)
    """
    check_range("top_k", top_k, 1, 10_000)
    served = served_model(model, labels=labels, image_size=image_size)
    top_k = min(top_k, len(served.labels))
    target = version_folder(path)
    beside = next(folder for folder in target.parents if folder.is_dir())
    # A server that watches the folder must never see half a version.
    with tempfile.TemporaryDirectory(dir=beside, prefix=".export-") as scratch:
        written = pathlib.Path(scratch) / "model"
        _write(served, top_k, written, pathlib.Path(scratch))
        difference = _compare(served, top_k, written)
        size = sum(f.stat().st_size for f in written.rglob("*") if f.is_file())
        target.parent.mkdir(parents=True, exist_ok=True)
        written.rename(target)
    return ExportResult(
        path=target,
        labels=served.labels,
        image_size=served.image_size,
        top_k=top_k,
        largest_difference=difference,
        size_mb=round(size / 1e6, 3),
    )


def _write(
    served: ServedModel, top_k: int, folder: pathlib.Path, scratch: pathlib.Path
) -> None:
    labels_file = scratch / "labels.txt"
    labels_file.write_text("\n".join(served.labels) + "\n", encoding="utf-8")
    service = Service(served, top_k=top_k, labels_file=labels_file)
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # "Assets written to" names our scratch folder
    try:
        tf.saved_model.save(service, str(folder), signatures=service.endpoints())
    finally:
        logger.setLevel(level)


def _compare(served: ServedModel, top_k: int, folder: pathlib.Path) -> float:
    """Return the largest difference of scores, per label, after reading back."""
    shape = (4, served.image_size, served.image_size, 3)
    images = np.random.default_rng(1).uniform(0, 255, shape).astype("float32")
    expected = served.probabilities(images)
    answer = tf.saved_model.load(str(folder)).signatures["image"](image=images)
    place = {label.encode(): number for number, label in enumerate(served.labels)}
    columns = np.vectorize(place.__getitem__)(answer["labels"].numpy())
    again = np.take_along_axis(expected, columns, axis=1)
    best = -np.sort(-expected, axis=1)[:, :top_k]
    scores = answer["scores"].numpy()
    difference = max(np.abs(scores - again).max(), np.abs(scores - best).max())
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"Expected the SavedModel to agree with the Keras model to {_TOLERANCE}. "
            f"Received: a difference of {difference:.3g}. A layer that depends on "
            "state at inference cannot be served: take it out."
        )
    return float(difference)
