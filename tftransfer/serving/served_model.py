"""What is served: a Keras model of pictures, its labels and its geometry, checked."""

import dataclasses
import os

import keras
import numpy as np

from tftransfer.core import check_image_shape
from tftransfer.loading import load_model


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A model ready for export.

    Attributes:
        model: RGB [0, 255] (batch, image_size, image_size, 3) -> (batch, classes).
        labels: One distinct name per class, in output order.
        image_size: Pixels of the square that the model takes.
        gives_probabilities: Whether the model ends in softmax; else it gives logits.
    """

    model: keras.Model
    labels: tuple[str, ...]
    image_size: int
    gives_probabilities: bool

    @property
    def input_shape(self) -> tuple:
        """Shape of a batch, (None, image_size, image_size, 3)."""
        return (None, self.image_size, self.image_size, 3)

    @property
    def variables(self) -> list:
        """The model's variables."""
        return self.model.variables

    def __call__(self, images, training: bool = False):
        """Return float32 probabilities (batch, classes), as a tensor."""
        outputs = keras.ops.cast(self.model(images, training=training), "float32")
        return outputs if self.gives_probabilities else keras.ops.softmax(outputs)

    def probabilities(self, images) -> np.ndarray:
        """Return the model's probabilities (batch, classes) for `images`, float32."""
        return keras.ops.convert_to_numpy(self(images))


def served_model(
    model: keras.Model | str | os.PathLike,
    *,
    labels: list[str] | None = None,
    image_size: int | None = None,
) -> ServedModel:
    """Load, unwrap and check what is to be served.

    Args:
        model: A `Classifier` or another method with `deployed`, any `keras.Model` of
            pictures, or the path of a `.keras` file that holds one.
        labels: Class names; None takes the model's `class_names`, else "0", "1", ...
        image_size: Pixels of the square input; None takes the model's own.

    Raises:
        ValueError: When shapes, labels or outputs do not fit.
        FileNotFoundError: When `model` is a path that does not exist.
    """
    if isinstance(model, str | os.PathLike):
        model = load_model(model, compile=False)
    names = labels if labels is not None else getattr(model, "class_names", None)
    model = getattr(model, "deployed", model)
    size = _image_size(model, image_size)
    outputs = _outputs_for_noise(model, size)
    _check_outputs(outputs)
    again = _outputs_for_noise(model, size)
    if not np.allclose(outputs, again, rtol=1e-3, atol=1e-5):
        raise ValueError(
            "Expected the same outputs for the same pictures. Received: a difference "
            f"of {np.abs(outputs - again).max():.3g}. A layer that is random at "
            "inference cannot be served: take it out."
        )
    return ServedModel(
        model, _labels(names, outputs.shape[1]), size, _is_softmax(outputs)
    )


def _image_size(model: keras.Model, image_size: int | None) -> int:
    shape = tuple(model.input_shape)
    check_image_shape("model.input_shape", shape)
    sides = {side for side in shape[1:3] if side is not None}
    if image_size is not None:
        sides.add(image_size)
    if len(sides) != 1:
        raise ValueError(
            f"Expected a model of square pictures of one size. Received: input shape "
            f"{shape} and `image_size` {image_size}. Give the `image_size` that the "
            "model was trained with."
        )
    return sides.pop()


def _outputs_for_noise(model: keras.Model, size: int) -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (4, size, size, 3))
    outputs = model(noise.astype("float32"), training=False)
    return keras.ops.convert_to_numpy(outputs).astype("float64")


def _check_outputs(outputs: np.ndarray) -> None:
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise ValueError(
            "Expected a model with output (batch, classes), two classes or more. "
            f"Received: {outputs.shape}. A single sigmoid output: give the model two "
            "logits, `[0, logit]`."
        )
    if not np.isfinite(outputs).all():
        raise ValueError(
            "Expected finite outputs. Received: NaN or infinity for pictures of noise "
            "in [0, 255]. Was the training stable?"
        )


def _is_softmax(outputs: np.ndarray) -> bool:
    """Say whether rows are distributions; half precision sums to 1 within 1e-2."""
    sums = outputs.sum(axis=1)
    return bool((outputs >= 0).all() and np.allclose(sums, 1.0, atol=1e-2))


def _labels(names: list[str] | None, classes: int) -> tuple[str, ...]:
    names = tuple(map(str, range(classes) if names is None else names))
    if len(names) != classes or len(set(names)) != classes:
        raise ValueError(
            f"Expected {classes} distinct `labels`, one per class. Received: "
            f"{len(names)}, of which {len(set(names))} are distinct."
        )
    if any(not name or "\n" in name for name in names):
        raise ValueError(
            "Expected labels of one line, not empty: they are stored one a line. "
            f"Received: {[name for name in names if not name or chr(10) in name]}."
        )
    return names
