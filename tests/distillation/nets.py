"""Small nets that the tests of distillation share."""

import keras
import numpy as np


def conv_net(channels, name, *, size=12, classes=3, end=None, batch_norm=True):
    layers = [keras.layers.Conv2D(channels, 3, use_bias=False, name="low")]
    if batch_norm:
        layers.append(keras.layers.BatchNormalization(name="norm"))
    layers += [
        keras.layers.ReLU(name="mid"),
        keras.layers.Conv2D(2 * channels, 3, strides=2, name="high"),
        keras.layers.ReLU(name="top"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(classes, activation=end, name="scores"),
    ]
    return keras.Sequential([keras.Input((size, size, 3)), *layers], name=name)


def pictures(count=16, size=12, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, size, size, 3)).astype("float32")
    return x, rng.integers(0, 3, count)


def arrays(model):
    return [keras.ops.convert_to_numpy(v) for v in model.variables]
