"""Post-training quantisation to int8, sensitive layers left in float where needed.

Weights per channel, activations per tensor, ranges from representative pictures, by
TensorFlow's converter. No label is used: the float model is the measure. When the int8
model names another class for too many of the representative pictures, the layers
whose outputs suffer most, channel by channel, are computed in float together with the
layer that reads them, as few as it takes. TensorFlow only.

References:
    Jacob et al., Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, CVPR 2018, arXiv:1712.05877.
"""

import csv
import io

import numpy as np
import tensorflow as tf

from tftransfer.serving.formats.litert_function import LiteRTFunction
from tftransfer.serving.served_model import ServedModel

# Probabilities in steps of 1/256 would make ties; softmax costs nothing.
_FLOAT_OPERATIONS = ["SOFTMAX"]
_AGREEMENT = 0.98
_MEASURED_PICTURES = 20
_MOST = 0.5  # of all layers; with more in float nothing is won


def int8_model(
    converter, served: ServedModel, representative: np.ndarray
) -> tuple[bytes, tuple[str, ...]]:
    """Return the file's content and the names of the layers kept in float.

    Args:
        converter: Returns a new `TFLiteConverter` when called.
        served: The float model.
        representative: Pictures uint8 (n, size, size, 3) of the kind to come.
    """
    expected = _best(served.probabilities, representative)

    def agreement(content: bytes) -> float:
        found = _best(LiteRTFunction(content), representative)
        return float((found == expected).mean())

    best, kept = _quantised(converter, representative, []), []
    reached = agreement(best)
    if reached >= _AGREEMENT:
        return best, ()
    layers = _layers(converter, representative)
    for names in _to_keep(layers):
        content = _quantised(converter, representative, names)
        found = agreement(content)
        if found > reached:
            best, kept, reached = content, names, found
        if reached >= _AGREEMENT:
            break
    return best, tuple(kept)


def _to_keep(layers: dict[str, float]):
    """Yield ever more layers: the 1, 2, 4, ... most sensitive, each with its reader."""
    order = list(layers)
    ranked = sorted(range(len(order)), key=lambda i: -layers[order[i]])
    count, most = 1, _MOST * len(order)
    while True:
        chosen = {j for i in ranked[:count] for j in (i, i + 1) if j < len(order)}
        if len(chosen) > most:
            return
        yield [order[i] for i in sorted(chosen)]
        count *= 2


def _best(compute, images: np.ndarray) -> np.ndarray:
    pieces = [
        np.argmax(compute(images[start : start + 32].astype("float32")), axis=1)
        for start in range(0, len(images), 32)
    ]
    return np.concatenate(pieces)


def _debugger(converter, pictures: np.ndarray, names: list[str]):
    """Return TensorFlow's debugger: it alone can leave chosen layers in float."""

    def representative():
        for picture in pictures:
            yield [picture[None].astype("float32")]

    made = converter()
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = representative
    made.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]
    options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_ops=_FLOAT_OPERATIONS,
        denylisted_nodes=names,
        layer_direct_compare_metrics={"noise": _noise},
    )
    return tf.lite.experimental.QuantizationDebugger(
        converter=made, debug_dataset=representative, debug_options=options
    )


def _noise(expected, found, scale: float, zero_point: int) -> float:
    """Return the error's share of the signal, the mean over channels (last axis)."""
    expected = expected.reshape(-1, expected.shape[-1]).astype("float64")
    found = (found.reshape(expected.shape).astype("float64") - zero_point) * scale
    signal = np.square(expected - expected.mean(axis=0)).mean(axis=0)
    if len(expected) == 1:  # a vector has no spread over positions
        signal = np.square(expected).mean(axis=0)
    error = np.square(found - expected).mean(axis=0)
    alive = signal > 0
    if not alive.any():
        return 0.0
    return float(np.minimum(1.0, error[alive] / signal[alive]).mean())


def _quantised(converter, pictures: np.ndarray, names: list[str]) -> bytes:
    return _debugger(converter, pictures, names).get_nondebug_quantized_model()


def _layers(converter, pictures: np.ndarray) -> dict[str, float]:
    """Return {layer: share of its output that is noise}, in the net's order."""
    debugger = _debugger(converter, pictures[:_MEASURED_PICTURES], [])
    debugger.run()
    table = io.StringIO()
    debugger.layer_statistics_dump(table)
    table.seek(0)
    rows = sorted(csv.DictReader(table), key=lambda row: int(row["tensor_idx"]))
    return {row["tensor_name"]: float(row["noise"]) for row in rows}
