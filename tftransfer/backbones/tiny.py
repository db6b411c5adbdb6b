"""`tiny`: a small residual net that ships inside the package with MNIST weights.

It gives the demo, the notebooks and the tests something truly pretrained without a
network. `benchmarks/train_tiny.py` trains it.
"""

import hashlib
import pathlib

import keras

WEIGHTS_FILE = pathlib.Path(__file__).parent / "weights" / "tiny_mnist.weights.h5"
WEIGHTS_SHA256 = "799a12136c79b8e58ec75ccc627dc3aad7025b1919f501caa28af9f7b70d70a0"


def tiny_body(images):
    """Build the net: three residual stages of 32, 64 and 128 channels.

    Args:
        images: KerasTensor `(batch, height, width, 3)` in [-1, 1]; 32x32 as trained.

    Returns:
        KerasTensor `(batch, height / 8, width / 8, 128)`, not negative.
    """
    x = _unit(images, 16, "stem", stride=1)
    for stage, filters in enumerate((32, 64, 128), start=1):
        name = f"stage{stage}"
        shortcut = keras.layers.Conv2D(
            filters, 1, strides=2, padding="same", use_bias=False, name=f"{name}_skip"
        )(x)
        x = _unit(x, filters, f"{name}_a", stride=2)
        x = _unit(x, filters, f"{name}_b", stride=1, depthwise=True, activate=False)
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        x = keras.layers.ReLU(name=f"{name}_out")(x)
    return x


def _unit(x, filters, name, *, stride, depthwise=False, activate=True):
    kind = keras.layers.SeparableConv2D if depthwise else keras.layers.Conv2D
    x = kind(
        filters, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if activate else x


def shipped_weights() -> pathlib.Path:
    """Return the weight file inside the package, its checksum verified.

    Raises:
        OSError: When the file is missing or its SHA-256 differs: reinstall.
    """
    received = hashlib.sha256(WEIGHTS_FILE.read_bytes()).hexdigest()
    if received != WEIGHTS_SHA256:
        raise OSError(
            f"Expected {WEIGHTS_FILE} with SHA-256 {WEIGHTS_SHA256}. Received: "
            f"{received}. The file is damaged; install tftransfer again."
        )
    return WEIGHTS_FILE
