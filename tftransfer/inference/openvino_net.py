"""An OpenVINO net compiled for the CPU: its requests, and how it is split in pieces.

Runs in float32 where the net does, so that results are those of TensorFlow to about
1e-6 of the largest.
"""

import threading

import numpy as np

# Pictures that one request takes at once: their activations stay in the cores' caches.
_PIECE = 8
_MANY = {"PERFORMANCE_HINT": "THROUGHPUT"}
_SINGLE = {"PERFORMANCE_HINT": "LATENCY"}


class OpenVinoNet:
    """A net of one picture input, callable from several threads.

    Pictures run in pieces of 8. Calls with one or two, once they are a habit, run one
    by one on a second compilation that uses all cores for each.

    Args:
        net: `openvino.Model`, `(batch, height, width, 3)` -> one or several outputs.
        dtype: NumPy dtype of the pictures given.
    """

    def __init__(self, net, dtype):
        openvino = import_openvino()
        steps = openvino.preprocess.PrePostProcessor(net)
        steps.input().tensor().set_element_type(openvino.Type(np.dtype(dtype)))
        self._net = steps.build()
        self._compiled = {}
        self._small_calls = 0
        self._lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the outputs for any number of pictures, as copies."""
        piece = self._piece(len(images))
        requests = self._requests(piece)
        request = requests.take()
        try:
            parts = [
                requests.infer(request, images[start : start + piece])
                for start in range(0, max(1, len(images)), piece)
            ]
        finally:
            requests.give_back(request)
        return [np.concatenate(rows) for rows in zip(*parts)]

    def _piece(self, count: int) -> int:
        """Return the pictures per request; the first few may be the end of many."""
        if count > 2 or count == 0:
            return _PIECE
        self._small_calls += 1
        return 1 if self._small_calls > 1 or not self._compiled else _PIECE

    def _requests(self, piece: int) -> "_Requests":
        with self._lock:
            if piece not in self._compiled:
                hints = _SINGLE if piece == 1 else _MANY
                self._compiled[piece] = _Requests(self._net, piece, hints)
            return self._compiled[piece]


class _Requests:
    """One compilation for `piece` pictures, a request per thread that asks."""

    def __init__(self, net, piece: int, hints: dict):
        openvino = import_openvino()
        self._piece = piece
        net = net.clone()
        net.reshape([piece, *list(net.input().partial_shape)[1:]])
        self._compiled = openvino.Core().compile_model(
            net, "CPU", {"INFERENCE_PRECISION_HINT": "f32", **hints}
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
        """Return the outputs of up to `piece` pictures, as copies."""
        rows = len(images)
        if rows < self._piece:
            missing = [(0, self._piece - rows)] + [(0, 0)] * (images.ndim - 1)
            images = np.pad(images, missing)
        request.infer([np.ascontiguousarray(images)], share_inputs=True)
        outputs = range(len(self._compiled.outputs))
        return [request.get_output_tensor(i).data[:rows].copy() for i in outputs]


def import_openvino():
    """Return the package, or raise an `ImportError` that says how to get it."""
    try:
        import openvino
    except ImportError as error:
        raise ImportError(
            "Expected the package openvino for `engine='openvino'` and for OpenVINO "
            "files. Received none: `pip install tftransfer[openvino]`, or use "
            "TensorFlow."
        ) from error
    return openvino
