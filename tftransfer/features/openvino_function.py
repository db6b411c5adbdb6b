"""A Keras model compiled by OpenVINO for the CPU. TensorFlow only, and `openvino`.

Runs in float32, so that features are those of TensorFlow to about 1e-6 of the largest.
"""

import threading

import keras
import numpy as np
import tensorflow as tf

from tftransfer.core.fingerprint import weights_digest

# Pictures that one request takes at once: their activations stay in the cores' caches.
_PIECE = 8


class OpenVinoFunction:
    """`model(images, training=False)` through OpenVINO; same use as `FrozenFunction`.

    Args:
        model: Built Keras model, raw RGB [0, 255] `(batch, height, width, 3)` of fixed
            height and width -> tensor or structure of tensors.

    Raises:
        ImportError: When `openvino` is not installed.
    """

    def __init__(self, model: keras.Model):
        _openvino()
        self._model = model
        self._digest = None
        self._requests = {}
        self._lock = threading.Lock()
        self.in_flight = 2

    def refresh(self) -> None:
        """Forget the compiled nets when a weight changed since they were made."""
        digest = weights_digest(self._model)
        with self._lock:
            if digest != self._digest:
                self._digest, self._requests = digest, {}

    def __call__(self, images) -> list[np.ndarray]:
        """Return the flat list of outputs for `images`, uint8 or any float dtype."""
        images = np.asarray(images)
        if images.dtype != np.uint8:
            images = images.astype(np.float32, copy=False)
        pool = self._pool(images.dtype)
        request = pool.take()
        try:
            pieces = [
                pool.infer(request, images[start : start + _PIECE])
                for start in range(0, max(1, len(images)), _PIECE)
            ]
        finally:
            pool.give_back(request)
        return [np.concatenate(parts) for parts in zip(*pieces)]

    def _pool(self, dtype) -> "_Requests":
        with self._lock:
            if self._digest is None:
                self._digest = weights_digest(self._model)
            if dtype not in self._requests:
                self._requests[dtype] = _Requests(self._model, dtype)
                self.in_flight = self._requests[dtype].best_number
            return self._requests[dtype]


class _Requests:
    """A compiled net and its inference requests, one per thread that asks."""

    def __init__(self, model: keras.Model, dtype):
        openvino = _openvino()
        net = _converted(model)
        steps = openvino.preprocess.PrePostProcessor(net)
        steps.input().tensor().set_element_type(openvino.Type(dtype))
        net = steps.build()
        net.reshape([_PIECE, *model.input_shape[1:]])
        self._compiled = openvino.Core().compile_model(
            net,
            "CPU",
            {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"},
        )
        self.best_number = int(
            self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        )
        self._free = []

    def take(self):
        try:
            return self._free.pop()
        except IndexError:
            return self._compiled.create_infer_request()

    def give_back(self, request) -> None:
        self._free.append(request)

    def infer(self, request, images: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of up to `_PIECE` pictures, as copies."""
        rows = len(images)
        if rows < _PIECE:
            missing = [(0, _PIECE - rows)] + [(0, 0)] * (images.ndim - 1)
            images = np.pad(images, missing)
        request.infer([np.ascontiguousarray(images)])
        outputs = range(len(self._compiled.outputs))
        return [request.get_output_tensor(i).data[:rows].copy() for i in outputs]


def _converted(model: keras.Model):
    """Return the model as OpenVINO's, with the outputs asked for and no others."""
    openvino = _openvino()
    shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)

    @tf.function(input_signature=[shape], jit_compile=False)
    def compute(images):
        # One name per output, by which it is found again below.
        return [
            tf.identity(output, name=f"feature_{number}")
            for number, output in enumerate(
                tf.nest.flatten(model(images, training=False))
            )
        ]

    concrete = compute.get_concrete_function()
    net = openvino.convert_model(concrete)
    # Ops with gradients of their own, such as swish, leave their inputs as outputs too.
    results = {
        name: result for result in net.get_results() for name in result.output(0).names
    }
    wanted = [results[output.name] for output in concrete.outputs]
    return openvino.Model(wanted, net.get_parameters())


def _openvino():
    try:
        import openvino
    except ImportError as error:
        raise ImportError(
            "Expected the package openvino for `engine='openvino'`. Received none: "
            "`pip install tftransfer[openvino]`, or use `engine='tensorflow'`."
        ) from error
    return openvino
