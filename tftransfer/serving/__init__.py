"""Serving: a SavedModel that takes encoded pictures and needs TensorFlow alone."""

from tftransfer.serving.saved_model import ExportResult
from tftransfer.serving.saved_model import export
from tftransfer.serving.versions import next_version
