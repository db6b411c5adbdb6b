"""Serving: what a trained model becomes to answer pictures without Keras."""

from tftransfer._lazy import load_on_use

_PUBLIC = {
    "ExportResult": "tftransfer.serving.export_result",
    "Predictor": "tftransfer.serving.predictor",
    "export": "tftransfer.serving.exporting",
    "next_version": "tftransfer.serving.versions",
}

__all__ = list(_PUBLIC)

__getattr__, __dir__ = load_on_use(__name__, _PUBLIC)
