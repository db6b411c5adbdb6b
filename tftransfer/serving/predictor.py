"""Predictor: pictures to labels by a model of any of our formats.

One way in for `tftransfer predict` and `tftransfer serve`, so that a model answers the
same wherever it is asked.
"""

import dataclasses
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tftransfer.core.validation import check_one_of
from tftransfer.core.validation import check_range
from tftransfer.data.decode import decode_image
from tftransfer.data.decode import reason_of
from tftransfer.serving.formats.artefact import Artefact

_ENGINES = ("auto", "tensorflow", "openvino", "onnxruntime", "litert")
_BATCH = 32
_KINDS = (
    "a .keras, .onnx, .tflite or .xml file, a SavedModel or a folder of "
    "`tftransfer train`"
)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model says of one picture.

    Attributes:
        labels: The best classes, best first; empty where there is an error.
        scores: Their probabilities.
        error: Why the picture was not read, or None.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...]
    error: str | None = None


class Predictor:
    """An exported or saved model that answers pictures.

    Nothing in the file is run but operations on arrays: Keras files load in safe mode,
    SavedModels that touch files are refused, and no format here unpickles.

    Args:
        path: What `tft.export` wrote in any format (of a SavedModel the version folder
            or the one above: its highest version), a `.keras` file, or a folder of
            `tftransfer train`.
        engine: "auto", the format's own, and for SavedModels and `.keras` files the
            faster of "tensorflow" and "openvino", measured when it starts where
            there are 1,000 pictures or more; or one of these by name.
        pictures: How many will come; None when nobody knows, which counts as many.

    Attributes:
        name: Of the model, from its path.
        version: Of the model, "1" where there are no versions.
        labels: Class names in output order.
        image_size: Pixels of the square that the model sees.
        format: "keras", "tf_saved_model", "onnx", "litert" or "openvino".
        engine: What computes.

    Raises:
        FileNotFoundError: When there is nothing at `path`.
        ImportError: When the packages of the format or engine are absent.
        ValueError: When it is none of these, or could run code.

    Example:
        >>> import tempfile, tftransfer as tft
        >>> model = tft.Classifier(tft.Backbone("tiny"), num_classes=2)
        >>> result = tft.export(model, tempfile.mkdtemp() + "/pets")
        >>> predictor = Predictor(result.path, engine="tensorflow")
        >>> predictor.probabilities(np.zeros((3, 32, 32, 3), "uint8")).shape
        (3, 2)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        engine: str = "auto",
        pictures: int | None = None,
    ):
        check_one_of("engine", engine, _ENGINES)
        path = _existing(pathlib.Path(path))
        self.name, self.version = _name_and_version(path)
        artefact = _read(path, engine, pictures)
        self.labels = artefact.labels
        self.image_size = artefact.image_size
        self.format = artefact.format
        self.engine = artefact.engine
        self._compute = artefact.compute

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return float32 probabilities (batch, classes); callable from many threads.

        Args:
            images: uint8 or float32 (batch, image_size, image_size, 3), RGB in
                [0, 255].

        Raises:
            ValueError: When the shape is another one.
        """
        images = np.asarray(images)
        expected = (self.image_size, self.image_size, 3)
        if images.shape[1:] != expected:
            raise ValueError(
                f"Expected pictures (batch, {self.image_size}, {self.image_size}, 3). "
                f"Received: {images.shape}. `tft.data.decode_image` makes them."
            )
        if not len(images):
            return np.zeros((0, len(self.labels)), np.float32)
        return self._compute(images)

    def predict(self, pictures, *, top_k: int = 5) -> list[Answer]:
        """Answer picture files or encoded pictures, each failing for itself.

        Args:
            pictures: Paths or bytes of JPEG, PNG, GIF, BMP or WebP pictures.
            top_k: Labels per answer, at most the number of classes.

        Returns:
            An `Answer` for each, in order.
        """
        check_range("top_k", top_k, 1, 10_000)
        pictures = list(pictures)
        answers = []
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(pictures), _BATCH):
                answers += self._batch(pool, pictures[start : start + _BATCH], top_k)
        return answers

    def _batch(self, pool, pictures, top_k: int) -> list[Answer]:
        decoded = list(pool.map(self._decoded, pictures))
        images = [image for image in decoded if isinstance(image, np.ndarray)]
        scores = iter(self.probabilities(np.stack(images)) if images else ())
        return [
            self._answer(next(scores), top_k)
            if isinstance(image, np.ndarray)
            else Answer((), (), image)
            for image in decoded
        ]

    def _decoded(self, picture) -> np.ndarray | str:
        """Return the picture, or why there is none."""
        try:
            return decode_image(picture, image_size=self.image_size)
        except (OSError, ValueError) as error:
            return reason_of(error)

    def _answer(self, scores: np.ndarray, top_k: int) -> Answer:
        best = np.argsort(-scores, kind="stable")[:top_k]
        return Answer(
            tuple(self.labels[i] for i in best), tuple(float(scores[i]) for i in best)
        )


def _existing(path: pathlib.Path) -> pathlib.Path:
    """Return the file, or the version folder, that `path` stands for."""
    if not path.exists():
        raise FileNotFoundError(
            f"Expected {_KINDS}. Received: '{path}', which does not exist."
        )
    if path.is_file():
        return path
    if (path / "model.keras").exists():
        return path / "model.keras"
    versions = [p for p in path.iterdir() if p.is_dir() and p.name.isdecimal()]
    folder = max(versions, key=lambda p: int(p.name)) if versions else path
    if not (folder / "saved_model.pb").exists():
        raise ValueError(
            f"Expected {_KINDS}. Received the folder '{path}', which holds neither "
            "model.keras nor a SavedModel."
        )
    return folder


def _name_and_version(path: pathlib.Path) -> tuple[str, str]:
    path = path.resolve()
    if path.is_dir() and path.name.isdecimal():
        return path.parent.name, path.name
    return (path.parent.name if path.name == "model.keras" else path.stem), "1"


def _read(path: pathlib.Path, engine: str, pictures: int | None) -> Artefact:
    if path.is_dir():
        from tftransfer.serving.formats.saved_model import read_saved_model

        return read_saved_model(path, engine, pictures)
    if path.suffix in (".keras", ".h5", ".hdf5"):
        from tftransfer.serving.formats.keras_file import read_keras

        return read_keras(path, engine, pictures)
    if path.suffix == ".onnx":
        from tftransfer.serving.formats.onnx_file import read_onnx

        return read_onnx(path, engine)
    if path.suffix == ".tflite":
        from tftransfer.serving.formats.litert_file import read_litert

        return read_litert(path, engine)
    if path.suffix == ".xml":
        from tftransfer.serving.formats.openvino_file import read_openvino

        return read_openvino(path, engine)
    raise ValueError(f"Expected {_KINDS}. Received the file '{path}'.")
