"""LiteRT (TensorFlow Lite): one file for phones and small devices.

Converted from a SavedModel alone: from a concrete function the converter of TensorFlow
2.21 makes files that answer NaN. The labels lie inside as `labels.txt` of an appended
zip archive, where the metadata of TensorFlow Lite keeps associated files.
TensorFlow only.
"""

import pathlib
import zipfile

import numpy as np
import tensorflow as tf

from tftransfer.inference.frozen_function import frozen
from tftransfer.serving.formats.artefact import Artefact
from tftransfer.serving.formats.artefact import only_engine
from tftransfer.serving.formats.litert_function import LiteRTFunction
from tftransfer.serving.formats.litert_int8 import int8_model
from tftransfer.serving.quietly import quietly
from tftransfer.serving.served_model import ServedModel

_LABELS = "labels.txt"


def write_litert(
    served: ServedModel,
    path: pathlib.Path,
    scratch: pathlib.Path,
    *,
    quantize: str | None,
    representative: np.ndarray | None,
) -> tuple[str, ...]:
    """Write `image` float32 (1, size, size, 3) -> `scores` float32 (1, classes).

    Args:
        served: The model.
        path: NAME.tflite.
        scratch: A folder for files on the way.
        quantize: None, "float16" (weights) or "int8" (weights and activations; input
            and output stay float32).
        representative: Pictures uint8 (n, size, size, 3), for int8.

    Returns:
        Names of the layers that int8 keeps in float.
    """
    folder = scratch / "litert"
    module = tf.Module()
    module.function = frozen(served, always=True)
    with quietly():
        tf.saved_model.save(
            module,
            str(folder),
            signatures={"probabilities": _named(module.function)},
            # Swish has a gradient of its own, which a frozen graph cannot keep.
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        kept = ()
        if quantize == "int8":
            content, kept = int8_model(
                lambda: _converter(folder), served, representative
            )
        else:
            converter = _converter(folder)
            if quantize == "float16":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.target_spec.supported_types = [tf.float16]
            content = converter.convert()
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_LABELS, "\n".join(served.labels) + "\n")
    return kept


def _named(function):
    spec = tf.TensorSpec(function.inputs[0].shape, tf.float32, "image")
    return tf.function(lambda image: {"scores": function(image)[0]}, [spec])


def _converter(folder: pathlib.Path):
    return tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=["probabilities"]
    )


def read_litert(path: pathlib.Path, engine: str = "auto") -> Artefact:
    """Return the file as an `Artefact`; one call at a time computes."""
    only_engine(engine, "litert", "a LiteRT file")
    try:
        with zipfile.ZipFile(path) as archive:
            labels = archive.read(_LABELS).decode().splitlines()
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"Expected a LiteRT file that `tft.export` wrote. Received: '{path}', "
            "which holds no labels."
        ) from error
    compute = LiteRTFunction(path.read_bytes())
    return Artefact(tuple(labels), compute.image_size, "litert", "litert", compute)
