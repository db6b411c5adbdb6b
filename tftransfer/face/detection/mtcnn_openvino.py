"""The three nets of MTCNN as OpenVINO graphs, without TensorFlow."""

import numpy as np

from tftransfer.face.detection.mtcnn_layers import GREY
from tftransfer.face.detection.mtcnn_layers import SCALE
from tftransfer.face.detection.mtcnn_layers import Convolve
from tftransfer.face.detection.mtcnn_layers import Head
from tftransfer.face.detection.mtcnn_layers import Layers
from tftransfer.face.detection.mtcnn_layers import Pool
from tftransfer.inference.openvino_net import import_openvino

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
_COLUMNS_FIRST = (0, 3, 2, 1)  # from channels first: columns, rows, channels


def openvino_net(net: Layers, weights: dict):
    """Return a net as `openvino.Model`, float32, of the inputs of `keras_net`.

    Args:
        net: Its layers.
        weights: {"net/layer/weight": array}, as `mtcnn_weights` reads them.

    Raises:
        ImportError: When OpenVINO is absent.
    """
    openvino = import_openvino()
    from openvino import opset13 as ops

    side = -1 if net.side is None else net.side
    pixels = ops.parameter((-1, side, side, 3), np.float32, "pixels")
    builder = _Builder(ops, net, weights)
    scaled = ops.multiply(ops.subtract(pixels, np.float32(GREY)), np.float32(SCALE))
    x = ops.transpose(scaled, _TO_CHANNELS_FIRST)
    for layer in net.trunk:
        x = builder.applied(layer, x)
    outputs = [builder.head(head, x) for head in net.heads]
    return openvino.Model(outputs, [pixels], net.name)


class _Builder:
    def __init__(self, ops, net: Layers, weights: dict):
        self._ops, self._net, self._weights = ops, net, weights

    def applied(self, layer, x):
        ops = self._ops
        if isinstance(layer, Pool):
            window = [layer.window] * 2
            padding = "same_upper" if layer.padded else "valid"
            places = [2, 2], [1, 1], [0, 0], [0, 0]  # strides, dilations, no borders
            return ops.max_pool(x, *places, window, auto_pad=padding).output(0)
        if isinstance(layer, Convolve):
            x = self._convolved(f"conv{layer.name}", x)
        else:
            flat = ops.transpose(x, _COLUMNS_FIRST)
            flat = ops.reshape(flat, np.array([0, -1]), special_zero=True)
            x = self._connected(f"fc{layer.name}", flat)
        return ops.prelu(x, self._weight(f"prelu{layer.name}", "alpha").ravel())

    def head(self, head: Head, x):
        if self._net.side:
            x = self._connected(head.name, x)
        else:
            x = self._convolved(head.name, x)
            x = self._ops.transpose(x, _TO_CHANNELS_LAST)
        return self._ops.softmax(x, -1) if head.faces else x

    def _convolved(self, name, x):
        kernel = np.ascontiguousarray(
            self._weight(name, "kernel").transpose(3, 2, 0, 1)
        )
        ops = self._ops
        x = ops.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        return ops.add(x, self._weight(name, "bias").reshape(1, -1, 1, 1))

    def _connected(self, name, x):
        x = self._ops.matmul(x, self._weight(name, "kernel"), False, False)
        return self._ops.add(x, self._weight(name, "bias"))

    def _weight(self, layer, name) -> np.ndarray:
        return self._weights[f"{self._net.name}/{layer}/{name}"]
