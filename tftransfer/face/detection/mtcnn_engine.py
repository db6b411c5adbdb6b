"""The nets of MTCNN compiled by TensorFlow or OpenVINO: arrays in, arrays out.

TensorFlow only.
"""

import collections
import functools
import importlib.util
import itertools
import os
from collections.abc import Iterable
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_one_of
from tftransfer.inference.frozen_function import frozen
from tftransfer.inference.openvino_function import read_graph
from tftransfer.inference.openvino_net import import_openvino

ENGINES = ("auto", "tensorflow", "openvino")
_CORES = os.cpu_count() or 1
# Enough that no core waits for the caller, who works through the results in order.
_IN_FLIGHT = max(16, 4 * _CORES)
_TOGETHER = 16


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
    """Return a net whose `map` computes a stream of arrays, from several threads.

    Args:
        net: Built model of one input of any size.
        engine: "tensorflow" or "openvino".

    Returns:
        Object whose `map` takes float32 arrays `(batch, height, width, 3)`, one after
        the other, and gives the list of the net's outputs for each, in their order.
    """
    return {"tensorflow": _TensorFlowNet, "openvino": _OpenVinoNet}[engine](net)


class _TensorFlowNet:
    """A graph of 1, 2, 4, 8 and 16 inputs, which TensorFlow computes side by side.

    Twice as fast as one after the other. The weights are folded in and shapes are open:
    five traces serve all. It runs on the GPU where there is one.
    """

    def __init__(self, net):
        self._signature = tf.TensorSpec((None, *net.input_shape[1:]), tf.float32)
        self._net = frozen(net)
        self._graph = functools.cache(self._traced)

    def map(self, inputs: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        inputs = iter(inputs)
        while some := list(itertools.islice(inputs, _TOGETHER)):
            while some:
                count = 1 << (len(some).bit_length() - 1)
                found = self._graph(count)(*map(tf.constant, some[:count]))
                some = some[count:]
                yield from ([np.asarray(output) for output in each] for each in found)

    def _traced(self, count: int):
        # jit_compile: XLA would compile for each shape.
        @tf.function(input_signature=[self._signature] * count, jit_compile=False)
        def compute(*pixels):
            return [self._net(each) for each in pixels]

        return compute


class _OpenVinoNet:
    """One compilation for all shapes, a stream per core.

    Each input runs on one core, so that a tile or some crops stay in its caches.
    """

    def __init__(self, net):
        options = {
            "NUM_STREAMS": _CORES,
            "INFERENCE_PRECISION_HINT": "f32",
            # By default it keeps what it prepared for each shape it ever saw: 6 MiB per
            # size of picture. With this it is as fast.
            "CPU_RUNTIME_CACHE_CAPACITY": 64,
        }
        core = import_openvino().Core()
        self._net = core.compile_model(read_graph(frozen(net)), "CPU", options)
        self._places = range(len(self._net.outputs))

    def map(self, inputs: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        # A request holds its last input: kept for the next call it would hold pictures.
        free, started = [], collections.deque()
        try:
            for pixels in inputs:
                request = free.pop() if free else self._net.create_infer_request()
                request.start_async([pixels], share_inputs=True)
                started.append(request)
                if len(started) == _IN_FLIGHT:
                    free.append(started.popleft())
                    yield self._finished(free[-1])
            while started:
                yield self._finished(started.popleft())
        finally:
            for request in started:  # left early: none may run on
                request.wait()

    def _finished(self, request) -> list[np.ndarray]:
        request.wait()
        return [request.get_output_tensor(place).data.copy() for place in self._places]
