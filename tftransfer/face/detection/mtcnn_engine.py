"""The nets of MTCNN compiled by TensorFlow or OpenVINO: arrays in, arrays out.

TensorFlow only.
"""

import collections
import contextlib
import functools
import importlib.util
import itertools
import os
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_one_of
from tftransfer.face.detection.mtcnn_layers import CELL
from tftransfer.face.detection.mtcnn_layers import Layers
from tftransfer.face.detection.mtcnn_nets import keras_net
from tftransfer.face.detection.mtcnn_openvino import openvino_net
from tftransfer.inference.frozen_function import frozen
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


def compiled(net: Layers, weights: dict, engine: str):
    """Return a net whose `map` computes a stream of arrays, from several threads.

    Args:
        net: Its layers.
        weights: {"net/layer/weight": array}, as `mtcnn_weights` reads them.
        engine: "tensorflow" or "openvino".

    Returns:
        Object whose `map` takes float32 arrays `(batch, height, width, 3)`, one after
        the other, and gives the list of the net's outputs for each, in their order.
    """
    kind = {"tensorflow": _TensorFlowNet, "openvino": _OpenVinoNet}[engine]
    return kind(net, weights)


class _TensorFlowNet:
    """A graph of 1, 2, 4, 8 and 16 inputs, which TensorFlow computes side by side.

    Twice as fast as one after the other. The weights are folded in and shapes are open:
    five traces serve all. It runs on the GPU where there is one.
    """

    def __init__(self, net: Layers, weights: dict):
        self._signature = tf.TensorSpec((None, net.side, net.side, 3), tf.float32)
        self._net = frozen(keras_net(net, weights))
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

    def __init__(self, net: Layers, weights: dict):
        options = {
            "NUM_STREAMS": _CORES,
            "INFERENCE_PRECISION_HINT": "f32",
            # By default it keeps what it prepared for each shape it ever saw: 6 MiB per
            # size of picture. With this it is as fast.
            "CPU_RUNTIME_CACHE_CAPACITY": 64,
        }
        self._openvino = import_openvino()
        model = openvino_net(net, weights)
        self._net = self._openvino.Core().compile_model(model, "CPU", options)
        self._places = range(len(self._net.outputs))
        # Making a request takes half a millisecond, more than a small tile.
        self._free = []
        side = net.side or CELL
        self._none = self._openvino.Tensor(np.zeros((1, side, side, 3), "float32"))

    def map(self, inputs: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        started = collections.deque()
        try:
            for pixels in inputs:
                started.append((pixels, self._start(pixels)))
                if len(started) == _IN_FLIGHT:
                    yield self._finished(*started.popleft())
            while started:
                yield self._finished(*started.popleft())
        finally:
            while started:  # left early, or by an error: none may run on
                with contextlib.suppress(RuntimeError):  # the first one is raised
                    self._finished(*started.popleft())

    def _start(self, pixels: np.ndarray):
        try:
            request = self._free.pop()
        except IndexError:
            request = self._net.create_infer_request()
        # What TensorFlow computed is read-only, which OpenVINO copies.
        shared = pixels.flags.writeable
        tensor = self._openvino.Tensor(pixels, shared_memory=shared)
        request.set_input_tensor(tensor)
        request.start_async()
        return request

    def _finished(self, pixels, request) -> list[np.ndarray]:
        request.wait()  # until here it reads `pixels`
        found = [request.get_output_tensor(place).data.copy() for place in self._places]
        request.set_input_tensor(self._none)
        self._free.append(request)
        return found
