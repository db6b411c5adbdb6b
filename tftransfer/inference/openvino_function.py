"""A Keras model, or another net of TensorFlow, compiled by OpenVINO for the CPU.

TensorFlow only, and `openvino`.
"""

import os
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tftransfer.inference.net_function import NetFunction
from tftransfer.inference.openvino_net import OpenVinoNet
from tftransfer.inference.openvino_net import import_openvino


class OpenVinoFunction(NetFunction):
    """`net(images, training=False)` through OpenVINO; same use as `FrozenFunction`.

    Args:
        net: Built Keras model, or what has its `input_shape`, `variables` and call: raw
            RGB [0, 255] `(batch, height, width, 3)` of fixed height and width ->
            tensor or structure of tensors.

    Raises:
        ImportError: When `openvino` is not installed.
    """

    name = "openvino"
    # Batches at a time: OpenVINO runs a stream of requests per core or two.
    in_flight = max(2, (os.cpu_count() or 2) // 2)

    def __init__(self, net):
        import_openvino()
        super().__init__(net)

    def __call__(self, images) -> list[np.ndarray]:
        """Return the flat list of outputs for `images`, uint8 or any float dtype."""
        images = np.asarray(images)
        if images.dtype != np.uint8:
            images = images.astype(np.float32, copy=False)
        return self._of(images.dtype)(images)

    def _compile(self, dtype) -> OpenVinoNet:
        return OpenVinoNet(converted(self._net), dtype)


def converted(net):
    """Return the net as `openvino.Model`, with the outputs asked for and no others."""
    spec = tf.TensorSpec((None, *net.input_shape[1:]), tf.float32, "image")

    @tf.function(input_signature=[spec], jit_compile=False)
    def compute(image):
        # One name per output, by which it is found again below.
        return [
            tf.identity(output, name=f"output_{number}")
            for number, output in enumerate(tf.nest.flatten(net(image, training=False)))
        ]

    concrete = compute.get_concrete_function()
    return read_graph(
        convert_to_constants.convert_variables_to_constants_v2(
            concrete, lower_control_flow=False
        )
    )


def read_graph(frozen):
    """Return a concrete function without variables as `openvino.Model`.

    By a file: `openvino.convert_model` takes seconds and reports its use over the
    network; this takes a tenth of a second and calls nobody.
    """
    core = import_openvino().Core()
    with tempfile.TemporaryDirectory() as folder:
        tf.io.write_graph(frozen.graph, folder, "net.pb", as_text=False)
        model = core.read_model(os.path.join(folder, "net.pb"))
    # Ops with gradients of their own, such as swish, leave their inputs as outputs too.
    results = {
        name: result
        for result in model.get_results()
        for name in result.output(0).names
    }
    wanted = [results[output.name] for output in frozen.outputs]
    return import_openvino().Model(wanted, model.get_parameters())
