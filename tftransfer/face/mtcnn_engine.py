"""The nets of MTCNN compiled by TensorFlow or OpenVINO: arrays in, arrays out.

TensorFlow only.
"""

import importlib.util
import os
import tempfile

import keras
import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_one_of
from tftransfer.inference.frozen_function import frozen
from tftransfer.inference.openvino_net import import_openvino

ENGINES = ("auto", "tensorflow", "openvino")


def engine_named(engine: str) -> str:
    """Return "tensorflow" or "openvino" for the name of an engine.

    "auto" is TensorFlow where there is a GPU or no OpenVINO, else OpenVINO.

    Raises:
        ValueError: When there is no such engine.
        ImportError: When OpenVINO is asked for and absent.
    """
    check_one_of("engine", engine, ENGINES)
    if engine == "openvino":
        import_openvino()
    if engine != "auto":
        return engine
    absent = importlib.util.find_spec("openvino") is None
    gpu = tf.config.list_logical_devices("GPU")
    return "tensorflow" if absent or gpu else "openvino"


def compiled(net: keras.Model, engine: str):
    """Return a net as a function of arrays, callable from several threads.

    Args:
        net: Built model of one input of any size.
        engine: "tensorflow" or "openvino".

    Returns:
        Function of float32 `(batch, height, width, 3)` that returns the list of the
        net's outputs as arrays.
    """
    return {"tensorflow": _TensorFlowNet, "openvino": _OpenVinoNet}[engine](net)


class _TensorFlowNet:
    """One graph with the weights folded in; its shapes are open, so it is traced once.

    It runs on the GPU where there is one.
    """

    def __init__(self, net):
        self._function = frozen(net)

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(output) for output in self._function(tf.constant(pixels))]


class _OpenVinoNet:
    """One compilation for all shapes, a stream per core and a request per thread.

    Each call runs on one core, so that a tile or some crops stay in its caches: the
    caller's threads fill the others.
    """

    def __init__(self, net):
        openvino = import_openvino()
        options = {
            "NUM_STREAMS": os.cpu_count() or 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        # By a file: `openvino.convert_model` takes seconds and reports its use to the
        # net; this takes 20 ms and calls nobody.
        with tempfile.TemporaryDirectory() as folder:
            tf.io.write_graph(frozen(net).graph, folder, "net.pb", as_text=False)
            read = core.read_model(os.path.join(folder, "net.pb"))
        self._net = core.compile_model(read, "CPU", options)
        self._free = []

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        try:
            request = self._free.pop()
        except IndexError:
            request = self._net.create_infer_request()
        try:
            request.infer([pixels], share_inputs=True)
            places = range(len(self._net.outputs))
            return [request.get_output_tensor(i).data.copy() for i in places]
        finally:
            self._free.append(request)
