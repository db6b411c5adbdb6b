"""Converters without their chatter: of deprecations, scratch folders, progress.

TensorFlow only.
"""

import contextlib
import logging
import os
import sys
import warnings

import tensorflow as tf


@contextlib.contextmanager
def quietly():
    """Hold back what TensorFlow and the converters log; errors are raised as ever."""
    loggers = [tf.get_logger(), *map(logging.getLogger, ("tf2onnx", "nncf"))]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel("ERROR")
    try:
        with warnings.catch_warnings(), _without_stderr():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


@contextlib.contextmanager
def _without_stderr():
    """Point file descriptor 2 at nothing: C++ writes there whatever the settings."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
