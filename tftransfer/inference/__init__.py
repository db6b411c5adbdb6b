"""Inference: a net compiled for pictures by TensorFlow or OpenVINO."""

from tftransfer.inference.engines import ENGINES
from tftransfer.inference.engines import Engines
from tftransfer.inference.frozen_function import FrozenFunction
from tftransfer.inference.openvino_function import OpenVinoFunction
