"""The command line: one file per command, thin over public functions.

Nothing here may import Keras, TensorFlow or NumPy before a command runs: `--help` is
to answer at once.
"""
