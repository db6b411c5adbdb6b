"""SavedModel: a folder of TensorFlow ops only, decoding of pictures included.

TensorFlow Serving or any process with TensorFlow loads it without Keras and without
this package. TensorFlow only.
"""

import pathlib

import numpy as np
import tensorflow as tf

from tftransfer.inference.engines import Engines
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.formats.harmless import check_harmless
from tftransfer.serving.quietly import quietly
from tftransfer.serving.served_model import ServedModel
from tftransfer.serving.service import Service

_TOLERANCE = 1e-5


def write_saved_model(
    served: ServedModel, folder: pathlib.Path, scratch: pathlib.Path, *, top_k: int
) -> None:
    """Write the folder; `scratch` is another one for a file on the way."""
    labels_file = scratch / "labels.txt"
    labels_file.write_text("\n".join(served.labels) + "\n", encoding="utf-8")
    service = Service(served, top_k=top_k, labels_file=labels_file)
    with quietly():
        tf.saved_model.save(service, str(folder), signatures=service.endpoints())


def read_saved_model(
    folder: pathlib.Path, engine: str = "auto", pictures: int | None = None
) -> Artefact:
    """Return a version folder as an `Artefact`.

    Args:
        folder: Holds `saved_model.pb` and `assets/labels.txt`.
        engine: "tensorflow", "openvino" or "auto", the faster of them.
        pictures: How many will come, None when nobody knows: with few, "auto" does not
            measure.

    Raises:
        ValueError: When it was not written by `tft.export`, or holds an operation that
            touches files or runs Python.
    """
    check_harmless(folder)
    with quietly():
        loaded = tf.saved_model.load(str(folder))
    labels_file = folder / "assets" / "labels.txt"
    if "probabilities" not in loaded.signatures or not labels_file.is_file():
        raise ValueError(
            "Expected a SavedModel that `tft.export` wrote, with the signature "
            f"'probabilities' and `assets/labels.txt`. Received: '{folder}' with the "
            f"signatures {list(loaded.signatures)}. Export the model again."
        )
    net = _Net(loaded)
    function = Engines(net).choose(engine, pictures)

    def compute(images: np.ndarray) -> np.ndarray:
        return np.asarray(function(images)[0])

    return Artefact(
        labels=tuple(labels_file.read_text(encoding="utf-8").splitlines()),
        image_size=net.input_shape[1],
        format="tf_saved_model",
        engine=function.name,
        compute=compute,
    )


def check_top_k(served: ServedModel, folder: pathlib.Path, images: np.ndarray) -> None:
    """Raise unless the signature `image` gives each label the model's probability."""
    with quietly():
        loaded = tf.saved_model.load(str(folder))
    images = images.astype("float32")
    answer = loaded.signatures["image"](image=images)
    expected = served.probabilities(images)
    place = {label.encode(): number for number, label in enumerate(served.labels)}
    columns = np.vectorize(place.__getitem__)(answer["labels"].numpy())
    scores = answer["scores"].numpy()
    again = np.take_along_axis(expected, columns, axis=1)
    best = -np.sort(-expected, axis=1)[:, : scores.shape[1]]
    difference = max(np.abs(scores - again).max(), np.abs(scores - best).max())
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"Expected the SavedModel to agree with the Keras model to {_TOLERANCE}. "
            f"Received: a difference of {difference:.3g}. A layer that depends on "
            "state at inference cannot be served: take it out."
        )


class _Net:
    """A loaded SavedModel with the face of a Keras model, as `Engines` takes it."""

    variables = ()  # nobody changes them

    def __init__(self, loaded):
        self._loaded = loaded  # its signatures do not keep it alive
        self._signature = loaded.signatures["probabilities"]
        specification = self._signature.structured_input_signature[1]["image"]
        self.input_shape = tuple(specification.shape)

    def __call__(self, images, training: bool = False):
        return self._signature(image=images)["scores"]
