"""What every format is once it was read: labels, geometry and a function."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Artefact:
    """An exported model that is ready to compute.

    Attributes:
        labels: Class names in output order.
        image_size: Pixels of the square that it takes.
        format: "keras", "tf_saved_model", "onnx", "litert" or "openvino".
        engine: What computes: "tensorflow", "openvino", "onnxruntime" or "litert".
        compute: uint8 or float32 (batch, image_size, image_size, 3) RGB in [0, 255] ->
            float32 probabilities (batch, classes); callable from several threads.
    """

    labels: tuple[str, ...]
    image_size: int
    format: str
    engine: str
    compute: Callable[[np.ndarray], np.ndarray]


def only_engine(wanted: str, engine: str, what: str) -> None:
    """Raise unless `wanted` is "auto" or the one engine that runs this format."""
    if wanted not in ("auto", engine):
        raise ValueError(
            f"Expected `engine` 'auto' or '{engine}' for {what}. Received: {wanted!r}. "
            "SavedModels and .keras files run through TensorFlow and OpenVINO."
        )
