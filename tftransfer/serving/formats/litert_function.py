"""A LiteRT file as a function of pictures. TensorFlow only."""

import os
import threading
import warnings

import numpy as np


class LiteRTFunction:
    """The interpreter of one file; calls of several threads wait for each other.

    Args:
        content: The file's bytes.
    """

    def __init__(self, content: bytes):
        self._interpreter = _interpreter(content)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._batch = None
        self._lock = threading.Lock()
        self.image_size = int(self._input["shape"][1])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities (batch, classes) of pictures of any number."""
        with self._lock:
            self._prepare(len(images))
            self._interpreter.set_tensor(
                self._input["index"], np.asarray(images, np.float32)
            )
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._output)

    def _prepare(self, batch: int) -> None:
        if batch != self._batch:
            shape = [batch, *self._input["shape"][1:]]
            self._interpreter.resize_tensor_input(self._input["index"], shape)
            self._interpreter.allocate_tensors()
            self._batch = batch


def _interpreter(content: bytes):
    """Return LiteRT's own interpreter, else the older copy inside TensorFlow."""
    threads = os.cpu_count()
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it will leave TensorFlow one day
            return tf.lite.Interpreter(model_content=content, num_threads=threads)
    return Interpreter(model_content=content, num_threads=threads)
