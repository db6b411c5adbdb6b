"""Which engine computes: TensorFlow, or OpenVINO where it is faster.

TensorFlow only.
"""

import importlib.util
import time

import numpy as np
import tensorflow as tf

from tftransfer.core.validation import check_one_of
from tftransfer.inference.frozen_function import FrozenFunction
from tftransfer.inference.openvino_function import OpenVinoFunction

ENGINES = ("tensorflow", "openvino", "auto")
# Pictures from which "auto" pays for compiling and measuring: some seconds.
WORTH_MEASURING = 1000
_SAMPLE = 32


class Engines:
    """The compiled forms of one net, made on first use.

    Args:
        net: Built Keras model, or what has its `input_shape`, `variables` and call.
    """

    def __init__(self, net):
        self._net = net
        self._made = {}
        self._fastest = None

    def choose(self, engine: str, pictures: int | None):
        """Return the function of an engine, up to date with the weights.

        Args:
            engine: "tensorflow", "openvino", or "auto": the faster of the two on this
                machine, measured once, where OpenVINO is installed, there is no GPU and
                there are pictures enough to pay for that.
            pictures: How many will be computed; None when nobody knows.

        Raises:
            ValueError: When there is no such engine.
            ImportError: When OpenVINO is asked for and absent.
        """
        check_one_of("engine", engine, ENGINES)
        if engine == "auto":
            engine = self._measured(pictures)
        return self._function(engine)

    def _function(self, engine: str):
        kinds = {"tensorflow": FrozenFunction, "openvino": OpenVinoFunction}
        if engine not in self._made:
            self._made[engine] = kinds[engine](self._net)
        self._made[engine].refresh()
        return self._made[engine]

    def _measured(self, pictures: int | None) -> str:
        few = pictures is not None and pictures < WORTH_MEASURING
        absent = importlib.util.find_spec("openvino") is None
        if absent or few or tf.config.list_logical_devices("GPU"):
            return "tensorflow"
        if self._fastest is None:
            sample = np.zeros((_SAMPLE, *self._net.input_shape[1:]), "uint8")
            engines = ("tensorflow", "openvino")
            self._fastest = min(engines, key=lambda name: self._seconds(name, sample))
        return self._fastest

    def _seconds(self, engine: str, sample: np.ndarray) -> float:
        function = self._function(engine)
        times = []
        for _ in range(4):
            begin = time.perf_counter()
            function(sample)
            times.append(time.perf_counter() - begin)
        return min(times[1:])
