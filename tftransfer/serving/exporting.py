"""export: a trained model to a file or folder that serves without Keras.

Every format holds preprocessing and labels, is read back and compared with the Keras
model on real pictures before it appears under its name. TensorFlow only.
"""

import dataclasses
import os
import pathlib
import tempfile
import warnings

import keras
import numpy as np

from tftransfer.core import check_range
from tftransfer.core.validation import check_one_of
from tftransfer.serving.comparing import Agreement
from tftransfer.serving.comparing import compare
from tftransfer.serving.comparing import some_pictures
from tftransfer.serving.export_result import ExportResult
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.formats.litert_file import read_litert
from tftransfer.serving.formats.litert_file import write_litert
from tftransfer.serving.formats.onnx_file import read_onnx
from tftransfer.serving.formats.onnx_file import write_onnx
from tftransfer.serving.formats.openvino_file import read_openvino
from tftransfer.serving.formats.openvino_file import write_openvino
from tftransfer.serving.formats.saved_model import check_top_k
from tftransfer.serving.formats.saved_model import read_saved_model
from tftransfer.serving.formats.saved_model import write_saved_model
from tftransfer.serving.served_model import ServedModel
from tftransfer.serving.served_model import served_model
from tftransfer.serving.versions import version_folder

SUFFIXES = {".onnx": "onnx", ".tflite": "litert", ".xml": "openvino"}
FORMATS = ("tf_saved_model", *SUFFIXES.values())
_QUANTIZED = {"litert": ("float16", "int8"), "openvino": ("float16",)}
_TOLERANCE = {"tf_saved_model": 1e-5, "onnx": 1e-4, "litert": 1e-4, "openvino": 1e-4}
_BATCH = 32
_REPRESENTATIVE = 200
_FEW_REPRESENTATIVE = 20
_POOR_AGREEMENT = 0.95


def export(
    model: keras.Model | str | os.PathLike,
    path: str | os.PathLike,
    *,
    format: str | None = None,
    labels: list[str] | None = None,
    top_k: int = 5,
    image_size: int | None = None,
    quantize: str | None = None,
    representative=None,
    pictures=None,
) -> ExportResult:
    """Write a model for serving, read it back and compare it with the model.

    A SavedModel has three signatures; the first two answer the `top_k` best classes,
    best first:

    - `serving_default`: `image_bytes`, strings (batch,), encoded JPEG, PNG, GIF, BMP
      or WebP -> `labels` (batch, top_k) strings, `scores` (batch, top_k) float32
      probabilities, `error` (batch,) strings. A picture that cannot be decoded has its
      reason in `error`, labels "" and scores 0; the others are answered.
    - `image`: `image`, float32 (batch, image_size, image_size, 3) RGB in [0, 255] ->
      `labels`, `scores`.
    - `probabilities`: the same input -> `scores` (batch, classes), in label order.

    The other formats take `image` and give `scores` as the last one does, and hold the
    labels as metadata. `tft.Predictor` answers picture files by any of them.

    Args:
        model: A `Classifier`, any `keras.Model` from RGB in [0, 255] to logits or
            probabilities (batch, classes), or the path of a `.keras` file.
        path: Of a SavedModel `NAME/VERSION`, VERSION a number that does not exist yet,
            or `NAME`, for its next free version. Of the others the file: NAME.onnx,
            NAME.tflite, NAME.xml (OpenVINO, with NAME.bin beside it).
        format: "tf_saved_model", "onnx", "litert" or "openvino", Keras' own names; None
            takes it from the path's suffix.
        labels: Class names in output order; None takes the model's `class_names`, else
            "0", "1", ...
        top_k: Labels per answer of a SavedModel; at most the number of classes are
            given.
        image_size: Pixels of the square input; needed only where the model leaves
            it open.
        quantize: None; "float16", weights at half the size (LiteRT, OpenVINO); or
            "int8", weights and activations at a quarter (LiteRT), layers that
            suffer left in float. Labels take no part.
        representative: For int8: pictures of the kind to come, as
            `tft.data.as_dataset` takes them; 200 are drawn. Training pictures serve.
        pictures: Pictures to compare on, of which 512 are drawn; None: parts of the
            two photographs that scikit-learn ships.

    Returns:
        An `ExportResult`.

    Raises:
        FileExistsError: When the version or file exists.
        ImportError: When the format's packages are absent.
        ValueError: When shapes, labels or options do not fit, or what was written does
            not agree with the model (nothing is left behind then).

    Example:
        >>> import keras, tempfile, tftransfer as tft
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(),
        ...                           keras.layers.Dense(2)])
        >>> folder = tempfile.mkdtemp()
        >>> result = tft.export(model, folder + "/pets", labels=["cat", "dog"])
        >>> result.path.name, result.largest_difference < 1e-5, result.agreement
        ('1', True, 1.0)
    """
    check_range("top_k", top_k, 1, 10_000)
    format = _format(format, pathlib.Path(path))
    _check_quantize(format, quantize, representative)
    target = version_folder(path) if format == "tf_saved_model" else _new_file(path)
    served = served_model(model, labels=labels, image_size=image_size)
    order = _Order(
        served, format, quantize, min(top_k, len(served.labels)), representative
    )
    images = some_pictures(pictures, image_size=served.image_size)
    beside = next(folder for folder in target.parents if folder.is_dir())
    # A server that watches the folder must never see half a version.
    with tempfile.TemporaryDirectory(dir=beside, prefix=".export-") as scratch:
        written = pathlib.Path(scratch) / "written" / target.name
        written.parent.mkdir()
        artefact, kept = order.write(written, pathlib.Path(scratch), images)
        agreement = compare(served, artefact, images)
        _check_agreement(agreement, order)
        size = _move(written.parent, target)
    return ExportResult(
        path=target,
        format=format,
        quantize=quantize,
        labels=served.labels,
        image_size=served.image_size,
        top_k=order.top_k,
        pictures=agreement.pictures,
        largest_difference=agreement.largest_difference,
        agreement=agreement.top1,
        float_layers=kept,
        size_mb=round(size / 1e6, 3),
    )


@dataclasses.dataclass(frozen=True)
class _Order:
    """What is to be written, checked."""

    served: ServedModel
    format: str
    quantize: str | None
    top_k: int
    representative: object

    def write(self, path, scratch, images) -> tuple[Artefact, tuple[str, ...]]:
        """Write to `path`, read it back; also return the layers that stay float."""
        if self.format == "tf_saved_model":
            write_saved_model(self.served, path, scratch, top_k=self.top_k)
            check_top_k(self.served, path, images[:_BATCH])
            return read_saved_model(path, "tensorflow"), ()
        if self.format == "onnx":
            write_onnx(self.served, path)
            return read_onnx(path), ()
        if self.format == "openvino":
            write_openvino(self.served, path, quantize=self.quantize)
            return read_openvino(path), ()
        kept = write_litert(
            self.served,
            path,
            scratch,
            quantize=self.quantize,
            representative=self._representative(),
        )
        return read_litert(path), kept

    def _representative(self) -> np.ndarray | None:
        if self.representative is None:
            return None
        found = some_pictures(
            self.representative,
            image_size=self.served.image_size,
            most=_REPRESENTATIVE,
        )
        if len(found) < _FEW_REPRESENTATIVE:
            raise ValueError(
                f"Expected {_FEW_REPRESENTATIVE} `representative` pictures or more, to "
                f"see the range of every activation. Received: {len(found)}."
            )
        return found


def _format(format: str | None, path: pathlib.Path) -> str:
    by_suffix = SUFFIXES.get(path.suffix, "tf_saved_model")
    if format is None:
        return by_suffix
    check_one_of("format", format, FORMATS)
    if format != by_suffix:
        suffix = {name: suffix for suffix, name in SUFFIXES.items()}.get(format)
        wanted = "a folder" if suffix is None else f"a path that ends in '{suffix}'"
        raise ValueError(
            f"Expected {wanted} for `format={format!r}`. Received: '{path}'."
        )
    return format


def _check_quantize(format: str, quantize: str | None, representative) -> None:
    offered = _QUANTIZED.get(format, ())
    if quantize is not None and quantize not in offered:
        raise ValueError(
            f"Expected `quantize` None{''.join(f' or {q!r}' for q in offered)} for "
            f"`format={format!r}`. Received: {quantize!r}."
        )
    if (quantize == "int8") != (representative is not None):
        raise ValueError(
            "Expected `representative` pictures with `quantize='int8'`, and only then: "
            "they show the range of every activation. Received: "
            f"quantize={quantize!r} and {type(representative).__name__}."
        )


def _new_file(path: str | os.PathLike) -> pathlib.Path:
    path = pathlib.Path(path)
    if path.exists():
        raise FileExistsError(
            f"Expected a file that does not exist yet. Received: '{path}'. Remove it "
            "or give another name."
        )
    return path


def _check_agreement(agreement: Agreement, order: _Order) -> None:
    if order.quantize is None:
        tolerance = _TOLERANCE[order.format]
        if not agreement.largest_difference <= tolerance:
            raise ValueError(
                f"Expected what was written to agree with the Keras model to "
                f"{tolerance}. Received: a difference of "
                f"{agreement.largest_difference:.3g}. A layer that depends on state at "
                "inference cannot be served: take it out."
            )
    elif agreement.top1 < _POOR_AGREEMENT:
        warnings.warn(
            f"`quantize={order.quantize!r}` names another class than the Keras model "
            f"for {1 - agreement.top1:.1%} of {agreement.pictures} pictures. Compare "
            "both on labelled pictures before it is used."
        )


def _move(written: pathlib.Path, target: pathlib.Path) -> int:
    """Move all that was written beside `target`; return the bytes."""
    size = sum(f.stat().st_size for f in written.rglob("*") if f.is_file())
    target.parent.mkdir(parents=True, exist_ok=True)
    # The named file last: an .xml without its .bin is never seen.
    for part in sorted(written.iterdir(), key=lambda part: part.name == target.name):
        part.rename(target.parent / part.name)
    return size
